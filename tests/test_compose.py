"""The compose file: valid, complete, and of no use without secrets of one's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from gradeway.orchestration.alerts import ALERTS_CONNECTION
from gradeway.orchestration.stand_ins import vendors
from gradeway.sessions.sync import administrator
from gradeway.settings import Settings, load
from gradeway.vendors.assessmentq import CONNECTION as ASSESSMENTQ
from gradeway.vendors.assessmentq import AssessmentQ
from gradeway.vendors.connection import Endpoint, from_fields, variable
from gradeway.vendors.learn import CONNECTION as LEARN
from gradeway.vendors.learn import Learn, make_pace
from gradeway.vendors.questionmark import CONNECTION, Questionmark

PROJECT = Path(__file__).resolve().parents[1]
FILE = PROJECT / "docker-compose.yaml"
AIRFLOW = ("init", "api-server", "scheduler", "dag-processor", "triggerer")
SANDBOXES = {f"sandbox-{each.vendor}": each for each in vendors()}
TRIAL = (*SANDBOXES, "sandbox-init")
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
    assert set(compose["services"]) == {"postgres", *AIRFLOW, *TRIAL}


@pytest.mark.parametrize("service", AIRFLOW)
def test_the_code_is_mounted_and_importable_everywhere(compose: dict[str, Any], service: str) -> None:
    found = compose["services"][service]
    mounts = {volume.split(":")[-2 if volume.endswith(":ro") else -1] for volume in found["volumes"]}
    assert mounts >= {f"/opt/airflow/{folder}" for folder in ("dags", "plugins", "include", "landing", "mappings")}
    assert found["environment"]["PYTHONPATH"] == "/opt/airflow/include"


@pytest.mark.parametrize("service", ["postgres", *AIRFLOW[1:], *SANDBOXES])
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
    given = {name: value for name, value in secrets.items() if value is not None and name != files}
    assert all(re.search(r"\$\{\w+:\?", value) for value in given.values()), given


def test_fresh_secrets_are_made_for_every_one_that_is_needed(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text((PROJECT / "Makefile").read_text())
    make = shutil.which("make")
    assert make
    subprocess.run([make, "--silent", ".env"], cwd=tmp_path, check=True, capture_output=True)
    made = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    assert set(made) == set(re.findall(r"\$\{(\w+):\?", FILE.read_text()))
    assert all(len(value) > 30 for value in made.values())
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("service", AIRFLOW)
def test_every_setting_and_connection_can_be_given(compose: dict[str, Any], service: str) -> None:
    environment = compose["services"][service]["environment"]
    # The home only says where store and landing zone are unless they are named, and both are.
    settings = {f"GRADEWAY_{name.upper()}" for name in Settings.model_fields if name != "home"}
    ours = {name for name in environment if name.startswith("GRADEWAY_")} - {"GRADEWAY_ADMIN_PASSWORD"}
    assert ours == settings
    connections = {variable(name) for name in (CONNECTION, ASSESSMENTQ, LEARN, ALERTS_CONNECTION)}
    assert {name for name in environment if name.startswith("AIRFLOW_CONN_")} == connections
    handed_on = {name for name in settings | connections if environment[name] is None}
    assert settings | connections == handed_on | {"GRADEWAY_LANDING", "GRADEWAY_DATABASE_URL"}
    assert environment["GRADEWAY_DATABASE_URL"].startswith("${GRADEWAY_DATABASE_URL:-")


def test_a_variable_left_blank_is_a_default(compose: dict[str, Any]) -> None:
    blank = dict.fromkeys(compose["x-settings"], "")
    assert load(blank) == load({})


def test_every_volume_that_is_named_is_declared(compose: dict[str, Any]) -> None:
    mounts = [volume for service in compose["services"].values() for volume in service["volumes"]]
    sources = {re.sub(r"\$\{\w+:-(.*?)\}", r"\1", volume).split(":")[0] for volume in mounts}
    assert {source for source in sources if not source.startswith(".")} == set(compose["volumes"])


def test_the_sandbox_starts_only_when_asked_for(compose: dict[str, Any]) -> None:
    services = compose["services"]
    profiles = {name: service["profiles"] for name, service in services.items() if "profiles" in service}
    assert profiles == {name: ["sandbox"] for name in TRIAL}
    needed = {other for name in ("postgres", *AIRFLOW) for other in services[name].get("depends_on", {})}
    assert not needed & set(TRIAL)


@pytest.fixture(scope="module", params=SANDBOXES)
def sandbox(
    request: pytest.FixtureRequest, compose: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """A sandbox's own command and environment as a plain process, on a free port; yields its service and origin."""
    service = compose["services"][request.param]
    data = tmp_path_factory.mktemp("sandbox")
    port = str(SANDBOXES[request.param].port)
    here = {"python": sys.executable, port: "0", "/opt/airflow/sandbox": str(data)}
    command = [here.get(word, word) for word in service["entrypoint"] + service["command"]]
    environment = {"PATH": os.environ["PATH"], **service["environment"], "PYTHONPATH": str(PROJECT / "include")}
    with subprocess.Popen(command, cwd=data, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            ready = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert ready
            assert list(data.iterdir())
            yield request.param, ready[0]
        finally:
            process.terminate()
    assert process.returncode == 0


def probe(endpoint: Endpoint) -> object:
    """Ask a vendor something that only who is logged in may ask."""
    if endpoint.connection.startswith(CONNECTION):
        with Questionmark(endpoint) as client:
            return client.schedulable(administrator(load({}), endpoint))
    if endpoint.connection.startswith(ASSESSMENTQ):
        with AssessmentQ(endpoint) as hall:
            return list(hall.sittings())
    with Learn(endpoint, pace=make_pace(endpoint)) as site:
        return site.probe()


def test_a_sandbox_answers_the_connection_that_is_made_for_it(
    compose: dict[str, Any], sandbox: tuple[str, str], tmp_path: Path
) -> None:
    service, origin = sandbox
    lines = compose["services"]["sandbox-init"]["command"][0].splitlines()
    [makes] = [line for line in lines if line.startswith("python")]
    made = subprocess.run(
        [sys.executable, *makes.split(" > ")[0].split()[1:]], check=True, capture_output=True, cwd=tmp_path
    )
    connections = json.loads(made.stdout)
    assert len(connections) == len(SANDBOXES)
    name = SANDBOXES[service].connection
    assert str(connections[name]["port"]) in compose["services"][service]["command"]
    assert probe(from_fields(name, **connections[name] | {"port": origin.rpartition(":")[2]}))


def test_the_health_check_of_a_sandbox_asks_what_it_answers(compose: dict[str, Any], sandbox: tuple[str, str]) -> None:
    service, origin = sandbox
    url = compose["services"][service]["healthcheck"]["test"][-1]
    asked = url.replace(f"http://127.0.0.1:{SANDBOXES[service].port}", origin)
    assert requests.get(asked, timeout=30).status_code == 200


@pytest.mark.parametrize("service", SANDBOXES)
def test_a_sandbox_gets_no_secret(compose: dict[str, Any], service: str) -> None:
    assert set(compose["services"][service]["environment"]) == {"PYTHONPATH"}
