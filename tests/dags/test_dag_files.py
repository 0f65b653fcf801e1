"""Every DAG file is accounted for, parses, is small and does nothing when it is parsed."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

DAGS = Path(__file__).resolve().parents[2] / "dags"

# A new DAG file is entered here; nothing else makes these tests look at it.
EXPECTED = {
    "load_grades.py": {"load_grades"},
    "replay.py": {"replay"},
    "collect_results.py": {"collect_results"},
    "sync_sessions.py": {"sync_sessions"},
    "approve_sessions.py": {"approve_sessions"},
    "collect_aqr.py": {"collect_aqr"},
    "check_aqr.py": {"check_aqr"},
    "publish_gradebook.py": {"publish_gradebook"},
    "approve_publication.py": {"approve_publication"},
    "housekeeping.py": {"housekeeping"},
}
FILES = sorted(path for path in DAGS.rglob("*") if path.is_file() and "__pycache__" not in path.parts)

MOST_LINES = 80
MOST_TASK_LINES = 3
HEAVY = ("pandas", "pandera", "numpy", "gradeway.intake", "gradeway.feeds", "gradeway.loading", "gradeway.store")

PARSE = """
import importlib, json, sys
from pathlib import Path
# What Airflow's own modules do when they are imported is not ours.
import airflow.providers.standard.operators.empty, airflow.providers.standard.operators.hitl
import airflow.providers.standard.operators.trigger_dagrun
import airflow.sdk, airflow.triggers.base, croniter
touched = []
def watch(event, arguments):
    if event.startswith(("socket.connect", "sqlite3.connect", "subprocess", "os.mkdir", "os.rename")):
        touched.append(event)
    elif event == "open" and not str(arguments[0]).endswith((".py", ".pyc")):
        touched.append(f"open {arguments[0]}")
sys.addaudithook(watch)
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
for name in sys.argv[3:]:
    importlib.import_module(name)
print(json.dumps({"touched": touched, "heavy": [name for name in json.loads(sys.argv[2]) if name in sys.modules]}))
"""


def test_the_files_are_those_expected() -> None:
    assert {path.relative_to(DAGS).as_posix() for path in FILES} == EXPECTED.keys()


def test_the_dags_are_those_expected(dagbag: DagBag) -> None:
    assert not dagbag.import_errors
    found: dict[str, set[str]] = {}
    for dag in dagbag.dags.values():
        found.setdefault(Path(dag.fileloc).name, set()).add(dag.dag_id)
    assert found == EXPECTED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_dag_file_is_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_task_body_is_small(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and any("task" in ast.unparse(each) for each in node.decorator_list):
            lines = (node.end_lineno or 0) - node.body[0].lineno + 1
            assert lines <= MOST_TASK_LINES, f"{path.name}: {node.name}"


def test_parsing_reads_no_setting_opens_nothing_and_imports_nothing_heavy(tmp_path: Path) -> None:
    wrong = {"GRADEWAY_HOME": str(tmp_path / "none"), "GRADEWAY_SETTLE_SECONDS": "never", "GRADEWAY_DATABASE_URL": "x"}
    names = [path.stem for path in FILES]
    parsed = subprocess.run(
        [sys.executable, "-c", PARSE, str(DAGS), json.dumps(HEAVY), *names],
        env=os.environ | wrong,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(parsed.stdout.splitlines()[-1]) == {"touched": [], "heavy": []}
    assert not (tmp_path / "none").exists()
