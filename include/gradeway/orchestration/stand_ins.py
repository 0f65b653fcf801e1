"""The sandboxes that run beside Airflow: what stands in for a vendor until a Connection names the real one.

``python -m gradeway.orchestration.stand_ins`` prints the Connections to them, on their usual ports, for
``airflow connections import``; with a vendor's name that one alone, for its ``AIRFLOW_CONN_…`` variable.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from gradeway.orchestration.processes import HOST, free_port

USER = "sandbox"
AREA = "123456"
# The made-up administrator of Questionmark's stand-in, in whose name sessions are scheduled.
ADMINISTRATOR = 101
CALLS_PER_SECOND = 50  # a stand-in on the same machine need not be spared as a tenant is


@dataclass(frozen=True)
class StandIn:
    """A vendor's stand-in: its usual port, the path of its service, and what a Connection to it has in its extra."""

    vendor: str
    title: str
    port: int
    path: str = ""
    words: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def connection(self) -> str:
        """The name of the Connection to it."""
        return f"gradeway_{self.vendor}_sandbox"

    def fields(self, port: int) -> dict[str, Any]:
        """Return what the Connection to it on a port has."""
        known = {"conn_type": "http", "host": f"http://{HOST}{self.path}", "port": port}
        return known | {"login": USER, "password": USER, "extra": dict(self.extra)}


@dataclass(frozen=True)
class StandIns:
    """Commands to run beside Airflow, where they listen, Connections that point at them, and how to tell of them."""

    origins: dict[str, str]
    commands: dict[str, list[str]]
    env: dict[str, str]
    told: list[str]


def vendors() -> list[StandIn]:
    """Return the stand-ins of all vendors."""
    from gradeway.vendors.assessmentq import SANDBOX_PROFILE

    pace = {"calls_per_second": CALLS_PER_SECOND}
    delivery = {"administrator": ADMINISTRATOR, **pace}
    return [
        StandIn("questionmark", "Questionmark", 8411, f"/deliveryodata/{AREA}", ("--area", AREA), delivery),
        StandIn("assessmentq", "assessmentQ", 8412, "/api", extra={**SANDBOX_PROFILE, **pace}),
        StandIn("learn", "Learn", 8414, extra=pace),
    ]


def stand_ins(home: Path, seeds: Mapping[str, Path] | None = None) -> StandIns:
    """Return the sandboxes of an installation; their data is kept below its home, and begins with their seeds."""
    found = StandIns({}, {}, {}, [])
    for each in vendors():
        port = free_port(each.port)
        origin, data = f"http://{HOST}:{port}", home / "sandbox" / each.vendor
        seed = ("--seed", str(seeds[each.vendor])) if seeds and each.vendor in seeds else ()
        words = ("sandbox", each.vendor, "--port", str(port), "--data", str(data), "--log", f"{data}.log")
        found.origins[each.vendor] = origin
        found.commands[each.vendor] = [sys.executable, "-m", "gradeway.cli", *words, *each.words, *seed]
        found.env[f"AIRFLOW_CONN_{each.connection.upper()}"] = json.dumps(each.fields(port))
        found.told.append(
            f"{each.title + ':':<14} sandbox on {origin}, unless a Connection gradeway_{each.vendor} names the real one"
        )
    return found


@click.command()
@click.argument("vendor", default="", metavar="[VENDOR]")
def main(vendor: str) -> None:
    """Print the Connections to all stand-ins on their usual ports, or that to one."""
    fields = {each.vendor: each.fields(each.port) for each in vendors()}
    if not vendor:
        click.echo(json.dumps({each.connection: fields[each.vendor] for each in vendors()}, indent=2))
    elif vendor in fields:
        click.echo(json.dumps(fields[vendor]))
    else:
        msg = f"there is no stand-in for {vendor}; there are {', '.join(fields)}"
        raise click.UsageError(msg)


if __name__ == "__main__":
    main()
