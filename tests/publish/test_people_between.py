"""People who work in the gradebook while we publish: whatever they set between two steps of ours stays."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from threading import Lock
from typing import Any

import pytest
from sqlalchemy import update

from crash.kill import Step, in_a_process
from gradeway.publish import in_time, intents
from gradeway.store.models import GradeColumn
from gradeway.store.publish import GradeConflict, GradeReceipt, PublishIntent
from gradeway.vendors.learn import Learn
from gradeway.vendors.learn_records import Grade
from gradeway.vendors.pace import Pace, Turn
from gradeway.vendors.transport import Transport
from publish import term
from publish.filling import fill, set_grades
from publish.scene import MakeScene, Scene
from publish.trouble import spoil
from sessions.exams import Clock

AT_WORK = {"Oral": {"ann": "7", "bob": "8", "cy": "9"}}


@pytest.fixture
def told(scene: Scene) -> Scene:
    """A course whose three grades are published."""
    fill(scene.world.intake.store, {scene.course: AT_WORK})
    assert term.run(scene)
    return scene


@pytest.fixture
def planned(told: Scene) -> Scene:
    """As ``told``, with two changed grades that are planned and not sent yet."""
    set_grades(told.world.intake.store, {"Oral": {"ann": "17", "bob": "18"}})
    told.plan()
    return told


def send(scene: Scene) -> dict[str, int]:
    with scene.publisher() as publisher:
        return dict(publisher.apply_free().outcomes)


def play(scene: Scene, do: str, **more: object) -> None:
    scene.site.play(scene.course, do, column="Oral", **more)


def conflicts(scene: Scene) -> list[tuple[str | None, str, str]]:
    rows = scene.rows(GradeConflict)
    return [
        (each.ours, "" if each.theirs_score is None else f"{each.theirs_score.normalize():f}", each.resolution)
        for each in rows
    ]


def check_is_kept(scene: Scene, grade: str | None, ours: str = "17") -> None:
    """The grade that ann has is a person's, and no run touches it; that of bob is ours."""
    since = scene.mark()
    scene.publish(everything=True)
    assert scene.writes(since) == []
    there = scene.there()["Oral"]
    assert (there.get("ann"), there["bob"]) == (grade, "18")
    assert conflicts(scene) == [(ours, grade or "", "")]


# --- between plan and send


@pytest.mark.parametrize(
    ("do", "more", "grade"), [("grade", {"score": 3}, "3"), ("clear", {}, None)], ids=["changed", "cleared"]
)
def test_a_grade_that_a_person_set_after_the_plan_is_kept(
    planned: Scene, do: str, more: dict[str, object], grade: str | None
) -> None:
    play(planned, do, user="ann", **more)
    assert send(planned) == {"CONFLICT": 1, "UPDATED": 1}
    check_is_kept(planned, grade)


def test_a_learner_whom_a_person_exempted_after_the_plan_stays_so(planned: Scene) -> None:
    play(planned, "exempt", user="ann")
    assert send(planned) == {"CONFLICT": 1, "UPDATED": 1}
    assert planned.there()["Oral"] == {"ann": "exempt", "bob": "18", "cy": "9"}
    [conflict] = planned.rows(GradeConflict)
    assert conflict.theirs_marks == "exempt"


def test_the_same_value_that_a_person_set_after_the_plan_is_theirs(planned: Scene) -> None:
    play(planned, "grade", user="ann", score=17)
    since = planned.mark()
    assert send(planned) == {"UNCHANGED": 1, "UPDATED": 1}
    assert len(planned.writes(since)) == 1
    assert planned.count(GradeConflict) == 0
    writers = {each.value: each.intent_id for each in planned.rows(GradeReceipt)}
    values = {each.id: each.value for each in planned.rows(PublishIntent)}
    assert {value: values[writer] for value, writer in writers.items()} == {"17": "7", "18": "18", "9": "9"}


def test_feedback_that_a_person_gave_after_the_plan_stays_beside_our_grade(planned: Scene) -> None:
    play(planned, "feedback", user="ann", text="well done")
    assert send(planned) == {"UPDATED": 2}
    assert planned.there()["Oral"]["ann"] == "17"


def test_grades_of_a_column_that_a_person_deleted_after_the_plan_wait_for_a_decision(planned: Scene) -> None:
    play(planned, "delete")
    since = planned.mark()
    assert send(planned) == {"SKIPPED": 2}
    assert planned.writes(since) == []
    planned.publish(everything=True)
    assert planned.writes(since) == []
    assert [code for code, _ in planned.problems()][:1] == ["COLUMN_GONE"]


