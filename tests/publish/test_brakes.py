"""The brakes: what is too much waits for a person, in a plan of its own, and all else goes on."""

from __future__ import annotations

from typing import Any

import pytest

from gradeway.errors import BrakeError, UnknownPlanError
from gradeway.publish import outbox
from gradeway.publish.brakes import too_much
from gradeway.publish.grades import CLEARED
from gradeway.publish.ours import Ours
from gradeway.publish.plan import Line, Made, Risk
from gradeway.settings import Limit
from gradeway.store.models import Course, GradeColumn
from gradeway.store.publish import Action, Kind, PublishIntent
from publish.scene import MakeScene, Scene
from sessions.exams import Clock

LIMITS = {risk: Limit(2, 10) for risk in ("deletions", "decreases", "blanks", "changes", "unmatched")}
ALL = ("ann", "bob", "cy", "dee", "eve", "fay")
# So small that the few learners here are too many.
SMALL = "deletions=0/0 decreases=1/10 blanks=1/10 changes=3/50 unmatched=1/20"


def ours(published: dict[int, int]) -> Ours:
    return Ours(Course(id=1, source_id="C"), 0, (), {}, {}, {}, {}, published, frozenset(), {}, (), {}, is_whole=False)


def grade_line(learner: int, *risks: str, column: int = 1, is_new: bool = False, **after: object) -> Line:
    before: dict[str, Any] | None = None if is_new else {"score": "7"}
    about = (Kind.GRADE, Action.UPDATE, f"column {column}", column)
    return Line(*about, dict(after) or {"score": "8"}, before, learner_id=learner, risks=frozenset(risks))


def held(lines: list[Line], published: dict[int, int], unmatched: dict[int, int] | None = None) -> list[str]:
    """What is held, by the brakes' words, and whether those are just the lines that are at risk."""
    made = Made(1, "C", lines=lines)
    made.unmatched.update(unmatched or {})
    brakes, places = too_much(made, ours(published), LIMITS)
    for place, line in enumerate(lines):
        assert (place in places) == bool(line.risks or unmatched) or not brakes
    return [brake.in_words for brake in brakes]


@pytest.mark.parametrize("risk", [Risk.DELETIONS, Risk.DECREASES, Risk.BLANKS, Risk.CHANGES])
def test_only_what_is_above_both_limits_is_held(risk: str) -> None:
    at_risk = [grade_line(learner, risk) for learner in range(3)]
    harmless = [grade_line(9)]
    assert held(at_risk[:2] + harmless, {1: 10}) == []  # no more than two
    assert held(at_risk + harmless, {1: 30}) == []  # no more than a tenth
    assert held(at_risk + harmless, {1: 29}) == [f"3 of 29 {risk} in column 1", f"3 of 29 {risk}"]


def test_a_column_is_held_by_its_own_numbers_and_a_course_by_those_of_all() -> None:
    lines = [grade_line(learner, Risk.DECREASES) for learner in range(3)]
    assert held(lines, {1: 20, 2: 980}) == ["3 of 20 decreases in column 1"]
    spread = [grade_line(1, Risk.DECREASES, column=column) for column in (1, 2, 3)]
    assert held(spread, {1: 9, 2: 9, 3: 9}) == ["3 of 27 decreases"]


def test_new_zeros_count_among_the_new_grades() -> None:
    zeros = [grade_line(learner, Risk.BLANKS, is_new=True, score="0") for learner in range(3)]
    others = [grade_line(learner, is_new=True) for learner in range(3, 30)]
    assert held(zeros + others, {}) == []
    assert held(zeros + others[:-1], {}) == ["3 of 29 blanks in column 1", "3 of 29 blanks"]


def test_unmatched_learners_hold_what_would_go_to_the_others() -> None:
    lines = [grade_line(learner, is_new=True) for learner in range(26)]
    assert held(lines, {1: 1}, {1: 3}) == []
    assert held(lines[:-1], {1: 1}, {1: 3}) == ["3 of 29 unmatched in column 1"]


def test_a_column_whose_learners_are_missing_holds_no_other() -> None:
    essay = [grade_line(learner, is_new=True, column=2) for learner in range(3)]
    assert held(essay, {}, {1: 3}) == []  # not even where it has no call itself
    made = Made(1, "C", lines=[*essay, grade_line(9, is_new=True)])
    made.unmatched.update({1: 3})
    assert too_much(made, ours({}), LIMITS)[1].keys() == {3}


def test_learners_missing_here_and_there_hold_the_course() -> None:
    lines = [grade_line(learner, is_new=True, column=column) for learner in range(2) for column in (1, 2)]
    assert held(lines, {}, {1: 2, 2: 1}) == ["3 of 7 unmatched"]


def test_who_was_never_matched_holds_no_small_change_of_the_others() -> None:
    assert held([grade_line(1)], {1: 100}, {1: 3}) == []


