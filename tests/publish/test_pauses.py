"""A budget of calls that ends in the middle: the run pauses, without an error, and the next one goes on from there."""

from __future__ import annotations

import contextlib
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import cycle

import pytest

from crash.kill import in_a_process
from gradeway import clock
from gradeway.errors import BudgetSpentError
from gradeway.publish.calls import Calls, calls_today, count_calls
from gradeway.publish.run import Planning, Sent
from gradeway.store.publish import LEARN, DayOfCalls, PublishIntent
from gradeway.vendors.pace import Pace
from publish import term
from publish.conftest import MakeCourse
from publish.filling import fill
from publish.scene import Scene
from publish.trouble import heal, spoil
from sessions.exams import Clock

GRADES = {"ann": "7", "bob": "8", "cy": "9"}
DUE = {"late": date(2026, 12, 1), "soon": date(2026, 6, 1), "open": None}
# Three courses, of each of which course, columns and learners are read; then it is seen that its column is not there
# yet, and the column is made, read and filled.
PLANNING, LOOKS, COLUMNS, READS, GRADES_SENT = 3 * 3, 3, 3, 3, 9
MADE = 1 + PLANNING + LOOKS + COLUMNS
NEEDED = MADE + READS + GRADES_SENT
FAR = 100_000  # seconds


@pytest.fixture
def courses(plain_scene: Scene, new_course: MakeCourse) -> dict[str, Scene]:
    """Three courses in one store, by when the grades of their column are due."""
    scenes = {name: Scene(plain_scene.world, *new_course()) for name in DUE}
    store = plain_scene.world.intake.store
    fill(store, {scene.course: {name: GRADES} for name, scene in scenes.items()}, {n: d for n, d in DUE.items() if d})
    return scenes


def run(scene: Scene, **extra: object) -> tuple[Planning, Sent]:
    with scene.publisher(term.QUICK, **extra) as publisher:
        return publisher.plan(), publisher.apply_free()


def kinds(calls: list[str]) -> list[str]:
    """What calls are about: a planning reads, and then columns are made and grades written."""
    found = []
    for call in calls:
        if "oauth2" not in call:
            is_grade = call.startswith("PATCH") and "/users/" in call
            found.append("grade" if is_grade else "column" if call.startswith("POST") else "read")
    return found


def graded(scene: Scene, since: int, columns: dict[str, str]) -> list[str]:
    calls = [call for call in scene.calls(since) if call.startswith("PATCH")]
    return [columns[call.split("/columns/")[1].split("/")[0]] for call in calls]


def all_there(courses: dict[str, Scene]) -> bool:
    return all(scene.there() == {name: GRADES} for name, scene in courses.items())


def test_what_is_needed_is_read_once_and_each_grade_is_one_call(courses: dict[str, Scene]) -> None:
    scene = courses["soon"]
    since = scene.mark()
    run(scene)
    assert all_there(courses)
    calls = scene.calls(since)[:NEEDED]
    assert Counter(kinds(calls)) == {"read": PLANNING + LOOKS + READS, "column": COLUMNS, "grade": GRADES_SENT}