def test_a_column_that_is_deleted_while_its_grades_are_sent_is_no_matter_of_its_learners(
    planned: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = intents.send

    def note_and_delete(*given: Any) -> object:  # noqa: ANN401
        noted = real(*given)
        play(planned, "delete")
        return noted

    monkeypatch.setattr(intents, "send", note_and_delete)
    assert send(planned) == {"SKIPPED": 2}
    assert planned.problems() == []


def test_a_column_that_a_person_changed_after_the_plan_is_looked_at_again(told: Scene) -> None:
    with told.world.intake.store.writing() as session:
        session.execute(update(GradeColumn).values(points=50, line=9))
    told.plan()
    play(told, "points", possible=30)
    assert send(told) == {"SKIPPED": 1}
    assert told.remote_column("Oral")["score"]["possible"] == 30
    since = told.mark()
    told.publish()
    assert told.writes(since) == []
    assert told.problems() == [("CHANGED_THERE", "Oral")]


def make_column(scene: Scene, name: str = "Oral") -> None:
    grading = {"type": "Manual", "anonymousGrading": {"type": "None"}}
    body = {"name": name, "score": {"possible": 20}, "grading": grading}
    scene.site.ask("POST", f"v2/courses/courseId:{scene.course}/gradebook/columns", body, 201)


@pytest.mark.parametrize(("rule", "name"), [("name", "Oral "), ("once", "Oral")])
def test_a_column_that_a_person_made_after_the_plan_is_not_doubled(make_scene: MakeScene, rule: str, name: str) -> None:
    scene = make_scene(column_provisioning=rule)
    scene.column()
    scene.grades(ann=7)
    scene.plan()
    make_column(scene, name)
    assert send(scene) == {"SKIPPED": 2}
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "7"}}
    assert scene.problems() == []


def test_a_column_that_is_not_found_by_its_name_stands_beside_one_of_a_person(make_scene: MakeScene) -> None:
    scene = make_scene(column_provisioning="always")
    scene.column()
    scene.plan()
    make_column(scene)
    assert send(scene) == {"CREATED": 1}
    assert [each["name"] for each in scene.remote_columns()].count("Oral") == 2


def test_an_assignment_that_a_person_made_after_the_plan_is_not_doubled(one_scene: Scene, passing: Clock) -> None:
    term.begin(one_scene)
    one_scene.plan()
    folder = one_scene.site.ask(
        "POST",
        f"v1/courses/courseId:{one_scene.course}/contents",
        {"title": "Tasks", "contentHandler": {"id": "resource/x-bb-folder"}},
        201,
    )
    one_scene.site.ask(
        "POST",
        f"v1/courses/courseId:{one_scene.course}/contents/createAssignment",
        {"title": "Project", "parentId": folder["id"], "score": {"possible": 100}},
        201,
    )
    assert send(one_scene)["SKIPPED"] == 4, "folder, assignment, what follows on it, and its grade"
    term.end_well(one_scene, passing)
    assert sorted(one_scene.there()) == ["Essay", "Old", "Oral", "Project"]
    folders = one_scene.site.every(f"v1/courses/courseId:{one_scene.course}/contents")
    assert [each["title"] for each in folders] == ["Tasks"]


# --- while the plan reads, page by page