def test_unmatched_learners_alone_hold_nothing() -> None:
    assert held([], {1: 1}, {1: 3}) == []


def test_a_column_counts_as_all_its_grades() -> None:
    line = Line(Kind.COLUMN, Action.DELETE, "Oral", 1, {}, {"name": "Oral"}, risks=frozenset([Risk.DELETIONS]))
    assert held([line], {1: 3, 2: 20}) == ["3 of 3 deletions in Oral", "3 of 23 deletions"]
    assert held([line], {1: 2, 2: 10}) == []


@pytest.mark.parametrize("risk", [Risk.DELETIONS, Risk.DECREASES, Risk.BLANKS])
def test_all_of_a_small_column_is_too_much_and_a_pair_is_not(risk: str) -> None:
    limits = {risk: Limit(5, 10), Risk.UNMATCHED: Limit(5, 20)}
    four = [grade_line(learner, risk) for learner in range(4)]

    def brakes(lines: list[Line], published: int) -> list[str]:
        found, _ = too_much(Made(1, "C", lines=lines), ours({1: published, 2: 100}), limits)
        return [brake.in_words for brake in found]

    assert brakes(four, 4) == [f"4 of 4 {risk} in column 1"]
    assert brakes(four[:3], 4) == []
    assert brakes(four[:2], 2) == []
    limits[risk] = Limit(5, 100)  # which nothing is more than
    assert brakes(four, 4) == []


def test_all_of_a_small_column_may_be_raised() -> None:
    better = [grade_line(learner, Risk.CHANGES) for learner in range(4)]
    limits = {Risk.CHANGES: Limit(5, 50), Risk.UNMATCHED: Limit(5, 20)}
    assert too_much(Made(1, "C", lines=better), ours({1: 4}), limits) == ([], {})


def test_grades_given_before_us_that_a_person_lets_us_replace_are_not_all_of_a_column() -> None:
    taken = [grade_line(learner, Risk.DECREASES) for learner in range(3)]
    limits = {Risk.DECREASES: Limit(5, 10), Risk.UNMATCHED: Limit(5, 20)}
    assert too_much(Made(1, "C", lines=taken), ours({}), limits) == ([], {})


def test_no_setting_lets_a_schema_in_use_go() -> None:
    line = Line(Kind.SCHEMA, Action.UPDATE, "Letters", 1, {}, {"symbols": []}, risks=frozenset([Risk.SCHEMAS]))
    made, known = Made(1, "C", lines=[line]), ours({1: 1000, 2: 300, 3: 7})
    limits = dict.fromkeys(LIMITS, Limit(10_000, 100))
    told = [brake.in_words for brake in too_much(made, known, limits)[0]]
    assert told == ["the schema Letters would show the grades of others otherwise"]
    known.columns = [GradeColumn(id=key, schema_id=schema) for key, schema in ((1, 1), (2, 1), (3, 2))]
    told = [brake.in_words for brake in too_much(made, known, limits)[0]]
    assert told == ["the schema Letters would show 1,300 of our grades in 2 columns otherwise"]


# what is at risk


@pytest.fixture
def published(make_scene: MakeScene) -> Scene:
    """A course in which all learners have 7, and brakes that are easily on."""
    scene = make_scene(publish_brakes=SMALL)
    scene.column()
    scene.grades(**dict.fromkeys(ALL, 7))
    scene.publish()
    return scene


def risks(scene: Scene) -> list[str]:
    return sorted({risk for part in planned_parts(scene) for line in part for risk in line.risks})


def planned_parts(scene: Scene) -> list[Any]:
    planned = scene.plan()
    return [planned.free.lines, planned.held.lines]


@pytest.mark.parametrize(
    ("value", "found"),
    [("8", ["changes"]), ("6", ["changes", "decreases"]), ("0", ["blanks", "changes", "decreases"])],
)
def test_what_a_changed_grade_risks(published: Scene, value: str, found: list[str]) -> None:
    published.grades(ann=value)
    assert risks(published) == found


def test_what_a_new_zero_and_a_grade_that_is_gone_risk(published: Scene) -> None:
    published.column("Essay")
    published.grades(column="Essay", ann=0, bob=7)
    assert risks(published) == ["blanks"]
    published.publish()
    published.remove_grades("Oral", "ann")
    assert risks(published) == ["blanks", "deletions"]


def test_a_worse_symbol_is_a_decrease_and_a_better_one_is_not(make_scene: MakeScene) -> None:
    scene = make_scene(publish_brakes=SMALL)
    scene.schemas("Letters|F=0:A=90:B=80")
    scene.column(schema="Letters")
    scene.grades(ann="B", bob="B")
    scene.publish()
    scene.grades(ann="A")
    assert risks(scene) == ["changes"]
    scene.grades(ann="F", cy="F")
    assert risks(scene) == ["blanks", "changes", "decreases"]
    assert [line.risks for line in scene.plan(again=True).free.lines if line.learner == "cy"] == [frozenset()]


