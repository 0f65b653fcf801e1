"""The sandboxes that run beside a local Airflow: what stands in for a vendor until a Connection names the real one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from gradeway.orchestration.processes import HOST, free_port

QUESTIONMARK_PORT = 8411
AREA = "123456"
USER = "sandbox"
# The sandbox's made-up administrator, in whose name sessions are scheduled.
ADMINISTRATOR = 101


@dataclass(frozen=True)
class StandIns:
    """Commands to run beside Airflow, the Connections that point at them, and how to tell of them."""

    questionmark: str
    commands: dict[str, list[str]]
    env: dict[str, str]
    told: list[str]


def stand_ins(home: Path) -> StandIns:
    """Return the sandboxes of an installation; their data is kept below its home."""
    port = free_port(QUESTIONMARK_PORT)
    data = home / "sandbox" / "questionmark"
    words = ["sandbox", "questionmark", "--port", str(port), "--data", str(data), "--log", str(data) + ".log"]
    command = [sys.executable, "-m", "gradeway.cli", *words, "--area", AREA]
    uri = f"http://{USER}:{USER}@{HOST}:{port}/deliveryodata/{AREA}?administrator={ADMINISTRATOR}"
    return StandIns(
        f"http://{HOST}:{port}",
        {"questionmark": command},
        {"AIRFLOW_CONN_GRADEWAY_QUESTIONMARK_SANDBOX": uri},
        [f"Questionmark:  sandbox on http://{HOST}:{port}, unless a Connection gradeway_questionmark names a tenant"],
    )