def between_pages(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Let grades be read one a page, and do something once, between the first two pages."""
    read_all, follow, left = Learn._all, Transport.follow, [act]

    def by_ones(client: Learn, kind: Any, template: str, query: Mapping[str, str] | None = None, **keys: Any) -> Any:  # noqa: ANN401
        more = {"limit": "1"} if kind is Grade else {}
        return read_all(client, kind, template, {**(query or {}), **more}, **keys)

    def act_and_follow(transport: Transport, link: object, template: str) -> object:
        if left and template.endswith("/users"):
            left.pop()()
        return follow(transport, link, template)

    monkeypatch.setattr(Learn, "_all", by_ones)
    monkeypatch.setattr(Transport, "follow", act_and_follow)


def test_a_grade_that_a_person_set_after_its_page_was_read_is_kept_whatever_they_did_on_later_pages(
    told: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act() -> None:
        play(told, "grade", user="ann", score=5)
        play(told, "feedback", user="bob", text="well done")

    set_grades(told.world.intake.store, {"Oral": {"ann": "17", "bob": "18"}})
    between_pages(monkeypatch, act)
    assert len(told.plan().free.lines) == 2
    assert send(told) == {"CONFLICT": 1, "UPDATED": 1}
    check_is_kept(told, "5")


def test_a_grade_that_a_person_set_while_what_they_did_was_read_page_by_page_is_kept(
    planned: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in ("ann", "bob"):
        play(planned, "feedback", user=user, text="well done")
    waiting = Waiting(lambda: None)

    def act() -> None:
        play(planned, "grade", user="ann", score=5)
        waiting.time += in_time.LOOK_LASTS - in_time.USABLE

    between_pages(monkeypatch, act)
    note_slowly(monkeypatch, waiting, in_time.USABLE + 1)
    assert send_waiting(planned, waiting) == {"CONFLICT": 1, "UPDATED": 1}
    check_is_kept(planned, "5")


def test_a_grade_that_no_page_showed_as_the_pages_moved_is_kept(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(scene.world.intake.store, {scene.course: {"Oral": {"ann": "7"}}})
    assert term.run(scene)
    play(scene, "grade", user="bob", score=5)
    scene.grades(cy=9)
    assert term.run(scene)
    scene.grades(bob=18, cy=19)
    between_pages(monkeypatch, lambda: scene.play("disable", user="ann"))
    befores = {line.learner: (line.before or {}).get("score") for line in scene.plan().free.lines}
    assert befores == {"bob": None, "cy": "9"}, "bob's row came second, and is the first now"
    assert send(scene) == {"CONFLICT": 1, "UPDATED": 1}
    assert scene.there()["Oral"]["bob"] == "5"


# --- while a write waits for its turn


class Waiting:
    """A time that passes only while a run waits, and what a person does meanwhile."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.time, self._act = 0.0, [act]
        self._lock = Lock()

    def sleep(self, seconds: float) -> None:
        with self._lock:  # nobody goes on before the person is done
            if self._act:
                self._act.pop()()
            self.time += seconds  # now, so that no other call takes the time for over


def note_slowly(monkeypatch: pytest.MonkeyPatch, waiting: Waiting, seconds: float) -> None:
    """Let so much time pass between a look and the writes that follow from it."""
    real = intents.send

    def send(*given: Any) -> object:  # noqa: ANN401
        noted = real(*given)
        waiting.sleep(seconds)
        return noted

    monkeypatch.setattr(intents, "send", send)


def send_waiting(scene: Scene, waiting: Waiting) -> dict[str, int]:
    manners = replace(term.QUICK, sleep=waiting.sleep, monotonic=lambda: waiting.time)
    with scene.publisher(manners) as publisher:
        return dict(publisher.apply_free().outcomes)


@pytest.mark.parametrize("wait", [1, in_time.LOOK_LASTS + 1, 100])
def test_a_grade_that_a_person_set_while_its_write_was_put_off_is_kept(planned: Scene, wait: float) -> None:
    ann = next(each["userId"] for each in planned.members() if each["user"]["userName"] == "ann")
    spoil(planned, f"PATCH */users/{ann}", kind="status", status=429, retry_after=int(wait))
    waiting = Waiting(lambda: play(planned, "grade", user="ann", score=5))
    assert send_waiting(planned, waiting) == {"CONFLICT": 1, "UPDATED": 1}
    check_is_kept(planned, "5")


def test_a_grade_that_a_person_set_while_others_were_written_is_kept(
    planned: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting(lambda: play(planned, "grade", user="ann", score=5))
    note_slowly(monkeypatch, waiting, in_time.LOOK_LASTS + 1)
    assert send_waiting(planned, waiting) == {"CONFLICT": 1, "UPDATED": 1}
    check_is_kept(planned, "5")


def test_a_grade_that_a_person_set_while_its_write_was_put_off_in_small_steps_is_kept(
    planned: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting(lambda: None)
    ask, asked, alone = Pace.ask, count(1), Lock()

    def put_off(pace: Pace, call: str, now: float, *, urgent: bool) -> Turn:
        with alone:  # nobody goes on before the person is done
            if not call.startswith("gradeway_learn: PATCH") or (number := next(asked)) > 2 * in_time.LOOK_LASTS:
                return ask(pace, call, now, urgent=urgent)
            if number == in_time.LOOK_LASTS // 2:
                play(planned, "grade", user="ann", score=5)
        return Turn(1)

    monkeypatch.setattr(Pace, "ask", put_off)
    assert send_waiting(planned, waiting) == {"CONFLICT": 1, "UPDATED": 1}
    check_is_kept(planned, "5")


@pytest.fixture
def unneeded(one_scene: Scene) -> Scene:
    """A course with a column that is to be deleted, as a person approved."""
    one_scene.column()
    one_scene.grades(ann=7)
    one_scene.publish_all()
    one_scene.remove_column("Oral")
    one_scene.approve(one_scene.plan().held.digest)
    return one_scene


def test_a_column_with_a_grade_that_a_person_set_while_its_deletion_was_put_off_stays(unneeded: Scene) -> None:
    spoil(unneeded, "DELETE gradebook/columns/*", kind="status", status=429, retry_after=100)
    assert send_waiting(unneeded, Waiting(lambda: play(unneeded, "grade", user="bob", score=5))) == {"SKIPPED": 1}
    unneeded.publish()
    assert unneeded.there() == {"Oral": {"ann": "7", "bob": "5"}}
    assert unneeded.problems() == [("COLUMN_IN_USE", "Oral")]


def test_a_column_with_a_grade_that_a_person_set_after_its_deletion_got_no_answer_stays(
    unneeded: Scene, passing: Clock
) -> None:
    spoil(unneeded, "DELETE gradebook/columns/*", kind="status", status=500)
    since = unneeded.mark()
    assert send(unneeded) == {"UNKNOWN": 1}
    assert len(unneeded.writes(since)) == 1
    play(unneeded, "grade", user="bob", score=5)
    for _ in range(3):
        passing.pass_by(term.GRACE)
        term.run(unneeded)
    assert unneeded.there()["Oral"]["bob"] == "5"


@pytest.mark.parametrize("wait", [1, 100])
def test_points_that_a_person_set_while_their_change_was_put_off_are_kept(one_scene: Scene, wait: int) -> None:
    one_scene.column()
    one_scene.publish_all()
    one_scene.column(points=50)
    one_scene.plan()
    spoil(one_scene, "PATCH gradebook/columns/*", kind="status", status=429, retry_after=wait)
    assert send_waiting(one_scene, Waiting(lambda: play(one_scene, "points", possible=30))) == {"SKIPPED": 1}
    assert one_scene.remote_column("Oral")["score"]["possible"] == 30


def test_a_column_that_a_person_made_while_ours_was_put_off_is_not_doubled(one_scene: Scene) -> None:
    one_scene.column()
    one_scene.grades(ann=7)
    one_scene.plan()
    spoil(one_scene, "POST gradebook/columns", kind="status", status=429, retry_after=100)
    assert send_waiting(one_scene, Waiting(lambda: make_column(one_scene)))["SKIPPED"] == 2
    one_scene.publish()
    assert one_scene.there() == {"Oral": {"ann": "7"}}


# --- between an answer that was lost and the next run


@pytest.mark.parametrize(
    ("do", "more", "grade"),
    [("grade", {"score": 3}, "3"), ("grade", {"score": 7}, "7"), ("clear", {}, None)],
    ids=["changed", "taken back", "cleared"],
)
def test_a_grade_that_a_person_set_before_we_knew_of_our_own_is_kept(
    planned: Scene, passing: Clock, do: str, more: dict[str, object], grade: str | None
) -> None:
    planned.world.intake.store.engine.dispose()

    def dying() -> None:
        Step("gradeway.publish.intents:grades_ended", "before").arm()
        send(planned)

    assert in_a_process(dying) == signal.SIGKILL
    assert planned.there()["Oral"] == {"ann": "17", "bob": "18", "cy": "9"}
    play(planned, do, user="ann", **more)
    for _ in range(3):
        term.run(planned)
        passing.pass_by(term.GRACE)
    check_is_kept(planned, grade)


def test_what_a_person_did_is_told_apart_from_a_call_without_effect(planned: Scene, passing: Clock) -> None:
    lost = {"match": f"PATCH */courses/{term.remote_course(planned)}/*/users/*", "kind": "drop", "times": 2}
    planned.site.act("faults", [lost])
    assert send(planned) == {"UNKNOWN": 2}
    play(planned, "grade", user="ann", score=3)
    for _ in range(2):
        passing.pass_by(term.GRACE)
        term.run(planned)
    check_is_kept(planned, "3")
    assert {each.state for each in planned.rows(PublishIntent)} == {"done", "dropped"}
