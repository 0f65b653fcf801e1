"""The compose file: valid, complete, and of no use without secrets of one's own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gradeway.settings import Settings

PROJECT = Path(__file__).resolve().parents[1]
FILE = PROJECT / "docker-compose.yaml"
AIRFLOW = ("init", "api-server", "scheduler", "dag-processor", "triggerer")
SECRET = re.compile("PASSWORD|SECRET|FERNET|CONN|DATABASE_URL")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return content


def test_it_is_valid_under_the_compose_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_every_component_of_airflow(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", *AIRFLOW}


@pytest.mark.parametrize("service", AIRFLOW)
def test_the_code_is_mounted_and_importable_everywhere(compose: dict[str, Any], service: str) -> None:
    found = compose["services"][service]
    mounts = {volume.split(":")[-2 if volume.endswith(":ro") else -1] for volume in found["volumes"]}
    assert mounts >= {f"/opt/airflow/{folder}" for folder in ("dags", "plugins", "include", "landing")}
    assert found["environment"]["PYTHONPATH"] == "/opt/airflow/include"


@pytest.mark.parametrize("service", ["postgres", "api-server", "scheduler", "dag-processor", "triggerer"])
def test_every_service_that_stays_has_a_health_check(compose: dict[str, Any], service: str) -> None:
    assert compose["services"][service]["healthcheck"]["test"]


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    built = compose["x-airflow"]["build"]["dockerfile_inline"]
    images = [service["image"] for service in compose["services"].values()] + re.findall("FROM (.*)", built)
    assert all(re.search(r":\d+\.\d+", image) for image in images), images


def test_the_image_has_the_version_of_airflow_that_is_locked(compose: dict[str, Any]) -> None:
    locked = re.search(r"^apache-airflow==(\S+)", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked
    assert f"apache/airflow:{locked[1]}-" in compose["x-airflow"]["build"]["dockerfile_inline"]


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    services = [service.get("environment", {}) for service in compose["services"].values()]
    secrets = {name: value for environment in services for name, value in environment.items() if SECRET.search(name)}
    assert len(secrets) >= 8
    files = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
    assert all(re.search(r"\$\{\w+:\?", value) for name, value in secrets.items() if name != files), secrets


def test_fresh_secrets_are_made_for_every_one_that_is_needed(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((PROJECT / "Makefile").read_text())
    make = shutil.which("make")
    assert make
    subprocess.run([make, "--silent", ".env"], cwd=tmp_path, check=True, capture_output=True)
    made = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    assert set(made) == set(re.findall(r"\$\{(\w+):\?", FILE.read_text()))
    assert all(len(value) > 30 for value in made.values())
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_every_gradeway_variable_is_a_setting(compose: dict[str, Any]) -> None:
    names = compose["x-airflow"]["environment"]
    given = {name.removeprefix("GRADEWAY_").lower() for name in names if name.startswith("GRADEWAY_")}
    assert given
    assert given <= set(Settings.model_fields)