# held and approved


def test_what_is_too_much_is_held_and_all_else_goes(published: Scene) -> None:
    published.grades(ann=3, bob=4, cy=8)
    published.column("Essay")
    sent = published.publish()
    assert dict(sent.outcomes) == {"UPDATED": 1, "CREATED": 1}
    assert published.there() == {"Oral": dict.fromkeys(ALL, "7") | {"cy": "8"}, "Essay": {}}


def test_a_held_plan_is_sent_only_by_the_digest_that_was_approved(published: Scene) -> None:
    published.grades(ann=3, bob=4)
    planned = published.plan()
    assert [brake.in_words for brake in planned.brakes] == ["2 of 6 decreases in Oral", "2 of 6 decreases"]
    with published.publisher() as publisher:
        with pytest.raises(BrakeError, match=r"2 of 6 decreases in Oral; 2 of 6 decreases"):
            publisher.apply(planned.held.digest)
        with pytest.raises(UnknownPlanError):
            publisher.apply("0" * 64)
        published.approve(planned.held.digest)
        assert dict(publisher.apply(planned.held.digest).outcomes) == {"UPDATED": 2}
        assert publisher.apply(planned.held.digest).outcomes == {}  # once
    assert {intent.approved_by for intent in published.rows(PublishIntent) if intent.after == {"score": "3"}} == {"Eva"}


def test_what_is_approved_is_sent_by_the_next_run(published: Scene) -> None:
    published.grades(ann=3, bob=4)
    published.approve(published.plan().held.digest)
    assert dict(published.publish().outcomes) == {"UPDATED": 2}


def test_what_waits_is_not_planned_again_by_every_run(published: Scene) -> None:
    published.grades(ann=3, bob=4)
    published.publish()
    before = published.mark()
    assert published.due() == []
    published.publish()
    assert published.calls(before) == []


def test_what_was_held_stays_held_whatever_is_added(published: Scene) -> None:
    published.grades(ann=3, bob=4)
    first = published.plan()
    published.play("enrol", user="gil")
    published.column("Essay")
    published.grades(column="Essay", **dict.fromkeys(ALL, 7))
    published.grades(gil=7)
    published.publish()
    published.grades(cy=8)
    planned = published.plan()
    assert [line.after for line in planned.free.lines] == [{"score": "8"}]
    assert planned.held.digest == first.held.digest
    assert published.there()["Oral"]["ann"] == "7"


def test_what_was_held_stays_held_though_no_brake_is_on_any_more(published: Scene) -> None:
    published.grades(ann=3, bob=4)
    published.plan()
    published.grades(bob=7)  # so that one decrease is left
    planned = published.plan()
    assert (planned.free.lines, [line.after for line in planned.held.lines]) == ([], [{"score": "3"}])
    with published.publisher() as publisher, pytest.raises(BrakeError, match=planned.reasons[0]):
        publisher.apply(planned.held.digest)


def test_what_was_approved_goes_though_the_plan_was_made_anew_again_and_again(published: Scene) -> None:
    published.grades(ann=3, bob=4)
    published.approve(published.plan().held.digest)
    published.grades(cy=5, dee=6)  # which is too much as well
    for _ in range(2):
        planned = published.plan()
        assert [line.after for line in planned.free.lines] == [{"score": "3"}, {"score": "4"}]
        assert [line.after for line in planned.held.lines] == [{"score": "5"}, {"score": "6"}]
    published.publish()
    assert published.there()["Oral"] == dict.fromkeys(ALL, "7") | {"ann": "3", "bob": "4"}
    approved = {intent.after.get("score"): intent.approved_by for intent in published.rows(PublishIntent)}
    assert (approved["3"], approved["5"], approved["7"]) == ("Eva", "", "")


def test_an_approval_is_over_after_its_time(published: Scene, passing: Clock) -> None:
    published.grades(ann=3, bob=4)
    digest = published.plan().held.digest
    published.approve(digest)
    passing.pass_by(24 * 3600 - 1)
    assert published.plan().held.lines == []
    passing.pass_by(2)
    assert len(published.plan().held.lines) == 2
    with published.publisher() as publisher, pytest.raises(BrakeError):
        publisher.apply(digest)


def test_an_approval_of_other_calls_is_none_of_these(published: Scene) -> None:
    published.grades(ann=3, bob=4)
    published.approve(published.plan().held.digest)
    published.grades(ann=2)
    planned = published.plan()
    assert [line.after for line in planned.free.lines] == [{"score": "4"}]
    assert [line.after for line in planned.held.lines] == [{"score": "2"}]


