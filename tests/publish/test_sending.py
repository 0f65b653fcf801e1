"""What sending promises: an intent before each call, a receipt after it, and grades in chunks, on some threads."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from requests import PreparedRequest
from sqlalchemy import Connection, delete, select, update

from gradeway import clock
from gradeway.publish import send_grades
from gradeway.store.models import Grade as StoredGrade
from gradeway.store.models import GradeColumn
from gradeway.store.publish import GradeConflict, GradeReceipt, PublishIntent
from gradeway.vendors.ending import End
from gradeway.vendors.learn import Learn
from gradeway.vendors.learn_records import Grade
from gradeway.vendors.transport import Transport
from publish import term
from publish.filling import fill, set_grades
from publish.scene import WRITES, MakeScene, Scene
from publish.trouble import spoil

ORAL = {"Oral": {"ann": "7", "bob": "8", "cy": "9", "dee": "10", "eve": "11", "fay": "12"}}
KINDS = {"schemas": "schema", "contents": "folder", "createAssignment": "column", "columns": "column", "users": "grade"}


@pytest.fixture
def oral(one_scene: Scene) -> Scene:
    """A course with a column for which six grades wait."""
    fill(one_scene.world.intake.store, {one_scene.course: ORAL})
    return one_scene


# --- intents and receipts


def test_each_write_has_an_intent_that_was_committed_before_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    written, missing, real = [], [], Transport._send

    def look_and_send(transport: Transport, request: PreparedRequest) -> End:
        path = str(request.url).partition("?")[0].split("/")
        if request.method in WRITES and path[-1] != "token":
            written.append(path[-1])
            with scene.world.look() as connection:  # another one than that of the run
                sent = select(PublishIntent.kind, PublishIntent.user_id).where(PublishIntent.state == "sent")
                kind = KINDS.get(path[-1]) or KINDS[path[-2]]
                found = [user for of_kind, user in connection.execute(sent) if of_kind == kind]
            if found != [""] and not (kind == "grade" and path[-1] in found):
                missing.append((kind, found))
        return real(transport, request)

    monkeypatch.setattr(Transport, "_send", look_and_send)
    term.begin(scene)
    term.run(scene)
    term.go_on(scene)
    term.run(scene)
    refused = 1  # of somebody who has no place for grades yet
    assert len(written) == sum(term.FIRST_WRITES.values()) + sum(term.SECOND_WRITES.values()) + refused
    assert missing == []


def test_the_answer_is_the_receipt(oral: Scene) -> None:
    oral.publish()
    column = oral.remote_column("Oral")["id"]
    grades = oral.site.every(f"v2/courses/courseId:{oral.course}/gradebook/columns/{column}/users")
    receipts = oral.rows(GradeReceipt)
    shown = {(Decimal(each["score"]), each["changeIndex"]) for each in grades}
    assert {(each.score, each.change_index) for each in receipts} == shown
    learners = {each.id: each.learner_id for each in oral.rows(PublishIntent)}
    assert [learners[each.intent_id] for each in receipts] == [each.learner_id for each in receipts]


def test_what_the_gradebook_makes_of_a_grade_is_told_not_sent_again_and_goes_with_ours(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Learn.patch_grade

    def patch_grade(*given: Any, **named: Any) -> Grade:  # noqa: ANN401
        grade = real(*given, **named)
        if grade.score != Decimal("7.125"):
            return grade
        scene.site.play(scene.course, "grade", column="Oral", user="ann", score="7.12")
        return replace(grade, score=Decimal("7.12"))

    monkeypatch.setattr(Learn, "patch_grade", patch_grade)
    scene.column()
    scene.grades(ann="7.125", bob=8)
    sent = scene.publish()
    assert dict(sent.outcomes) == {"CREATED": 2, "CONFLICT": 1}
    assert [(each.kind, each.name, each.detail) for each in sent.failures] == [("grade", "Oral", "GRADE_DIFFERS")]
    since = scene.mark()
    with scene.publisher() as publisher:
        publisher.look(clock.now())
    scene.grades(bob=9)
    scene.publish()
    assert scene.problems() == [("GRADE_DIFFERS", "Oral")]
    assert (len(scene.writes(since)), scene.count(GradeConflict)) == (1, 0)
    receipts = {each.value: each for each in scene.rows(GradeReceipt)}
    assert (receipts["7.125"].score, receipts["7.125"].intent_id is None) == (Decimal("7.12"), False)

    with scene.world.intake.store.writing() as session:
        session.execute(delete(StoredGrade).where(StoredGrade.value == "7.125"))
    scene.publish_all()
    assert (scene.there(), scene.problems()) == ({"Oral": {"bob": "9"}}, [])


def test_an_answer_that_shows_another_column_is_told_and_keeps_no_grade_back(
    oral: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Learn.create_column
    monkeypatch.setattr(Learn, "create_column", lambda *given: replace(real(*given), name="Oral exam"))
    sent = oral.publish()
    assert dict(sent.outcomes) == {"CONFLICT": 1, "CREATED": 6}
    assert [each.detail for each in sent.failures] == ["ANSWER_DIFFERS: name"]
    assert oral.problems() == [("ANSWER_DIFFERS", "Oral")]
    assert oral.there() == ORAL


# --- what our own files, or the gradebook, have overtaken


def test_a_grade_that_a_file_changed_after_the_plan_is_planned_anew(oral: Scene) -> None:
    oral.plan()
    set_grades(oral.world.intake.store, {"Oral": {"ann": "17"}})
    with oral.publisher() as publisher:
        assert dict(publisher.apply_free().outcomes) == {"CREATED": 6, "SKIPPED": 1}
    assert dict(oral.publish().outcomes) == {"CREATED": 1}
    assert oral.there()["Oral"]["ann"] == "17"


def test_a_column_that_a_file_changed_after_the_plan_is_planned_anew(oral: Scene) -> None:
    oral.plan()
    with oral.world.intake.store.writing() as session:
        session.execute(update(GradeColumn).values(points=50, line=9))
    with oral.publisher() as publisher:
        assert dict(publisher.apply_free().outcomes) == {"SKIPPED": 7}
    assert dict(oral.publish().outcomes) == {"CREATED": 7}
    assert oral.remote_column("Oral")["score"]["possible"] == 50


# --- what is refused


def test_a_grade_that_is_refused_is_told_and_the_others_go_on(oral: Scene) -> None:
    spoil(oral, "PATCH */users/*", kind="status", status=400, message="not so")
    sent = oral.publish()
    assert dict(sent.outcomes) == {"CREATED": 6, "REJECTED": 1}
    call = "gradeway_learn: PATCH v2/courses/{course}/gradebook/columns/{column}/users/{user}"
    assert [each.detail for each in sent.failures] == [f"GRADE_REFUSED: {call}: answered 400"]
    assert oral.problems() == [("GRADE_REFUSED", "Oral")]


def test_a_column_that_is_refused_is_told_and_its_grades_wait_without_a_call(oral: Scene) -> None:
    spoil(oral, "POST gradebook/columns", kind="status", status=400)
    since = oral.mark()
    assert dict(oral.publish().outcomes) == {"REJECTED": 1, "SKIPPED": 6}
    assert len(oral.writes(since)) == 1
    assert oral.problems() == [("REFUSED", "Oral")]
    since = oral.mark()
    assert oral.publish().outcomes == {}
    assert oral.calls(since) == []
    assert dict(oral.publish(everything=True).outcomes) == {"CREATED": 7}


def test_a_column_of_our_identifier_that_is_there_already_is_found_by_the_next_plan(oral: Scene) -> None:
    oral.plan()
    [column] = [each.after for each in oral.rows(PublishIntent) if each.kind == "column"]
    grading = {"type": "Manual", "anonymousGrading": {"type": "None"}}
    body = {"name": "Oral", "externalId": column["external_id"], "score": {"possible": 100}, "grading": grading}
    oral.site.ask("POST", f"v2/courses/courseId:{oral.course}/gradebook/columns", body, 201)
    with oral.publisher() as publisher:
        assert dict(publisher.apply_free().outcomes) == {"SKIPPED": 7}
    assert dict(oral.publish().outcomes) == {"CREATED": 6}
    assert oral.there() == ORAL


def test_a_text_that_would_clear_a_grade_is_refused_before_it_is_sent(oral: Scene) -> None:
    oral.plan()
    with oral.world.intake.store.writing() as session:
        session.execute(update(PublishIntent).where(PublishIntent.kind == "grade").values(after={"text": "-"}))
    since = oral.mark()
    with oral.publisher() as publisher:
        assert dict(publisher.apply_free().outcomes) == {"CREATED": 1, "REJECTED": 6}
    assert len(oral.writes(since)) == 1


def test_a_learner_who_left_is_told_apart_from_one_who_has_no_place_for_grades_yet(oral: Scene) -> None:
    oral.publish()
    set_grades(oral.world.intake.store, {"Oral": {"ann": "17", "bob": "18"}})
    oral.plan()
    ann = next(each["userId"] for each in oral.members() if each["user"]["userName"] == "ann")
    spoil(oral, "PATCH */users/*", kind="status", status=404, times=2)
    spoil(oral, f"GET users/{ann}", kind="status", status=404)
    with oral.publisher() as publisher:
        assert dict(publisher.apply_free().outcomes) == {"PARKED": 2}
    assert oral.problems() == [("LEARNER_UNKNOWN", "Oral"), ("NOT_POPULATED", "Oral")]


def test_a_learner_whose_membership_was_disabled_after_the_plan_is_told_as_such(oral: Scene) -> None:
    oral.publish()
    set_grades(oral.world.intake.store, {"Oral": {"ann": "17", "bob": "18"}})
    oral.plan()
    oral.play("disable", user="ann")
    with oral.publisher() as publisher:
        assert dict(publisher.apply_free().outcomes) == {"PARKED": 1, "UPDATED": 1}
    assert oral.problems() == [("LEARNER_DISABLED", "Oral")]
    oral.play("enable", user="ann")
    oral.publish(again=True)
    assert (oral.there()["Oral"]["ann"], oral.problems()) == ("17", [])


# --- how much at a time


def test_as_many_calls_are_under_way_at_a_time_as_the_setting_says(
    make_scene: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_scene(publish_threads=3)
    fill(scene.world.intake.store, {scene.course: ORAL})
    together, real = threading.Barrier(3, timeout=30), Transport._send
    under_way: Counter[str] = Counter()
    lock = threading.Lock()

    def send(transport: Transport, request: PreparedRequest) -> End:
        with lock:
            under_way["now"] += 1
            under_way["most"] = max(under_way["most"], under_way["now"])
        if request.method == "PATCH":
            together.wait()  # for three of the six grades
        end = real(transport, request)
        with lock:
            under_way["now"] -= 1
        return end

    monkeypatch.setattr(Transport, "_send", send)
    scene.publish()
    assert under_way == {"now": 0, "most": 3}
    assert scene.there() == ORAL


def test_grades_are_committed_by_the_chunk(oral: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    commits, real = [], Connection._commit_impl

    def commit(connection: Connection) -> None:
        commits.append(connection)
        real(connection)

    oral.plan()
    monkeypatch.setattr(send_grades, "CHUNK", 3)
    with oral.publisher() as publisher:
        monkeypatch.setattr(Connection, "_commit_impl", commit)
        publisher.apply_free()
    begun, column, chunk, counted, applied = 1, 2, 2, 1, 1
    assert len(commits) == begun + column + 2 * chunk + counted + applied
