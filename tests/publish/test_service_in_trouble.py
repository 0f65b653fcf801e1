"""An account or a service in trouble: a clear error, few calls in vain, and a next run that goes on."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import delete, select, update

from gradeway import clock
from gradeway.errors import VendorAnswerError, VendorAwayError, VendorError, VendorRefusedError
from gradeway.publish import away, send_grades
from gradeway.publish.run import LearnPublisher, open_learn
from gradeway.store.models import Course, Grade, GradeColumn
from gradeway.store.publish import GradeReceipt, PublishIntent
from gradeway.vendors import oauth
from publish import term
from publish.conftest import MakeCourse
from publish.filling import fill
from publish.scene import MakeScene, Scene
from publish.trouble import heal, spoil
from sessions.exams import Clock

ORAL = {"Oral": {"ann": "7", "bob": "8", "cy": "9", "dee": "10", "eve": "11", "fay": "12"}}


@pytest.fixture
def oral(one_scene: Scene) -> Scene:
    """A course with a column for which six grades wait."""
    fill(one_scene.world.intake.store, {one_scene.course: ORAL})
    return one_scene


def states(scene: Scene) -> list[str]:
    return sorted(each.state for each in scene.rows(PublishIntent) if each.kind == "grade")


def patches(scene: Scene, since: int) -> int:
    return sum(call.startswith("PATCH") for call in scene.writes(since))


def check_ends_well(scene: Scene, passing: Clock) -> None:
    heal(scene)
    term.end_well(scene, passing)
    assert scene.there() == ORAL
    assert scene.count(GradeReceipt) == len(ORAL["Oral"])


# --- the account


def test_a_token_that_expires_meanwhile_is_renewed(oral: Scene) -> None:
    with oral.publisher() as publisher:
        publisher.plan()
        spoil(oral, "PATCH *", kind="status", status=401, after=2)
        since = oral.mark()
        assert dict(publisher.apply_free().outcomes) == {"CREATED": 7}
    assert sum("oauth2" in call for call in oral.calls(since)) == 1
    assert oral.there() == ORAL


@pytest.mark.parametrize("call", ["PATCH */users/*", "POST */columns", "GET */columns"])
def test_an_account_that_is_locked_out_meanwhile_is_an_error_and_what_is_left_waits(
    oral: Scene, passing: Clock, call: str
) -> None:
    spoil(oral, call, kind="status", status=401, times=100)
    with pytest.raises(VendorRefusedError, match=r"^gradeway_learn: .* answered 401 \(check the login and password"):
        oral.publish()
    left = {"GET */columns": 0, "POST */columns": 7, "PATCH */users/*": 6}[call]
    assert [each.state for each in term.under_way(oral)] == ["open"] * left
    assert oral.problems() == []
    check_ends_well(oral, passing)


def test_a_wrong_secret_is_an_error_that_says_so(oral: Scene, passing: Clock) -> None:
    store = oral.world.intake.store
    with oral.client() as client:
        endpoint = replace(client._endpoint, password="wrong")
    with (
        open_learn(store, endpoint, term.QUICK) as wrong,
        pytest.raises(VendorRefusedError, match="the login and pass"),
    ):
        LearnPublisher(store, wrong, oral.settings).plan()
    check_ends_well(oral, passing)


def test_an_answer_without_a_token_is_an_error_and_what_is_left_waits(
    oral: Scene, passing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    oral.plan()
    with monkeypatch.context() as patched, oral.publisher() as publisher:
        patched.setattr(oauth, "TOKEN", re.compile("none"))
        with pytest.raises(VendorAnswerError, match="the answer holds no bearer token"):
            publisher.apply_free()
    assert states(oral) == ["open"] * 6
    check_ends_well(oral, passing)


def test_rights_that_are_taken_away_meanwhile_cost_few_calls_and_keep_no_other_course_back(
    make_scene: MakeScene,
) -> None:
    forbidden, allowed = make_scene(publish_threads=2), make_scene()
    fill(forbidden.world.intake.store, {forbidden.course: ORAL | {"Essay": ORAL["Oral"]}, allowed.course: ORAL})
    spoil(forbidden, "PATCH */users/*", kind="status", status=403, times=100, after=2)
    since = forbidden.mark()
    sent = forbidden.publish()
    assert dict(sent.outcomes) == {"CREATED": 3 + 2 + 6, "REJECTED": 10}
    assert {each.detail.partition(":")[0] for each in sent.failures} == {"COURSE_FORBIDDEN"}
    refused = patches(forbidden, since) - 2 - 6
    assert send_grades.MOST_VAIN <= refused < send_grades.MOST_VAIN + 2
    assert allowed.there() == ORAL
    since = forbidden.mark()
    assert forbidden.publish().outcomes == {}
    assert forbidden.calls(since) == []
    heal(forbidden)
    assert dict(forbidden.publish(everything=True).outcomes) == {"CREATED": 10}


@pytest.mark.parametrize(("status", "code"), [(403, "COURSE_FORBIDDEN"), (400, "REFUSED")])
@pytest.mark.parametrize("call", ["GET gradebook/columns", "GET users"])
def test_a_course_that_cannot_be_read_keeps_no_other_course_back(
    make_scene: MakeScene, call: str, status: int, code: str
) -> None:
    refused, other = make_scene(), make_scene()
    fill(refused.world.intake.store, {refused.course: ORAL, other.course: ORAL})
    spoil(refused, call, kind="status", status=status, times=100)
    assert dict(refused.publish().outcomes) == {"CREATED": 7}
    assert refused.problems() == [(code, refused.course)]
    assert other.there() == ORAL
    heal(refused)
    assert dict(refused.publish(everything=True).outcomes) == {"CREATED": 7}


@pytest.mark.parametrize("state", ["sent", "unknown"])
@pytest.mark.parametrize("status", [403, 404])
def test_a_course_that_cannot_be_asked_about_a_lost_call_stops_no_run(
    one_scene: Scene, new_course: object, status: int, state: str
) -> None:
    gone, other = one_scene, Scene(one_scene.world, *new_course())  # type: ignore[operator]
    fill(gone.world.intake.store, {gone.course: ORAL, other.course: ORAL})
    gone.publish(gone.course)
    lost = update(PublishIntent).where(PublishIntent.kind == "grade")
    with gone.world.intake.store.writing() as session:
        session.execute(lost.values(state=state, ended_at=clock.now()))
    spoil(gone, "* *", kind="status", status=status, times=100)
    gone.publish()
    assert other.there() == ORAL
    assert {each.state for each in term.under_way(gone)} == {"unknown"}


@pytest.mark.parametrize("status", [403, 404])
def test_a_grade_that_nobody_may_look_at_after_its_call_was_lost_is_ours_all_the_same(
    one_scene: Scene, passing: Clock, status: int
) -> None:
    scene = one_scene
    scene.column()
    scene.grades(ann=7)
    scene.publish()
    with scene.world.intake.store.writing() as session:  # as if the run had been killed
        session.execute(update(PublishIntent).where(PublishIntent.kind == "grade").values(state="sent", ended_at=None))
        session.execute(delete(GradeReceipt))
    spoil(scene, "GET */users", kind="status", status=status, times=100)
    for _ in range(2):
        passing.pass_by(term.GRACE)
        scene.publish()
    assert [each.state for each in term.under_way(scene)] == ["unknown"]
    heal(scene)
    scene.publish()
    assert term.under_way(scene) == []
    [receipt] = scene.rows(GradeReceipt)
    assert (receipt.value, receipt.first_score, receipt.intent_id is None) == ("7", None, False)


@pytest.mark.parametrize("state", ["sent", "unknown"])
@pytest.mark.parametrize(("status", "code"), [(403, "COURSE_FORBIDDEN"), (404, "REFUSED")])
def test_a_lost_call_is_found_out_once_its_course_can_be_asked_again(
    one_scene: Scene, new_course: MakeCourse, passing: Clock, status: int, code: str, state: str
) -> None:
    hidden, other = one_scene, Scene(one_scene.world, *new_course())
    fill(hidden.world.intake.store, {hidden.course: ORAL, other.course: ORAL})
    hidden.publish(hidden.course)
    lost = update(PublishIntent).where(PublishIntent.kind == "column")
    with hidden.world.intake.store.writing() as session:
        session.execute(lost.values(state=state, ended_at=clock.now() if state == "unknown" else None))
    spoil(hidden, "* *", kind="status", status=status, times=100)
    assert [each.outcome for each in hidden.publish().failures] == ["UNKNOWN"]
    passing.pass_by(term.GRACE)
    assert hidden.publish().failures == []
    assert other.there() == ORAL
    assert [each.state for each in term.under_way(hidden)] == ["unknown"]
    assert hidden.problems() == [(code, "Oral")]
    since = hidden.mark()
    heal(hidden)
    term.end_well(hidden, passing)
    assert (hidden.there(), hidden.problems()) == (ORAL, [])
    assert hidden.writes(since) == []


# --- one course


@pytest.fixture
def two(one_scene: Scene, new_course: object) -> tuple[Scene, Scene]:
    """Two courses in one store, of which the first is planned and sent first."""
    first, second = sorted(
        [one_scene, Scene(one_scene.world, *new_course())],  # type: ignore[operator]
        key=lambda scene: scene.course,
    )
    fill(one_scene.world.intake.store, {first.course: ORAL, second.course: ORAL})
    return first, second


def test_a_course_that_cannot_be_compared_keeps_no_other_back_and_comes_last_until_it_can(
    two: tuple[Scene, Scene],
) -> None:
    broken, other = two
    spoil(broken, "GET gradebook/columns", kind="status", status=500, times=100)
    assert dict(broken.publish().outcomes) == {"CREATED": 7}
    assert other.there() == ORAL
    assert broken.problems() == [("COURSE_AWAY", broken.course)]
    of_other = select(GradeColumn.id).join(Course).where(Course.source_id == other.course)
    with broken.world.intake.store.writing() as session:
        session.execute(update(Grade).where(Grade.column_id.in_(of_other)).values(value="1"))
    assert broken.due() == [other.course, broken.course]
    heal(broken)
    broken.publish()
    assert (broken.there(), broken.problems()) == (ORAL, [])


@pytest.mark.parametrize(
    ("call", "left"), [("GET gradebook/columns/*/users", 6), ("PATCH */users/*", 6), ("POST gradebook/columns", 7)]
)
def test_a_course_that_cannot_be_written_keeps_no_other_back_and_goes_on_once_it_can(
    two: tuple[Scene, Scene], passing: Clock, call: str, left: int
) -> None:
    broken, other = two
    broken.plan()
    other.plan()
    spoil(broken, call, kind="status", status=500, times=1000)
    for _ in range(2):
        with broken.publisher() as publisher:
            publisher.apply_free()
        passing.pass_by(term.GRACE)
    assert other.there() == ORAL
    assert len(term.under_way(broken)) == left
    heal(broken)
    term.end_well(broken, passing)
    assert broken.there() == ORAL


@pytest.mark.parametrize("fault", [{"kind": "drop"}, {"kind": "status", "status": 500}], ids=["no answer", "500"])
@pytest.mark.parametrize(
    "call", ["GET gradebook/columns", "GET users", "GET gradebook/columns/*/users", "PATCH */users/*"]
)
def test_a_course_without_answers_keeps_no_other_back_and_is_told_until_it_goes_well(
    two: tuple[Scene, Scene], passing: Clock, call: str, fault: dict[str, object]
) -> None:
    broken, other = two
    spoil(broken, call, **fault, times=1000)
    broken.publish()
    assert other.there() == ORAL
    assert ("COURSE_AWAY", broken.course) in broken.problems()
    heal(broken)
    term.end_well(broken, passing)
    assert (broken.there(), broken.problems()) == (ORAL, [])


def test_where_no_course_goes_well_the_service_is_asked_and_its_error_is_told(
    two: tuple[Scene, Scene], passing: Clock
) -> None:
    two[0].site.act("faults", [{"match": "GET */courses/*", "kind": "status", "status": 500, "times": 1000}])
    assert dict(two[0].publish().outcomes) == {}
    two[0].site.act("faults", [{"match": "GET */system/version", "kind": "status", "status": 500, "times": 1000}])
    with pytest.raises(VendorAwayError, match="system/version"):
        two[0].publish()
    heal(two[0])
    term.end_well(two[0], passing)
    assert [scene.there() for scene in two] == [ORAL, ORAL]


def test_courses_that_failed_before_say_nothing_about_the_service(
    two: tuple[Scene, Scene], monkeypatch: pytest.MonkeyPatch, passing: Clock
) -> None:
    first, second = two
    monkeypatch.setattr(away, "MOST_AWAY", 1)
    for scene in two:
        spoil(scene, "GET gradebook/columns", kind="status", status=500, times=1000)
        with pytest.raises(VendorAwayError):
            scene.publish(scene.course)
    heal(first)
    spoil(first, "GET gradebook/columns", kind="status", status=500, times=1000)
    first.publish()
    assert second.there() == ORAL
    heal(first)
    term.end_well(first, passing)
    assert first.there() == ORAL


def test_five_courses_that_cannot_be_looked_at_hold_up_no_others(
    two: tuple[Scene, Scene], new_course: object, monkeypatch: pytest.MonkeyPatch, passing: Clock
) -> None:
    monkeypatch.setattr(away, "MOST_AWAY", 2)
    first, well = two
    third = Scene(first.world, *new_course())  # type: ignore[operator]
    fill(first.world.intake.store, {third.course: ORAL})
    for scene in (first, well, third):
        scene.plan()
    paths = [f"GET */courses/{term.remote_course(scene)}/gradebook/columns/*/users" for scene in (first, third)]
    first.site.act("faults", [{"match": path, "kind": "status", "status": 500, "times": 1000} for path in paths])
    for _ in range(2):
        with first.publisher() as publisher, contextlib.suppress(VendorAwayError):
            publisher.apply_free()
    assert well.there() == ORAL
    heal(first)
    term.end_well(first, passing)
    assert [scene.there() for scene in (first, third)] == [ORAL, ORAL]


def test_several_courses_in_a_row_that_fail_are_the_service(
    two: tuple[Scene, Scene], monkeypatch: pytest.MonkeyPatch, passing: Clock
) -> None:
    monkeypatch.setattr(away, "MOST_AWAY", 2)
    for scene in two:
        scene.plan()
    fault = {"kind": "status", "status": 500, "times": 100}
    paths = [f"GET */courses/{term.remote_course(scene)}/gradebook/columns/*/users" for scene in two]
    two[0].site.act("faults", [{"match": path} | fault for path in paths])
    with two[0].publisher() as publisher, pytest.raises(VendorAwayError):
        publisher.apply_free()
    assert len(term.under_way(two[0])) == 12
    heal(two[0])
    term.end_well(two[0], passing)
    assert [scene.there() for scene in two] == [ORAL, ORAL]


# --- the service


def test_a_service_that_loses_its_answers_is_left_alone_after_a_few(oral: Scene, passing: Clock) -> None:
    spoil(oral, "PATCH */users/*", kind="drop", times=100)
    since = oral.mark()
    sent = oral.publish()
    lost = patches(oral, since)
    assert (sent.outcomes["UNKNOWN"], ("COURSE_AWAY", oral.course) in oral.problems()) == (lost, True)
    assert send_grades.MOST_VAIN <= lost < send_grades.MOST_VAIN + oral.settings.publish_threads
    assert states(oral) == ["open"] * (6 - lost) + ["unknown"] * lost
    check_ends_well(oral, passing)


def test_a_service_that_is_away_gets_no_further_calls(oral: Scene, passing: Clock) -> None:
    oral.plan()
    spoil(oral, "PATCH */users/*", kind="status", status=429, times=100)
    since = oral.mark()
    with oral.publisher(replace(term.QUICK, tries=1)) as publisher, pytest.raises(VendorAwayError):
        publisher.apply_free()
    assert patches(oral, since) <= oral.settings.publish_threads
    assert states(oral) == ["open"] * 6
    check_ends_well(oral, passing)


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 500}, {"kind": "drop"}])
def test_learners_whose_grades_always_fail_keep_nothing_else_back(
    plain_scene: Scene, new_course: MakeCourse, passing: Clock, fault: dict[str, object]
) -> None:
    other = Scene(plain_scene.world, *new_course())
    courses = {plain_scene.course: ORAL | {"Essay": ORAL["Oral"]}, other.course: {"Viva": ORAL["Oral"]}}
    fill(plain_scene.world.intake.store, courses, {"Oral": date(2026, 6, 1), "Essay": date(2026, 7, 1)})
    ids = {each["user"]["userName"]: each["userId"] for each in plain_scene.members()}
    failing = ("ann", "bob", "cy")
    for learner in failing:
        spoil(plain_scene, f"PATCH */users/{ids[learner]}", times=1000, **fault)
    for _ in range(4):
        with contextlib.suppress(VendorError):
            term.run(plain_scene)
        passing.pass_by(3600)
    well = {learner: grade for learner, grade in ORAL["Oral"].items() if learner not in failing}
    assert plain_scene.there() == {"Oral": well, "Essay": well}
    assert other.there() == {"Viva": ORAL["Oral"]}
    heal(plain_scene)
    term.end_well(plain_scene, passing)
    assert plain_scene.there() == {"Oral": ORAL["Oral"], "Essay": ORAL["Oral"]}


def test_columns_that_always_fail_keep_no_other_back(plain_scene: Scene, passing: Clock) -> None:
    store, names = plain_scene.world.intake.store, [f"Column {number}" for number in range(5)]
    fill(store, {plain_scene.course: {name: {"ann": "1"} for name in names}})
    plain_scene.publish()
    ids = {each["name"]: each["id"] for each in plain_scene.remote_columns()}
    with store.writing() as session:
        session.execute(update(GradeColumn).values(description="new", line=2))
    for name in names[:3]:
        spoil(plain_scene, f"PATCH gradebook/columns/{ids[name]}", kind="status", status=500, times=1000)
    for _ in range(3):
        with contextlib.suppress(VendorError):
            term.run(plain_scene)
        passing.pass_by(3600)
    said = {name: plain_scene.remote_column(name).get("description") for name in names}
    assert [name for name in names if said[name] == "new"] == names[3:]


def test_calls_that_are_lost_again_and_again_end_the_sending_of_columns_too(one_scene: Scene, passing: Clock) -> None:
    store, names = one_scene.world.intake.store, [f"Column {number}" for number in range(5)]
    fill(store, {one_scene.course: {name: {"ann": "1"} for name in names}})
    spoil(one_scene, "POST gradebook/columns", kind="drop", times=100)
    since = one_scene.mark()
    assert one_scene.publish().outcomes["UNKNOWN"] == 3
    assert len(one_scene.writes(since)) == 3
    heal(one_scene)
    term.end_well(one_scene, passing)
    assert one_scene.there() == {name: {"ann": "1"} for name in names}
