"""The desk's page on offline exams: what waits, what needs a person, whose results are missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fixtures.desks import Desk
from fixtures.intakes import Site
from fixtures.pages import Seen
from gradeway import clock
from gradeway.custody import ledger
from gradeway.orchestration import desk as module
from gradeway.store.custody import ExpectedSitting, FileState, ResultFile

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def desk(airflow_desk: Desk, site: Site, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The desk of an installation of the test's own."""
    airflow_desk.show(lambda: site.settings)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    return airflow_desk


def file(place: str, state: FileState, **more: object) -> ResultFile:
    values = {"folder": "/exams", "size": 1, "modified_ns": 1, "found_at": NOW, "sha256": "", "detail": ""}
    return ResultFile(**values | {"place": place, "state": state} | more)


def sitting(learner: str, state: str, days: float = 0, **more: object) -> ExpectedSitting:
    since = NOW - days * DAY if days else None
    return ExpectedSitting(
        **{"exam": "1", "learner": learner, "state": state, "since": since, "listed_at": NOW, "compared_at": NOW} | more
    )


def put(site: Site, *rows: ResultFile | ExpectedSitting) -> None:
    with site.intake.store.writing() as session:
        session.add_all(rows)


def test_it_says_how_to_begin(desk: Desk, site: Site) -> None:
    assert site.intake.store
    assert "Drop .aqr files into the inbox aqr" in Seen(desk.get("/offline").text).text


def test_files_that_are_not_sent_are_counted(desk: Desk, site: Site) -> None:
    (inbox := site.settings.landing / "inbox/aqr").mkdir(parents=True, exist_ok=True)
    (inbox / "exam.bak").touch()
    assert "1 other file in the inbox aqr" in Seen(desk.get("/offline").text).text


def test_what_waits_and_what_came(desk: Desk, site: Site) -> None:
    put(site, file("a.aqr", FileState.WAITING, waiting_since=NOW - 2 * DAY), file("b.aqr", FileState.SENT))
    put(site, file("c.aqr", FileState.FINAL), file("d.aqr", FileState.KEPT, kept_as="/exams/d.bak"))
    ledger.reach(site.intake.store, online=False, detail="it cannot be reached")
    said = Seen(desk.get("/offline").text).text
    assert "1 file waits the oldest since 18 Jun 12:00" in said
    assert "1 sent, exam going on offline since 20 Jun 12:00, as last seen 20 Jun 12:00: it cannot be reached" in said
    assert "2 received with the exam finished 1 put away" in said
    assert "nobody says who is expected" in said
    assert "Files to look at" not in said


def test_whose_results_are_missing(desk: Desk, site: Site) -> None:
    put(site, sitting("S1", "received"), sitting("S2", "missing", 3), sitting("S4", "expected"))
    put(site, sitting("S3", "unfinished", 11, access_code="CODE3"))
    seen = Seen(desk.get("/offline").text)
    assert "2 missing or unfinished 1 for more than 10 days" in seen.text
    head, *rows = seen.rows
    assert [dict(zip(head, row, strict=True))["Learner"] for row in rows] == ["S3", "S2"]
    assert rows[0] == ["4", "1", "S3", "CODE3", "unfinished", "09 Jun 2026 12:00"]
    assert "dismissed" not in seen.text


def test_what_came_due_since_it_was_compared_is_missing_and_what_nobody_awaits_is_counted(
    desk: Desk, site: Site
) -> None:
    compared = {"compared_at": NOW - 2 * DAY}
    put(site, sitting("S1", "expected", 1, **compared), sitting("S2", "missing", 700, **compared))
    put(site, sitting("S3", "missing", 20, dismissed_at=NOW, reason="stayed away", **compared))
    put(site, sitting("S4", "expected", -1, **compared))
    seen = Seen(desk.get("/offline").text)
    assert "1 missing or unfinished 0 for more than 10 days, 1 past, 1 dismissed" in seen.text
    assert "As last compared on 18 Jun 2026 12:00" in seen.text
    assert [row[2:5] for row in seen.rows[1:]] == [["S1", "", "missing"]]


def test_more_than_fits_is_counted(desk: Desk, site: Site) -> None:
    put(site, *(sitting(f"S{number:04}", "missing", 1) for number in range(module.GROUPS_SHOWN + 7)))
    seen = Seen(desk.get("/offline").text)
    assert len(seen.rows) == module.GROUPS_SHOWN + 1
    assert "And 7 more. Shown are those that are missing longest" in seen.text


def test_files_that_need_a_person_and_hostile_names(desk: Desk, site: Site) -> None:
    put(site, file(f"{HOSTILE}.aqr", FileState.REFUSED, detail=HOSTILE), sitting(HOSTILE, "missing", 1, exam=HOSTILE))
    page = desk.get("/offline").text
    seen = Seen(page)
    assert HOSTILE not in page
    assert "img" not in seen.tags
    assert page.count("<script") == 1
    assert f"{HOSTILE}.aqr" in seen.text


def test_only_who_may_read_the_dags_sees_it(desk: Desk, site: Site) -> None:
    put(site, sitting("S000417", "missing", 1))
    assert "S000417" in desk.get("/offline").text
    for who in (desk.nobody, desk.stranger):
        answer = who.get("/gradeway/offline")
        assert answer.status_code in {401, 403}
        assert "S000417" not in answer.text
