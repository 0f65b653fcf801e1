"""Expected against received: whose result is missing, since when, and who says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from custody.conftest import TwoClocks
from custody.pcs import MakePc, Pc, client_of
from fixtures.sandboxes import Hall, running_hall
from gradeway import clock
from gradeway.custody import expected, overview
from gradeway.custody.expected import ENDLESS, LATECOMERS, UNHEARD, Sign, Signs
from gradeway.custody.overview import Standing
from gradeway.errors import SettingsError, VendorAwayError
from gradeway.results.offline import collect
from gradeway.settings import Settings
from gradeway.store.custody import ExpectedSitting
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import Sitting
from vendors.profiles import DROPPED

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LISTED = NOW - 19 * DAY
Lines = list[tuple[str, str, datetime | None]]


def sitting(learner: str = "S1", exam: str = "E", **more: object) -> Sitting:
    return Sitting(**{"id": f"{learner}-{exam}", "exam": exam, "learner": learner} | more)


def judged(each: Sitting, *signs: tuple[Sign, str, str, str]) -> tuple[str, datetime | None]:
    found = Signs()
    for sign, *what in signs:
        found.add(sign, *what)
    return found.judge(each, NOW, LISTED)


def test_nobody_is_missing_for_weeks_before_anything_of_the_exam_came() -> None:
    assert judged(sitting()) == ("expected", LISTED + UNHEARD)
    another = (Sign(NOW, is_final=True), "x", "another exam", "S1")
    assert judged(sitting(), another) == ("expected", LISTED + UNHEARD)


def test_others_of_the_exam_make_somebody_missing_since_the_first_of_them() -> None:
    others = [(Sign(NOW - days * DAY), f"S{days}-E", "E", f"S{days}") for days in (2, 5, 3)]
    assert judged(sitting("S9"), *others) == ("missing", NOW - 5 * DAY)


def test_the_end_of_an_exam_makes_somebody_missing() -> None:
    assert judged(sitting(due_at=NOW - DAY)) == ("missing", NOW - DAY)
    assert judged(sitting(due_at=NOW + DAY)) == ("expected", NOW + DAY)


@pytest.mark.parametrize("due", [NOW + 10 * DAY, NOW - DAY], ids=str)
def test_a_code_that_is_valid_for_weeks_keeps_nobody_from_being_missing(due: datetime) -> None:
    early = (Sign(NOW - 18 * DAY), "S2-E", "E", "S2")
    assert judged(sitting(due_at=due), early) == ("missing", NOW - 18 * DAY + LATECOMERS)
    assert judged(sitting(due_at=NOW - 17 * DAY), early) == ("missing", NOW - 17 * DAY)
    today = (Sign(NOW), "S2-E", "E", "S2")
    assert judged(sitting(due_at=NOW + 10 * DAY), today) == ("expected", NOW + LATECOMERS)


def test_a_day_that_is_sure_comes_before_what_others_did() -> None:
    found = Signs(days_are_sure=True)
    found.add(Sign(NOW - 18 * DAY), "S2-E", "E", "S2")
    assert found.judge(sitting(due_at=NOW + 10 * DAY), NOW, LISTED) == ("expected", NOW + 10 * DAY)
    assert found.judge(sitting(), NOW, LISTED) == ("missing", NOW - 18 * DAY)


@pytest.mark.parametrize("due", [None, NOW + 10 * DAY, NOW - DAY], ids=str)
def test_something_without_an_end_is_unfinished_since_it_last_came_whatever_the_day(due: datetime | None) -> None:
    signs = [(Sign(NOW - days * DAY), "S1-E", "E", "S1") for days in (19, 18)]
    assert judged(sitting(due_at=due), *signs) == ("unfinished", NOW - 18 * DAY)


def test_the_finished_exam_is_all_that_is_expected_whichever_came_first() -> None:
    for order in (1, -1):
        signs = [(Sign(NOW, is_final=True), "S1-E", "E", "S1"), (Sign(NOW), "S1-E", "E", "S1")][::order]
        assert judged(sitting(due_at=NOW - DAY), *signs) == ("received", None)


def test_who_has_no_sitting_is_known_by_exam_and_learner() -> None:
    final = (Sign(NOW, is_final=True), "77", "E", "S1")
    assert judged(sitting(id="", due_at=NOW - DAY), final) == ("received", None)
    assert judged(sitting("S2", id="", due_at=NOW - DAY), final) == ("missing", NOW - DAY)


@pytest.mark.parametrize(("came", "state"), [(True, "received"), (False, "unfinished")])
def test_what_came_of_one_sitting_says_nothing_about_another_of_the_same_exam(came: bool, state: str) -> None:
    first = (Sign(NOW - 3 * DAY, is_final=came), "A", "E", "S1")
    assert judged(sitting(id="A"), first)[0] == state
    assert judged(sitting(id="B"), first) == ("missing", NOW - 3 * DAY)
    assert judged(sitting(id=""), first)[0] == state  # a roster says no more than exam and learner
    unnamed = (Sign(NOW - 3 * DAY, is_final=came), "", "E", "S1")
    assert judged(sitting(id="B"), unnamed)[0] == state


def test_what_came_of_an_exam_years_ago_makes_nobody_of_this_year_late() -> None:
    years_ago = (Sign(NOW - 700 * DAY, is_final=True), "old", "E", "S2")
    assert judged(sitting(), years_ago) == ("missing", LISTED)
    assert judged(sitting(due_at=LISTED + DAY), years_ago) == ("missing", LISTED + DAY)


# --- the roster ---


def roster(folder: Path, content: str) -> str:
    path = folder / "roster.csv"
    path.write_text(content, encoding="utf-8")
    return str(path)


def read(path: str, zone: str = "Europe/Brussels") -> list[Sitting]:
    return expected.read_roster(path, Settings(sessions_time_zone=zone).sessions_zone)


def test_a_roster_is_read(tmp_path: Path) -> None:
    path = roster(
        tmp_path, "learner,exam,until,access_code\nS1,E,2026-06-30,ABC\nS2,E,2026-06-30T10:00:00+02:00,\nS3,F,,\n"
    )
    first, second, third = read(path)
    assert (first.exam, first.learner, first.access_code, first.id) == ("E", "S1", "ABC", "")
    assert first.due_at == datetime(2026, 6, 30, 21, 59, 59, 999999, tzinfo=UTC)  # the end of that day in Brussels
    assert second.due_at == datetime(2026, 6, 30, 8, tzinfo=UTC)
    assert third.due_at is None
    assert read("") == []


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("exam\nE\n", "first line"),
        ("exam,learner\n", "names nobody"),
        ("exam,learner,seat\nE,S1,4\n", "first line"),
        ("exam,learner\nE,S1\nE,\n", "line 3"),
        ("exam,learner,until\nE,S1,30/06/2026\n", "line 2"),
        ("exam,learner,until\nE,S1,2026-06-30T10:00:00\n", "line 2"),
        ("exam,learner,until\nE,S1,soon\n", "line 2"),
        ("exam,learner\nE,S1,2026-06-30\n", "line 2"),
    ],
)
def test_a_wrong_roster_is_refused_by_line(tmp_path: Path, content: str, what: str) -> None:
    with pytest.raises(SettingsError, match=f"GRADEWAY_AQR_ROSTER_FILE cannot be used: .*{what}"):
        read(roster(tmp_path, content))


# --- against a server ---


@pytest.fixture
def school(tmp_path: Path) -> Iterator[Hall]:
    """A server that expects three of one exam, and one of another that was over yesterday."""
    over = (clock.now() - DAY).isoformat()
    seed = {
        "Exams": [{"id": "1", "name": "Anatomy"}, {"id": "2", "name": "Latin"}],
        "Participants": [{"id": f"S{number}"} for number in range(1, 5)],
        "Sittings": [{"exam": "1", "participant": f"S{number}"} for number in range(1, 4)]
        + [{"exam": "2", "participant": "S4", "accessCode": "LATIN4", "availableTo": over}],
    }
    with running_hall(tmp_path, seed) as hall:
        yield hall


@pytest.fixture
def here(school: Hall, folder: Path, empty_store: str) -> Iterator[Pc]:
    """Its collected files."""
    with client_of(school) as client:
        pc = Pc(school, Store(empty_store), folder / "collected", client)
        yield pc
        pc.store.engine.dispose()


def compared(pc: Pc, **given: object) -> Lines:
    """What came of everybody, as the store has it after a comparison."""
    settings = Settings.model_validate({"home": pc.folder} | given)
    counts = expected.compare(pc.store, pc.client, settings)
    with pc.store.session() as session:
        order = (ExpectedSitting.exam, ExpectedSitting.learner)
        found = list(session.scalars(select(ExpectedSitting).order_by(*order)))
    assert sum(counts.values()) == len(found)
    return [(each.learner, each.state, each.since) for each in found]


def told(pc: Pc, settings: Settings) -> Standing:
    """What a person is told, without anything being compared."""
    with pc.store.session() as session:
        return overview.standing(session, settings)


def states(lines: Lines) -> dict[str, str]:
    return {learner: state for learner, state, _ in lines}


def test_the_server_says_who_is_expected(here: Pc, school: Hall) -> None:
    assert states(compared(here)) == {"S1": "expected", "S2": "expected", "S3": "expected", "S4": "missing"}
    here.play("S1-1", "start", "finish", place="1.aqr", score=7, max=10)
    here.play("S2-1", "start", place="2.aqr")
    here.go_on()
    lines = compared(here)
    assert states(lines) == {"S1": "received", "S2": "unfinished", "S3": "missing", "S4": "missing"}
    since = {learner: moment for learner, _, moment in lines}
    assert since["S3"]
    assert abs(clock.now() - since["S3"]) < timedelta(minutes=5)
    here.play("S2-1", "finish", place="2.aqr")
    here.go_on()
    assert states(compared(here))["S2"] == "received"


def test_what_came_by_another_route_counts(here: Pc, school: Hall) -> None:
    school.play("S1-1", "start")
    assert school.upload(school.play("S1-1", "finish", score=7, max=10)).status_code == 201
    assert states(compared(here))["S1"] == "unfinished"  # as far as a list of sittings tells
    assert states(compared(here))["S3"] == "missing"
    collect(here.store, here.client, Settings(home=here.folder))
    assert states(compared(here))["S1"] == "received"


def test_a_roster_comes_before_the_server(here: Pc, tmp_path: Path) -> None:
    here.play("S1-1", "start", "finish", place="1.aqr", score=7, max=10)
    here.go_on()
    collect(here.store, here.client, Settings(home=here.folder))
    path = roster(tmp_path, "exam,learner,until\n1,S1,2020-01-01\n1,S9,2020-01-01\n1,S8,2099-01-01T00:00:00Z\n")
    lines = compared(here, aqr_roster_file=path)
    assert states(lines) == {"S1": "received", "S9": "missing", "S8": "expected"}
    # the day of a roster is that of its exam, whatever came of others
    assert {since for learner, _, since in lines if learner == "S8"} == {datetime(2099, 1, 1, tzinfo=UTC)}


def test_an_exam_that_nothing_ever_came_of_is_missing_in_the_end(
    sqlite_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, settings = (
        Store(sqlite_store),
        Settings(home=tmp_path, aqr_roster_file=roster(tmp_path, "exam,learner\nE,S1\n")),
    )
    listed = clock.now()
    found = []
    for days in (0, 19, 20, 25, 31):
        monkeypatch.setattr(clock, "now", lambda days=days: listed + days * DAY)
        counts = expected.compare(store, None, settings)
        with store.session() as session:
            found.append((*counts, overview.standing(session, settings).overdue))
    assert found == [("expected", 0), ("expected", 0), ("missing", 0), ("missing", 0), ("missing", 1)]
    store.engine.dispose()


def test_nobody_says_who_is_expected(make_pc: MakePc, sqlite_store: str) -> None:
    pc = make_pc(sqlite_store, sittings_path=DROPPED, sitting_fields=DROPPED)
    with pytest.raises(SettingsError, match=r"GRADEWAY_AQR_ROSTER_FILE.*sittings_path"):
        compared(pc)


def test_a_server_that_is_away_leaves_the_last_comparison(here: Pc, school: Hall) -> None:
    before = compared(here)
    school.network(online=False)
    with pytest.raises(VendorAwayError):
        compared(here)
    with here.store.session() as session:
        assert len(list(session.scalars(select(ExpectedSitting)))) == len(before) == 4


def test_what_lacks_for_too_long_is_told(
    one_pc: Pc, hall: Hall, sitting: str, passing: TwoClocks, tmp_path: Path
) -> None:
    path = roster(tmp_path, f"exam,learner,until\n1,{sitting[:6]},{passing.now():%Y-%m-%d}\n1,X,2027-01-01\n")
    settings = Settings(home=tmp_path, aqr_roster_file=path)
    one_pc.play(sitting, "start")
    one_pc.note()

    def standing() -> tuple[int, bool]:
        expected.compare(one_pc.store, one_pc.client, settings)
        with one_pc.store.session() as session:
            found = overview.standing(session, settings)
        return found.overdue, found.late

    assert standing() == (0, False)
    passing.pass_by(10 * 86_400 + 1)
    assert standing() == (0, True)  # unsent since its first look, and expected until the end of that day
    passing.pass_by(86_400)
    assert standing() == (1, True)
    one_pc.play(sitting, "finish")
    one_pc.go_on()
    assert standing() == (1, False)  # by exam and learner it is known with its result
    collect(one_pc.store, one_pc.client, settings)
    assert standing() == (0, False)


@pytest.fixture
def years(empty_store: str, folder: Path, tmp_path: Path) -> Iterator[Pc]:
    """A school with two sittings of 2024 that nothing came of, one of now, and one learner who sits an exam twice."""
    due = [datetime(2024, 6, 30, tzinfo=UTC), clock.now() + DAY]
    seed = {
        "Exams": [{"id": "1", "name": "Anatomy"}, {"id": "2", "name": "Latin"}],
        "Participants": [{"id": f"S{number}"} for number in range(1, 4)],
        "Sittings": [
            *({"exam": "1", "participant": f"S{each}", "availableTo": due[0].isoformat()} for each in (1, 2)),
            {"exam": "1", "participant": "S3", "availableTo": due[1].isoformat()},
            *({"id": name, "exam": "2", "participant": "S1"} for name in ("A", "B")),
        ],
    }
    with running_hall(tmp_path, seed) as hall, client_of(hall) as client:
        pc = Pc(hall, Store(empty_store), folder / "collected", client)
        yield pc
        pc.store.engine.dispose()


def test_a_second_sitting_is_missing_although_the_first_one_came(years: Pc) -> None:
    years.play("A", "start", "finish", score=1, max=2)
    years.go_on()
    collect(years.store, years.client, Settings(home=years.folder))
    compared(years)
    with years.store.session() as session:
        latin = select(ExpectedSitting.sitting, ExpectedSitting.state).where(ExpectedSitting.exam == "2")
        assert dict(session.execute(latin).tuples().all()) == {"A": "received", "B": "missing"}


def test_what_lacks_since_years_is_counted_apart_and_told_no_more(years: Pc) -> None:
    settings = Settings(home=years.folder)
    assert expected.compare(years.store, years.client, settings) == {"past": 2, "expected": 3}
    found = told(years, settings)
    assert (found.expected, found.overdue) == ({"past": 2, "expected": 3}, 0)
    patient = Settings(home=years.folder, aqr_past_days=3650)
    assert (told(years, patient).expected["missing"], told(years, patient).overdue) == (2, 2)


def test_what_is_due_is_told_though_the_server_was_away_ever_since(years: Pc, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, now = Settings(home=years.folder), clock.now()
    expected.compare(years.store, years.client, settings)
    years.hall.network(online=False)
    monkeypatch.setattr(clock, "now", lambda: now + 10 * DAY)
    early = told(years, settings)
    assert (early.expected, early.overdue) == ({"past": 2, "expected": 2, "missing": 1}, 0)
    monkeypatch.setattr(clock, "now", lambda: now + 12 * DAY)
    with pytest.raises(VendorAwayError):
        expected.compare(years.store, years.client, settings)
    late = told(years, settings)
    assert (late.overdue, late.stale, late.compared_at and late.compared_at < now + DAY) == (1, True, True)
    with years.store.session() as session:
        [(row, state)] = expected.lacking(session, settings)
    assert (row.learner, state) == ("S3", "missing")


@pytest.mark.parametrize(("days", "is_stale"), [(2, False), (4, True)])
def test_a_server_that_was_never_there_to_be_asked_is_told_after_days(
    years: Pc, monkeypatch: pytest.MonkeyPatch, days: int, is_stale: bool
) -> None:
    settings, now = Settings(home=years.folder), clock.now()
    years.hall.network(online=False)
    with pytest.raises(VendorAwayError):
        expected.compare(years.store, years.client, settings)
    monkeypatch.setattr(clock, "now", lambda: now + days * DAY)
    assert told(years, settings).stale is is_stale


def numbers(pc: Pc, settings: Settings) -> dict[str, int]:
    """The numbers of the sittings of exam 1, by learner."""
    with pc.store.session() as session:
        found = select(ExpectedSitting.learner, ExpectedSitting.id).where(ExpectedSitting.exam == "1")
        return dict(session.execute(found).tuples().all())


def test_a_sitting_that_a_person_dismissed_is_told_no_more_until_something_comes_of_it(
    here: Pc, school: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=here.folder)
    here.play("S1-1", "start", "finish", place="1.aqr", score=7, max=10)
    here.play("S2-1", "start", place="2.aqr")
    here.go_on()
    expected.compare(here.store, here.client, settings)
    before = numbers(here, settings)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + 11 * DAY)
    assert told(here, settings).overdue == 3
    for learner in ("S2", "S3"):
        assert expected.dismiss(here.store, before[learner], "stayed away")
    assert not expected.dismiss(here.store, before["S1"], "it is here")
    assert not expected.dismiss(here.store, 999, "there is none")

    for _ in range(2):  # a comparison keeps it
        found = told(here, settings)
        assert (found.expected["dismissed"], found.overdue) == (2, 1)  # that of exam 2
        expected.compare(here.store, here.client, settings)
    assert numbers(here, settings) == before
    with here.store.session() as session:
        every = expected.lacking(session, settings, states=ENDLESS)
        assert {each.learner: each.reason for each, _ in every} == {"S2": "stayed away", "S3": "stayed away", "S4": ""}
        assert [each.learner for each, _ in expected.lacking(session, settings)] == ["S4"]

    here.play("S2-1", "save", place="2.aqr", score=1, max=10)  # she came back
    here.play("S3-1", "start", place="3.aqr")
    here.go_on()
    assert states(compared(here)) == {"S1": "received", "S2": "unfinished", "S3": "unfinished", "S4": "missing"}
    assert told(here, settings).expected["dismissed"] == 0
    for learner in ("S2", "S3"):
        expected.dismiss(here.store, before[learner], "ill")
    assert expected.dismiss(here.store, before["S3"], "")
    assert told(here, settings).expected == {"received": 1, "unfinished": 1, "dismissed": 1, "missing": 1}


@pytest.mark.parametrize("left", [0, 1])
def test_who_lacks_or_was_dismissed_stays_so_though_the_server_lists_him_no_more(
    years: Pc, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    settings, now = Settings(home=years.folder, aqr_past_days=3650), clock.now()
    years.play("A", "start")
    years.go_on()
    assert expected.compare(years.store, years.client, settings) == {"missing": 3, "expected": 1, "unfinished": 1}
    before = numbers(years, settings)
    expected.dismiss(years.store, before["S1"], "stayed away")
    listed = [each for each in years.client.sittings() if each.id == "B"][:left]
    monkeypatch.setattr(years.client, "sittings", lambda: iter(listed))
    kept = {"dismissed": 1, "missing": 2, "unfinished": 1}
    assert expected.compare(years.store, years.client, settings) == kept | ({} if left else {"expected": 1})
    monkeypatch.setattr(clock, "now", lambda: now + 2 * DAY)
    expected.dismiss(years.store, before["S1"], "")
    assert expected.compare(years.store, years.client, settings)["missing"] == (3 if left else 4)
    assert not told(years, settings).stale


def test_who_is_not_listed_any_more_is_not_expected(years: Pc, tmp_path: Path) -> None:
    compared(years)
    path = roster(tmp_path, "exam,learner,until\n1,S3,2020-01-01\n1,S3,2099-01-01\n")  # by mistake twice
    assert [(learner, state) for learner, state, _ in compared(years, aqr_roster_file=path)] == [("S3", "expected")]
