"""The plugin's file: what Airflow's loader sees of the folder, and what it costs every process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from airflow._shared.module_loading import find_path_from_directory
from airflow.dag_processing.dagbag import DagBag

from fixtures.desks import Desk
from gradeway.orchestration.desk import INTAKE_DAG
from gradeway.settings import PROJECT

PLUGINS = PROJECT / "plugins"
HEAVY = ("gradeway.orchestration.desk", "gradeway.intake", "gradeway.feeds", "pandas", "pandera")


def test_the_loader_sees_plugin_files_only(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    shutil.copytree(PLUGINS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "templates").mkdir()
    for decoy in ("helper.py", "__init__.py", "templates/thing.py", "templates/inner_plugin.py"):
        (folder / decoy).write_text("raise RuntimeError")
    found = {Path(path).relative_to(folder).name for path in find_path_from_directory(folder, ".airflowignore", "glob")}
    assert {name for name in found if name.endswith(".py")} == {"gradeway_plugin.py"}


def test_the_plugin_costs_other_processes_next_to_nothing() -> None:
    code = f"""
import sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
assert not errors, errors
assert "gradeway" in [plugin.name for plugin in plugins]
print("loaded:", *[name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_the_navigation_leads_to_the_desk(desk: Desk) -> None:
    answer = desk.viewer.get("/api/v2/plugins")
    assert answer.status_code == 200
    mine = next(plugin for plugin in answer.json()["plugins"] if plugin["name"] == "gradeway")
    view = mine["external_views"][0]
    assert (view["destination"], view["url_route"]) == ("nav", "gradeway")
    assert desk.viewer.get(f"/{view['href'].lstrip('/')}").status_code == 200


def test_access_is_judged_by_a_dag_that_exists() -> None:
    assert INTAKE_DAG in DagBag(str(PROJECT / "dags")).dags
