"""`gradeway sessions`: what a person sees and gets, against a sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fixtures.sandboxes import Sandbox, running
from gradeway.cli import main
from gradeway.store.engine import Store
from sessions.exams import change, hours, put, session

Run = Callable[..., Result]
GROUP = "Nursing 1A"


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_haste: None) -> Iterator[Sandbox]:
    with running(tmp_path) as made:
        connection = {
            "conn_type": "http", "host": made.url, "login": "sandbox", "password": "sandbox",
            "extra": {"administrator": 101},
        }  # fmt: skip
        monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_QUESTIONMARK", json.dumps(connection))
        yield made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, store: Store, tmp_path: Path, sandbox: Sandbox) -> Run:
    monkeypatch.setenv("GRADEWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRADEWAY_DATABASE_URL", store.url)
    monkeypatch.delenv("COLUMNS", raising=False)
    assert sandbox.url
    return lambda *arguments: CliRunner().invoke(main, ["sessions", *arguments])


def document(result: Result) -> dict[str, Any]:
    assert result.stderr == ""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def exams(store: Store, *names: str, **fields: Any) -> None:  # noqa: ANN401  the fields of a session
    put(store, *(session(name, delivery="Anatomy midterm", **fields) for name in names), of=GROUP)


def waiting() -> list[str]:
    told = json.loads(CliRunner().invoke(main, ["status", "--format", "json"]).stdout)
    return [item["what"] for item in told["attention"] if "approval" in item["what"]]


def test_plan_then_apply_its_hash(run: Run, store: Store, sandbox: Sandbox) -> None:
    exams(store, "One", "Two", plugins=["print"])
    shown = run("plan")
    assert shown.exit_code == 0, shown.output
    plan = document(run("plan", "--format", "json"))
    assert plan["hash"] in shown.stdout
    assert "to do it: gradeway sessions apply" in shown.stdout
    assert {key: number for key, number in plan["counts"].items() if number} == {"create": 2, "metadata": 2}
    assert [each["code"] for each in plan["not_enforced"]] == ["NOT_ENFORCED"] * 2
    assert sandbox.get("Schedules")["value"] == []
    applied = document(run("apply", plan["hash"], "--format", "json"))
    assert applied["outcomes"] == {"CREATED": 4}
    assert len(sandbox.get("Schedules")["value"]) == 2
    again = run("apply", "--now")
    assert (again.exit_code, again.stdout) == (0, "2 sessions unchanged\n")


def test_a_hash_of_yesterday_is_refused_and_the_new_one_told(run: Run, store: Store) -> None:
    exams(store, "One")
    old = document(run("plan", "--format", "json"))["hash"]
    change(store, "One", start_at=hours(1))
    refused = run("apply", old)
    new = document(run("plan", "--format", "json"))["hash"]
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert new in refused.stderr
    assert run("apply", new).exit_code == 0


def test_what_is_not_told_is_shown_with_its_remedy(run: Run, store: Store) -> None:
    put(store, session("Wrong", delivery="Nothing"), of=GROUP)
    shown = run("plan")
    assert shown.exit_code == 1
    assert all(text in shown.stdout for text in ("Wrong", "ASSESSMENT_UNKNOWN", "GRADEWAY_SESSIONS_DELIVERIES_FILE"))
    (problem,) = document(run("plan", "--format", "json"))["problems"]
    assert (problem["session"], problem["outcome"], problem["detail"]) == ("Wrong", "REJECTED", "Nothing")
    applied = run("apply", "--now")
    assert applied.exit_code == 1
    assert "1 session not told: gradeway sessions plan" in applied.stdout


def test_the_brake_and_an_approval(run: Run, store: Store, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWAY_SESSIONS_BRAKE_COUNT", "1")
    exams(store, "One", "Two")
    assert run("apply", "--now").exit_code == 0
    for name in ("One", "Two"):
        assert run("withdraw", name).exit_code == 0
    shown = run("plan")
    plan = document(run("plan", "--format", "json"))
    assert (shown.exit_code, plan["brake"]["held"], plan["brake"]["disabled_or_moved"]) == (1, plan["hash"], 2)
    assert f"gradeway sessions apply --approve {plan['hash']} --reason TEXT" in shown.stdout
    refused, rest = run("apply", plan["hash"]), run("apply", "--now")
    assert (refused.exit_code, rest.exit_code) == (1, 1)
    assert "needs a person's approval" in refused.stderr
    assert f"gradeway sessions apply --approve {plan['hash']} --reason TEXT" in rest.stdout
    assert document(run("apply", "--now", "--format", "json"))["held"] == plan["hash"]
    assert waiting() == ["2 changes of exams wait for approval"]
    assert run("apply", "--approve", plan["hash"], "--reason", "term is over").exit_code == 0
    assert waiting() == []
    assert [each["Disabled"] for each in sandbox.get("Schedules")["value"]] == [True, True]


def test_withdraw_and_undo(run: Run, store: Store) -> None:
    exams(store, "One")
    assert document(run("withdraw", "One", "--format", "json")) == {"session": "One", "withdrawn": True}
    assert "no longer withdrawn" in run("withdraw", "One", "--undo").stdout
    missing = run("withdraw", "Another")
    assert (missing.exit_code, missing.stderr) == (1, "gradeway: there is no session Another\n")


@pytest.mark.parametrize(
    "arguments",
    [(), ("abc", "--now"), ("--now", "--approve", "abc"), ("--approve", "abc"), ("--now", "--reason", "x")],
)
def test_apply_wants_to_know_what(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(main, ["sessions", "apply", *arguments]).exit_code == 2


def test_approving_what_was_never_planned_is_refused(run: Run) -> None:
    refused = run("apply", "--approve", "0" * 64, "--reason", "x")
    assert refused.exit_code == 1
    assert "there is no plan" in refused.stderr


def test_without_an_administrator_it_says_what_to_set(
    run: Run, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    uri = f"http://sandbox:sandbox@{sandbox.url.removeprefix('http://').rstrip('/')}"
    monkeypatch.setenv("AIRFLOW_CONN_GRADEWAY_QUESTIONMARK", uri)
    refused = run("plan")
    assert refused.exit_code == 2
    assert "GRADEWAY_QUESTIONMARK_ADMINISTRATOR" in refused.stderr
    monkeypatch.setenv("GRADEWAY_QUESTIONMARK_ADMINISTRATOR", "101")
    assert run("plan").exit_code == 0