@pytest.mark.parametrize("made", range(5, NEEDED, 3))
def test_a_budget_that_is_counted_here_ends_anywhere(courses: dict[str, Scene], passing: Clock, made: int) -> None:
    scene = courses["soon"]
    since = scene.mark()
    planning, sent = run(scene, daily_calls=made + 2, reserve=2)
    assert len(scene.calls(since)) == made
    assert bool(planning.paused) == ((made + 2) // 2 <= 1 + 2 * PLANNING // 3), "two courses are half of it"
    assert sent.paused.endswith(f"not sent: {made} of {made + 2} calls a day are used, and 2 are kept back")
    assert sent.resume_at == datetime(2026, 5, 2, tzinfo=UTC)
    assert calls_today(scene.world.intake.store, LEARN) == made
    since = scene.mark()
    planning, sent = run(scene, daily_calls=made + 2, reserve=2)
    assert planning.paused or sent.paused
    assert len(scene.calls(since)) <= 1, "a token"
    passing.pass_by(24 * 3600)
    since = scene.mark()
    planning, sent = run(scene, daily_calls=100, reserve=2)
    assert (planning.paused, sent.paused) == ("", "")
    again = 1 + 3  # a token, and what is read again of a course, or of columns, that were not done
    assert len(scene.calls(since)) <= NEEDED - made + again
    assert all_there(courses)


def test_across_courses_columns_come_first_and_then_grades_that_are_due_first(courses: dict[str, Scene]) -> None:
    scene = courses["soon"]
    since = scene.mark()
    _, sent = run(scene, daily_calls=MADE + READS + 4 + 1, reserve=1)
    assert sent.paused
    columns = {each.remote_column(name)["id"]: name for name, each in courses.items()}
    assert graded(scene, since, columns) == ["soon"] * 3 + ["late"]
    since = scene.mark()
    scene.publish()
    calls = scene.calls(since)
    assert Counter(kinds(calls)) == {"read": 2, "grade": 5}, "nothing is planned again"
    assert graded(scene, since, columns) == ["late"] * 2 + ["open"] * 3
    assert all_there(courses)


WHOLE = 4  # calls: course, columns, learners, and the grades of the one column


def test_a_look_at_everything_takes_a_quarter_of_the_calls_and_goes_on_where_it_stopped(
    courses: dict[str, Scene], passing: Clock
) -> None:
    scene = courses["soon"]
    run(scene)
    looked: list[list[str]] = []
    for _ in range(6):
        passing.pass_by(24 * 3600)
        since = scene.mark()
        with scene.publisher(term.QUICK, daily_calls=4 * (1 + WHOLE), reserve=2) as publisher:
            planning = publisher.look(clock.now() - timedelta(hours=1))
            assert "took the 5 calls a day" in planning.paused
            again = publisher.look(clock.now() - timedelta(hours=1))
        assert (again.planned, bool(again.paused)) == ([], True)
        assert len(scene.calls(since)) == 1 + WHOLE
        looked.append([planned.course for planned in planning.planned])
    assert looked == 2 * [[each.course] for each in sorted(courses.values(), key=lambda each: each.course)]


def test_a_look_at_everything_ends_when_each_course_was_seen_this_night(
    courses: dict[str, Scene], passing: Clock
) -> None:
    scene = courses["soon"]
    run(scene)
    passing.pass_by(24 * 3600)
    since, told = clock.now() - timedelta(hours=1), scene.mark()
    with scene.publisher(term.QUICK) as publisher:
        assert len(publisher.look(since).planned) == len(courses)
        assert publisher.look(since).planned == []
    assert len(scene.calls(told)) == 1 + len(courses) * WHOLE


def test_what_changed_here_is_sent_however_much_there_is_to_look_at(courses: dict[str, Scene], passing: Clock) -> None:
    scene = courses["soon"]
    run(scene)
    courses["late"].grades(column="late", ann=17)
    for _ in range(3):
        passing.pass_by(24 * 3600)
        with scene.publisher(term.QUICK, daily_calls=12, reserve=2) as publisher:
            publisher.plan()
            publisher.apply_free()
            publisher.look(clock.now() - timedelta(hours=1))
    assert courses["late"].there()["late"]["ann"] == "17"


def test_what_changes_every_day_is_sent_course_by_course_however_few_calls_there_are(
    courses: dict[str, Scene], passing: Clock
) -> None:
    scene = courses["soon"]
    run(scene)
    sent: set[str] = set()
    for day in range(6):
        passing.pass_by(24 * 3600)
        for name, each in courses.items():
            each.grades(column=name, ann=10 + day)
        run(scene, daily_calls=16, reserve=2)
        sent |= {name for name, each in courses.items() if each.there()[name]["ann"] == str(10 + day)}
    assert sent == {*courses}


def test_of_all_courses_schemas_come_before_columns(plain_scene: Scene, new_course: MakeCourse) -> None:
    first = Scene(plain_scene.world, *new_course())
    fill(plain_scene.world.intake.store, {first.course: {"Oral": GRADES}})
    first.plan()
    term.begin(plain_scene)  # with a schema
    since = plain_scene.mark()
    plain_scene.publish()
    made = [call.rsplit("/", 1)[1] for call in plain_scene.calls(since) if call.startswith("POST")]
    assert made.count("columns") == 4
    assert made.index("schemas") < made.index("contents") < made.index("columns")


def test_a_window_that_the_site_tells_of_ends_anywhere(courses: dict[str, Scene]) -> None:
    scene = courses["soon"]
    scene.site.act("limit", {"style": "window", "calls": 20, "seconds": FAR})
    since = scene.mark()
    _, sent = run(scene, daily_calls=100, reserve=4)
    made = len(scene.calls(since))
    assert made == 1 + 16, "a token is no call of the quota"
    assert "not sent: 4 of our 20 calls are left, and 4 are kept back" in sent.paused
    assert sent.resume_at
    assert abs(sent.resume_at - clock.now() - timedelta(seconds=FAR)) < timedelta(minutes=5)
    scene.site.act("limit", {})
    since = scene.mark()
    assert not run(scene)[1].paused
    again = 1 + 3
    assert len(scene.calls(since)) <= NEEDED - made + again
    assert all_there(courses)


def test_we_use_no_more_than_we_allow_ourselves_though_the_site_has_more(courses: dict[str, Scene]) -> None:
    scene = courses["soon"]
    scene.site.act("limit", {"style": "bucket", "calls": 1000, "seconds": FAR, "size": 1000})
    since = scene.mark()
    _, sent = run(scene, daily_calls=10, reserve=2)
    assert len(scene.calls(since)) == 8
    assert "not sent: 8 of 10 calls a day are used, and 2 are kept back" in sent.paused


def test_a_bucket_that_the_site_tells_of_ends_anywhere(courses: dict[str, Scene]) -> None:
    scene = courses["soon"]
    scene.site.act("limit", {"style": "bucket", "calls": 20, "seconds": FAR, "size": 20})
    _, sent = run(scene, reserve=4)
    assert "of our 20 calls are left, and 4 are kept back" in sent.paused
    assert sent.resume_at
    assert clock.now() < sent.resume_at
    scene.site.act("limit", {})
    assert not run(scene)[1].paused
    assert all_there(courses)


@pytest.mark.parametrize("status", [429, 503])
def test_a_site_that_says_when_it_takes_calls_again_is_a_pause(
    courses: dict[str, Scene], passing: Clock, status: int
) -> None:
    scene = courses["soon"]
    spoil(scene, "GET gradebook/columns/*/users", kind="status", status=status, retry_after=FAR, times=100)
    _, sent = run(scene)
    assert sent.paused.endswith((f"answered {status}", f"left alone for {FAR} s more"))
    assert sent.resume_at == clock.now() + timedelta(seconds=FAR)
    assert Counter(each.state for each in scene.rows(PublishIntent)) == {"done": 3, "open": 9}
    heal(scene)
    passing.pass_by(FAR)
    assert not run(scene)[1].paused
    assert all_there(courses)


def test_what_became_of_a_call_is_found_out_from_the_reserve(courses: dict[str, Scene]) -> None:
    scene = courses["soon"]
    last = MADE + READS + 1
    spoil(scene, "PATCH */users/*", kind="drop_after")
    _, sent = run(scene, daily_calls=last + 5, reserve=5)
    assert sent.paused
    assert sent.outcomes == {"CREATED": COLUMNS + 1}
    assert {each.state for each in scene.rows(PublishIntent)} == {"done", "open"}


# --- what is counted


def test_calls_are_counted_over_processes(courses: dict[str, Scene]) -> None:
    scene = courses["soon"]
    store = scene.world.intake.store
    since = scene.mark()
    store.engine.dispose()
    in_a_process(lambda: run(scene, daily_calls=12, reserve=2))
    assert calls_today(store, LEARN) == len(scene.calls(since)) == 10
    run(scene, daily_calls=15, reserve=2)
    assert calls_today(store, LEARN) == len(scene.calls(since)) == 13


def test_calls_are_counted_by_the_day(plain_scene: Scene, passing: Clock) -> None:
    store = plain_scene.world.intake.store
    count_calls(store, LEARN, 7)
    passing.pass_by(24 * 3600)
    assert calls_today(store, LEARN) == 0
    count_calls(store, LEARN, 2)
    count_calls(store, LEARN, 3)
    assert [each.calls for each in plain_scene.rows(DayOfCalls)] == [7, 5]


def test_a_client_knows_what_was_called_before_it(plain_scene: Scene, passing: Clock) -> None:
    count_calls(plain_scene.world.intake.store, LEARN, 42)
    with plain_scene.client(term.QUICK, daily_calls=45, reserve=1) as client:
        assert client.probe()
        assert client.transport.pace.calls == 2, "a token, and a call"
        with pytest.raises(BudgetSpentError, match="44 of 45 calls a day are used, and 1 are kept back"):
            client.probe()


def test_processes_that_call_at_once_share_the_calls_of_a_day(plain_scene: Scene) -> None:
    store = plain_scene.world.intake.store
    paces = [Pace(term.QUICK, daily_calls=10) for _ in range(2)]
    every = [Calls(store, pace) for pace in paces]
    with contextlib.suppress(BudgetSpentError):
        for pace, calls in cycle(zip(paces, every, strict=True)):
            pace.ask("GET a/call", now=0)
            calls.count()
    assert calls_today(store, LEARN) in {10, 11}  # each hears of the others' with its own next call


def test_what_was_called_before_midnight_is_not_of_the_day(plain_scene: Scene, passing: Clock) -> None:
    store = plain_scene.world.intake.store
    pace = Pace(term.QUICK, daily_calls=3)
    calls = Calls(store, pace)
    for _ in range(2):
        for _ in range(3):
            pace.ask("GET a/call", now=0)
            calls.count()
        with pytest.raises(BudgetSpentError):
            pace.ask("GET a/call", now=0)
        passing.pass_by(86_400)