def test_a_plan_that_was_replaced_can_be_neither_approved_nor_sent(published: Scene) -> None:
    published.grades(ann=3, bob=4)
    old = published.plan().held.digest
    published.grades(ann=2)
    published.plan()
    with pytest.raises(UnknownPlanError):
        published.approve(old)


def test_a_free_plan_that_becomes_too_much_is_held(published: Scene, make_scene: MakeScene) -> None:
    published.grades(ann=8, bob=8)
    free = published.plan().free
    strict = make_scene(publish_brakes="changes=0/0")
    strict.course = published.course
    planned = strict.plan(again=True)
    assert (planned.held.digest, planned.free.lines) == (free.digest, [])
    assert strict.publish().outcomes == {}


def test_a_grade_that_is_as_it_was_again_needs_nothing(published: Scene) -> None:
    published.grades(ann=3, bob=4)
    published.plan()
    published.grades(ann=7, bob=7)
    assert published.due() == [published.course]  # as there is a plan that nobody should approve any more
    published.publish()
    assert {intent.state for intent in published.rows(PublishIntent)} == {"done"}
    assert (published.there()["Oral"], published.due()) == (dict.fromkeys(ALL, "7"), [])


def test_unmatched_learners_hold_a_column_until_somebody_has_looked(make_scene: MakeScene) -> None:
    scene = make_scene(publish_brakes=SMALL)
    scene.column()
    scene.column("Essay")
    scene.grades(ann=7, nobody=7, noone=7)
    scene.grades(column="Essay", **dict.fromkeys(ALL, 7))
    planned = scene.plan()
    assert [brake.in_words for brake in planned.brakes] == ["2 of 3 unmatched in Oral"]
    scene.publish()
    assert scene.there() == {"Oral": {}, "Essay": dict.fromkeys(ALL, "7")}
    scene.approve(planned.held.digest)
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "7"}, "Essay": dict.fromkeys(ALL, "7")}


def test_a_cleared_grade_is_always_held_by_default(scene: Scene) -> None:
    scene.column()
    scene.grades(**dict.fromkeys(ALL, 7))
    scene.publish()
    scene.remove_grades("Oral", "ann")
    planned = scene.plan()
    assert [(line.action, line.after) for line in planned.held.lines] == [("clear", CLEARED)]


@pytest.mark.parametrize("change", [{"points": 200}, {"schema": "Letters"}])
def test_what_changes_how_all_grades_of_a_column_are_seen_counts_as_all_of_them(
    published: Scene, change: dict[str, object]
) -> None:
    published.schemas("Letters|A=90:F=0")
    published.column("Essay")
    published.grades(column="Essay", **dict.fromkeys(ALL[:3], 7))
    published.publish()
    published.column(**change)
    published.column("Essay", due="2026-12-01", **change)
    published.grades(ann=8)
    published.grades(column="Essay", ann=8)
    planned = published.plan()
    assert [brake.in_words for brake in planned.brakes] == ["6 of 6 changes in Oral", "9 of 9 changes"]
    assert {(line.kind, line.action) for line in planned.held.lines} == {("column", "update"), ("grade", "update")}
    published.publish()
    assert published.there()["Oral"]["ann"] == "7"
    published.approve(planned.held.digest)
    published.publish()
    assert published.there()["Oral"]["ann"] == "8"


def test_a_grade_waits_for_the_change_of_its_column_and_all_others_go(published: Scene) -> None:
    published.column("Essay")
    published.play("enrol", user="gil")
    published.column(points=200)
    published.grades(gil=150)
    published.grades(column="Essay", **dict.fromkeys(ALL, 7))
    planned = published.plan()
    assert [(line.kind, line.name, line.learner) for line in planned.held.lines] == [
        ("column", "Oral", ""),
        ("grade", "Oral", "gil"),
    ]
    published.publish()
    assert published.there() == {"Oral": dict.fromkeys(ALL, "7"), "Essay": dict.fromkeys(ALL, "7")}


def test_a_new_due_date_and_a_column_without_grades_are_free(published: Scene) -> None:
    published.column("Essay")
    published.publish()
    published.column(due="2026-12-01")
    published.column("Essay", points=200)
    assert published.plan().held.lines == []
    assert risks(published) == []


def test_an_approval_that_was_begun_and_not_carried_out_in_time_holds_no_more(
    make_scene: MakeScene, passing: Clock
) -> None:
    scene = make_scene(publish_brakes="decreases=0/0")
    scene.column()
    scene.grades(ann=10)
    scene.publish()
    scene.grades(ann=9)
    held = scene.plan().held
    scene.approve(held.digest)
    outbox.begin(scene.world.intake.store, scene.target, held.digest, scene.settings)
    passing.pass_by(3600 * scene.settings.publish_approval_hours)
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "10"}}
    assert [line.after for line in scene.plan(again=True).held.lines] == [{"score": "9"}]
