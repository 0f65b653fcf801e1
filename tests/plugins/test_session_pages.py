"""The desk's pages on exam sessions: what was collected, all of it counted, nothing of it doing anything."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fixtures.desks import Desk
from fixtures.intakes import Site
from fixtures.pages import Seen
from fixtures.sandboxes import Sandbox, running
from gradeway import clock
from gradeway.orchestration import desk as module
from gradeway.store.exams import QUESTIONMARK, Attempt, ExamSession, SessionGroup, SessionSchedule
from loading.world import World
from results.scene import AMARA, FENNA, NAMES, THIRD, Scene

HOSTILE = "<img src=x onerror=alert(1)> & \"'{{ 7*7 }}"
BREAKOUT = "</td></table><script>alert(2)</script>"
LEARNER = "S000417"
BEGIN = datetime(2026, 5, 4, 8, tzinfo=UTC)
LISTS = ("security", "review", "accessibility", "plugins", "report")
SHOWN = module.GROUPS_SHOWN


@pytest.fixture
def desk(airflow_desk: Desk, site: Site) -> Desk:
    """The desk of an installation of the test's own."""
    airflow_desk.show(lambda: site.settings)
    return airflow_desk


def put(site: Site, count: int = 1, *, name: str = "Exam", group: str = "Class A", schedule: int | None = 7) -> None:
    """Put sessions of a group into the store, each with a schedule if a first one is named."""
    blank: dict[str, Any] = {field: [] for field in LISTS} | {"given": {}, "batch_id": 1, "line": 2}
    with site.intake.store.writing() as session:
        of = SessionGroup(name=group, given={}, batch_id=1, line=2)
        session.add(of)
        session.flush()
        for number in range(count):
            text = f"{name} {number}" if count > 1 else name
            start = BEGIN + timedelta(hours=number)
            exam = ExamSession(name=text, group_id=of.id, delivery="D", start_at=start, **blank)
            session.add(exam)
            session.flush()
            if schedule:
                link = {"session_id": exam.id, "schedule_id": schedule + number}
                session.add(SessionSchedule(**link, told={}, synced_at=BEGIN))


def attempt(key: int, **fields: object) -> Attempt:
    """An attempt as it was collected."""
    values = {
        "system": QUESTIONMARK,
        "attempt": str(key),
        "schedule_id": 7,
        "participant": str(key),
        "learner": f"S{key:06}",
        "number": 1,
        "status": 2,
        "total": "41.5",
        "maximum": "60",
        "started_at": BEGIN,
        "finished_at": BEGIN + timedelta(hours=1),
        "seen_at": BEGIN,
    }
    return Attempt(**values | fields)


def take(site: Site, *attempts: Attempt) -> None:
    with site.intake.store.writing() as session:
        session.add_all(attempts)


def table(page: str) -> list[dict[str, str]]:
    """Return the rows of a page's table by its headings."""
    head, *rows = Seen(page).rows
    return [dict(zip(head, row, strict=True)) for row in rows]


# with a sandbox


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("vendor")) as sandbox:
        yield sandbox


@pytest.fixture
def scene(vendor: Sandbox, folder: Path, sqlite_store: str) -> Iterator[Scene]:
    """An installation whose attempts are played in the sandbox and collected from there."""
    with Scene.open(World(folder / "home", sqlite_store, time_zone="Europe/Brussels"), vendor) as made:
        yield made


def test_what_was_played_is_shown_as_it_was_collected(
    airflow_desk: Desk, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow_desk.show(lambda: scene.settings)
    schedule = scene.session("Anatomy 1A")
    scene.take(schedule, AMARA, 42)
    scene.take(schedule, AMARA, 54)
    scene.take(schedule, FENNA, 30, status=3)
    scene.vendor.play(schedule, THIRD, "start")
    assert (
        "Nobody has begun, or nothing was collected yet." in Seen(airflow_desk.get(f"/sessions/{schedule}").text).text
    )
    scene.collect()
    page = airflow_desk.get(f"/sessions/{schedule}").text
    shown = [(row["Learner"], row["Attempt"], row["State"], row["Score"], row["Counts"]) for row in table(page)]
    assert shown == [
        (NAMES[AMARA], "1", "final", "42", ""),
        (NAMES[AMARA], "2", "final", "54", "yes"),
        ("a.vermeulen10", "1", "in progress", "", ""),
        (NAMES[FENNA], "1", "review", "30", "yes"),
    ]
    finished = datetime.strptime(table(page)[0]["Finished"], "%d %b %Y %H:%M").replace(tzinfo=scene.settings.zone)
    assert abs(finished - clock.now()) < timedelta(minutes=5)
    [line] = table(airflow_desk.get("/sessions").text)
    assert (line["Session"], line["Schedule"]) == ("Anatomy 1A", str(schedule))
    assert (line["Attempts"], line["Finished"], line["For review"]) == ("4", "2", "1")
    later = clock.now() + timedelta(days=scene.settings.results_stale_days, hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert [row["State"] for row in table(airflow_desk.get(f"/sessions/{schedule}").text)][2] == "stale"


# how much of it


@pytest.mark.parametrize(("count", "hidden"), [(SHOWN, 0), (SHOWN + 1, 1), (SHOWN + 1234, 1234)])
def test_many_attempts_are_cut_and_it_says_how_many(desk: Desk, site: Site, count: int, hidden: int) -> None:
    put(site)
    take(site, *(attempt(number) for number in range(count)))
    page = desk.get("/sessions/7").text
    assert [row["Learner"] for row in table(page)] == [f"S{number:06}" for number in range(SHOWN)]
    said = Seen(page).text
    assert ("more; gradeway sessions report --schedule 7 has all" in said) == bool(hidden)
    assert not hidden or f"And {hidden:,} more" in said
    [line] = table(desk.get("/sessions").text)
    assert line["Attempts"] == line["Finished"] == f"{count:,}"


def test_many_sessions_are_cut_and_it_says_how_many(desk: Desk, site: Site) -> None:
    put(site, SHOWN + 20)
    page = desk.get("/sessions").text
    first, *_, last = [row["Session"] for row in table(page)]
    assert (len(table(page)), first, last) == (SHOWN, f"Exam {SHOWN + 19}", "Exam 20")
    said = Seen(page).text
    assert f"{SHOWN + 20} sessions stand in the store" in said
    assert "And 20 more. Shown are those that start last" in said


def test_attempts_of_others_are_on_no_page(desk: Desk, site: Site) -> None:
    put(site, 2)
    take(site, attempt(1), attempt(2, schedule_id=8, learner="theirs"), attempt(3, schedule_id=99, learner="nobody's"))
    page = desk.get("/sessions/7").text
    assert [row["Learner"] for row in table(page)] == ["S000001"]
    assert [row["Attempts"] for row in table(desk.get("/sessions").text)] == ["1", "1"]


def test_what_is_not_known_is_left_blank(desk: Desk, site: Site) -> None:
    put(site)
    unknown = dict.fromkeys(("number", "status", "total", "maximum", "started_at", "finished_at"))
    take(site, attempt(1, learner="", **unknown), attempt(2, total="0", maximum="0"))
    none, zero = table(desk.get("/sessions/7").text)
    assert none["Learner"] == "unknown"
    assert [none[name] for name in ("Attempt", "Score", "Of", "Band", "Counts")] == [""] * 5
    assert (zero["Score"], zero["Of"]) == ("0", "0")


def test_a_session_without_a_schedule_has_no_page(desk: Desk, site: Site) -> None:
    assert "No session has landed" in Seen(desk.get("/sessions").text).text
    put(site, schedule=None)
    page = desk.get("/sessions").text
    assert table(page)[0]["Schedule"] == "not yet"
    assert not re.search(r'href="[^"]*/sessions/', page)


@pytest.mark.parametrize("number", ["8", "99999", str(2**31 - 1)])
def test_an_unknown_schedule_is_not_found(desk: Desk, site: Site, number: str) -> None:
    put(site)
    assert f"No session has schedule {number}." in Seen(desk.get(f"/sessions/{number}", 404).text).text


@pytest.mark.parametrize("number", ["0", "-1", str(2**31), "9" * 30, "seven", "7%00", "..%2f7", "7'--"])
def test_a_number_that_is_none_is_refused(desk: Desk, site: Site, number: str) -> None:
    put(site)
    answer = desk.viewer.get(f"/gradeway/sessions/{number}")
    assert answer.status_code in {404, 422}
    assert "No such page" in answer.text


# harmlessness


@pytest.mark.parametrize("payload", [HOSTILE, BREAKOUT])
def test_hostile_names_on_session_pages_do_nothing(desk: Desk, site: Site, payload: str) -> None:
    put(site, name=payload, group=payload)
    take(site, attempt(1, learner=payload, band=payload))
    for path in ("/sessions", "/sessions/7"):
        page = desk.get(path).text
        seen = Seen(page)
        assert payload not in page
        assert not {"img"} & seen.tags
        assert page.count("<script") == 1  # our own, in the head
        assert [row[name] for row in table(page) for name in ("Session", "Learner") if name in row] == [payload]
        assert not [name for _, name, _ in seen.attributes if name.startswith("on") or name == "style"]
    assert payload in Seen(desk.get("/sessions/7").text).text


def test_learners_are_on_the_page_of_their_session_alone(
    desk: Desk, site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(site)
    take(site, attempt(1, learner=LEARNER, band="Pass"))
    with caplog.at_level(logging.DEBUG, "gradeway"):
        answer = desk.get("/sessions/7")
        assert LEARNER in answer.text
        assert answer.headers["cache-control"] == "no-store"
        for path, status in (("/", 200), ("/parked", 200), ("/sessions", 200), ("/sessions/8", 404)):
            assert LEARNER not in desk.get(path, status).text
        for who in (desk.nobody, desk.stranger):
            assert LEARNER not in who.get("/gradeway/sessions/7").text
        monkeypatch.setattr(module.results, "lines", lambda *_, **__: {}[LEARNER])
        assert LEARNER not in desk.get("/sessions/7", 500).text
    assert LEARNER not in caplog.text
