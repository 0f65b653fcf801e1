"""Columns: made once under an identifier of ours, taken over by the rule that is set, never changed over a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gradeway.errors import NothingToResolveError, UnknownCourseError
from gradeway.publish.wanted import external_id
from gradeway.store.models import GradeColumn
from gradeway.store.publish import PublishedItem
from loading.world import World
from publish.scene import MakeScene, Scene

Rebuild = Callable[..., Scene]
HEADER = "courseId|name|description|duedate|points|optionalData"


@pytest.mark.parametrize("kind", ["Classic", "Ultra"])
def test_a_column_gets_what_the_file_says(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind, time_zone="Europe/Brussels")
    scene.land("colnc", HEADER, "{c}|Oral|On the first half|2026-12-01|12.5|")
    scene.publish()
    there = scene.remote_column("Oral")
    assert there["externalId"] == external_id(scene.course, "Oral")
    assert (there["description"], there["score"]["possible"]) == ("On the first half", 12.5)
    assert there["grading"]["due"] == "2026-12-01T22:59:00.000Z"  # 23:59 in Brussels
    assert (there["grading"]["type"], there["availability"]["available"]) == ("Manual", "Yes")


def test_columns_can_be_made_so_that_learners_do_not_see_them(make_scene: MakeScene) -> None:
    scene = make_scene(publish_columns_visible=False)
    scene.column()
    scene.publish()
    assert scene.remote_column("Oral")["availability"]["available"] == "No"


def test_points_of_more_decimals_than_a_gradebook_keeps_are_told_once(scene: Scene) -> None:
    scene.column(points="33.3333333")
    scene.publish()
    before = scene.mark()
    scene.publish(everything=True)
    assert scene.writes(before) == []


@pytest.mark.parametrize("kind", ["Classic", "Ultra"])
def test_what_changed_in_the_file_is_changed_and_nothing_else(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.land("colnc", HEADER, "{c}|Oral|First|2026-12-01|20|")
    scene.publish()
    scene.land("colnc", HEADER, "{c}|Oral|Second||20|")
    [line] = scene.plan().free.lines
    assert line.after == {"description": "Second", "due": None}
    assert line.in_words == "due 2026-12-01T23:59:00Z -> none, description First -> Second"
    scene.publish()
    there = scene.remote_column("Oral")
    assert (there["description"], there["grading"].get("due")) == ("Second", None)


@pytest.mark.parametrize(
    ("play", "name", "told"),
    [
        ({"do": "rename", "name": "Spoken"}, "Spoken", "name"),
        ({"do": "points", "possible": 30}, "Oral", "possible"),
        ({"do": "schema", "schema": "Percentage"}, "Oral", ""),
    ],
)
def test_what_a_teacher_changed_is_kept_through_every_run(
    scene: Scene, play: dict[str, object], name: str, told: str
) -> None:
    scene.column()
    scene.publish()
    scene.site.play(scene.course, column="Oral", **play)
    before, was = scene.mark(), scene.remote_column(name)
    scene.publish(everything=True)
    scene.grades(ann=7)
    scene.column(points=25)
    scene.publish()
    changes = [call for call in scene.writes(before) if "/users/" not in call]
    assert len(changes) == (0 if told == "possible" else 1)
    now = scene.remote_column(name)
    assert now["grading"].get("schemaId") == was["grading"].get("schemaId")
    assert now["score"]["possible"] == (30 if told == "possible" else 25)
    assert scene.there()[name] == {"ann": "7"}
    assert scene.problems() == ([("CHANGED_THERE", "Oral")] if told else [])


def test_what_a_teacher_gave_where_the_file_says_nothing_is_kept(scene: Scene) -> None:
    scene.column()
    scene.publish()
    column = f"v2/courses/courseId:{scene.course}/gradebook/columns/{scene.remote_column('Oral')['id']}"
    given = {"description": "See the syllabus", "grading": {"due": "2026-11-01T10:00:00.000Z"}}
    scene.site.ask("PATCH", column, given)
    before = scene.mark()
    scene.publish(everything=True)
    assert scene.writes(before) == []
    assert scene.problems() == [("CHANGED_THERE", "Oral")]


def test_what_a_teacher_changed_gives_way_when_somebody_insists(scene: Scene) -> None:
    scene.column()
    scene.publish()
    scene.play("rename", name="Spoken")
    scene.publish(everything=True)
    assert scene.due() == []
    scene.insist("Oral")
    assert scene.due() == [scene.course]
    scene.publish()
    assert [column["name"] for column in scene.remote_columns()] == ["Total", "Oral"]
    assert (scene.problems(), scene.due()) == ([], [])
    [item] = scene.rows(PublishedItem)
    assert (item.insist, item.decided_by, item.reason) == (False, "Eva", "by mistake")
    scene.play("rename", name="Spoken")  # once more: the decision was about the first time
    scene.publish(everything=True)
    assert scene.problems() == [("CHANGED_THERE", "Oral")]


def test_a_deleted_column_stays_deleted_until_somebody_insists(scene: Scene) -> None:
    scene.column()
    scene.grades(ann=7, bob=8)
    scene.publish()
    scene.play("grade", user="bob", score=3)
    scene.play("delete")
    scene.grades(ann=9)
    scene.publish()
    assert scene.there() == {}
    assert scene.problems() == [("COLUMN_GONE", "Oral"), ("COLUMN_WAITED_FOR", "Oral")]
    assert scene.due() == []
    scene.insist("Oral")
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "9", "bob": "8"}}
    assert (scene.problems(), scene.due()) == ([], [])


def test_only_what_somebody_changed_can_be_insisted_on(scene: Scene) -> None:
    scene.column()
    scene.publish()
    with pytest.raises(NothingToResolveError, match="Oral"):
        scene.insist("Oral")
    scene.course = "nowhere"
    with pytest.raises(UnknownCourseError):
        scene.insist("Oral")


# what is there already


def add(scene: Scene, name: str = "Oral", **more: object) -> str:
    """A teacher adds a column; return its id."""
    return str(scene.site.play(scene.course, "add", name=name, **more)["id"])


@pytest.mark.parametrize("kind", ["Classic", "Ultra"])
def test_by_name_a_teachers_column_is_taken_over_and_becomes_as_the_file_says(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind, column_provisioning="name")
    column_id = add(scene, possible=50)
    scene.play("grade", user="ann", score=7)
    scene.column()
    scene.grades(ann=7, bob=8)
    scene.publish()
    there = scene.remote_column("Oral")
    assert (there["id"], there["score"]["possible"]) == (column_id, 20)
    assert there["externalId"] == external_id(scene.course, "Oral")
    assert scene.there()["Oral"] == {"ann": "7", "bob": "8"}
    assert scene.conflicts() == []


def test_by_one_time_only_a_teachers_column_takes_grades_and_is_never_touched(make_scene: MakeScene) -> None:
    scene = make_scene(column_provisioning="once")
    column_id = add(scene, possible=50)
    scene.column()
    scene.column("Essay")
    scene.grades(ann=7)
    before = scene.mark()
    scene.publish()
    assert [call.split("/")[-1] for call in scene.writes(before)][:1] == ["columns"]
    assert len(scene.writes(before)) == 2
    there = scene.remote_column("Oral")
    assert (there["id"], there["score"]["possible"], there.get("externalId")) == (column_id, 50, None)
    assert scene.there() == {"Oral": {"ann": "7"}, "Essay": {}}


@pytest.mark.parametrize("rule", ["metadata", "always"])
def test_by_the_other_rules_a_name_means_nothing(make_scene: MakeScene, rule: str) -> None:
    scene = make_scene(column_provisioning=rule)
    add(scene)
    scene.land("colnc", HEADER, "{c}|Oral|||20|Type=final")
    scene.publish()
    names = [column["name"] for column in scene.remote_columns()]
    assert names == ["Total", "Oral", "Oral"]
    scene.publish(everything=True)
    assert len(scene.remote_columns()) == 3


def test_by_metadata_a_column_is_the_same_under_another_name(make_scene: MakeScene) -> None:
    scene = make_scene(column_provisioning="metadata")
    for key in ("final", "first"):
        scene.land("colnc", HEADER, f"{{c}}|Oral|||20|Type={key}")
    scene.publish()
    scene.land("colnc", HEADER, "{c}|Spoken|||20|Type=final")
    scene.publish()
    assert [column["name"] for column in scene.remote_columns()] == ["Total", "Spoken", "Oral"]


def test_by_always_each_row_is_a_column_of_its_own(make_scene: MakeScene) -> None:
    scene = make_scene(column_provisioning="always")
    scene.column()
    scene.column(points=21)
    scene.publish()
    assert [column["name"] for column in scene.remote_columns()] == ["Total", "Oral", "Oral"]


def test_of_two_columns_of_one_name_none_is_chosen(scene: Scene) -> None:
    add(scene)
    add(scene)
    scene.column()
    scene.column("Essay")
    scene.grades(ann=7)
    scene.publish()
    assert scene.problems() == [("COLUMN_AMBIGUOUS", "Oral"), ("COLUMN_WAITED_FOR", "Oral")]
    assert scene.remote_column("Essay")


def test_a_column_that_is_another_one_of_ours_is_not_taken_over(scene: Scene) -> None:
    scene.column()
    scene.publish()
    scene.play("rename", name="Essay")
    scene.column("Essay")
    scene.publish()
    assert scene.problems() == [("CHANGED_THERE", "Oral"), ("COLUMN_TAKEN", "Essay")]
    assert [column["name"] for column in scene.remote_columns()] == ["Total", "Essay"]


def test_a_calculated_column_there_takes_no_grades(scene: Scene) -> None:
    scene.column("Total")
    scene.grades(column="Total", ann=7)
    before = scene.mark()
    scene.publish()
    assert scene.problems() == [("COLUMN_KIND", "Total"), ("COLUMN_WAITED_FOR", "Total")]
    assert scene.writes(before) == []


@pytest.mark.parametrize("kind", ["Classic", "Ultra"])
def test_a_calculated_column_of_ours_is_left_to_a_person(make_scene: MakeScene, kind: str) -> None:
    scene = make_scene(kind)
    scene.columns("{c}|Sum|100||", suffix="col")
    before = scene.mark()
    scene.publish()
    assert scene.problems() == [("UNSUPPORTED_CALCULATED", "Sum")]
    assert (scene.writes(before), scene.due()) == ([], [])


# the external grade


def external(scene: Scene) -> list[str]:
    return [column["name"] for column in scene.remote_columns() if column.get("externalGrade")]


def test_the_external_grade_moves_with_the_file_to_and_fro(scene: Scene) -> None:
    scene.column()
    scene.column("Essay")
    for number, name in enumerate(("Oral", "Essay", "Oral")):
        scene.land("colext", ("courseId|name", "courseid|name", "COURSEID|name")[number], f"{{c}}|{name}")
        scene.publish()
        assert external(scene) == [name]
        assert (scene.problems(), scene.due()) == ([], [])
    before = scene.mark()
    scene.publish(everything=True)
    assert scene.writes(before) == []


def test_a_teachers_choice_of_the_external_grade_is_kept(scene: Scene) -> None:
    scene.column()
    scene.land("colext", "courseId|name", "{c}|Oral")
    scene.publish()
    scene.site.play(scene.course, "external", column="Total")
    scene.publish(everything=True)
    assert (external(scene), scene.problems()) == (["Total"], [("CHANGED_THERE", "Oral")])


def test_an_external_grade_that_is_ours_no_more_is_left_to_a_person(scene: Scene) -> None:
    scene.column()
    scene.land("colext", "courseId|name", "{c}|Oral")
    scene.publish()
    with scene.world.intake.store.writing() as session:  # as undoing the batch does
        session.query(GradeColumn).update({"external": False, "external_batch_id": None})
    scene.publish()
    [problem] = scene.all_problems()
    assert (external(scene), problem.code, problem.detail) == (["Oral"], "NOT_CARRIED", "external")
    assert scene.due() == []


def test_an_ultra_course_has_no_external_grade_and_says_so(ultra: Scene) -> None:
    ultra.column()
    ultra.land("colext", "courseId|name", "{c}|Oral")
    ultra.grades(ann=7)
    ultra.publish()
    assert ultra.problems() == [("EXTERNAL_UNSUPPORTED", "Oral")]
    assert ultra.there() == {"Oral": {"ann": "7"}}
    assert ultra.due() == []


# stores that know nothing of each other


@pytest.fixture
def rebuild(folder: Path, sqlite_template: Path) -> Iterator[Rebuild]:
    """Make a second store for the course of a scene, in which other batches came first."""
    made: list[World] = []

    def make(scene: Scene, **given: object) -> Scene:
        path = folder / "second.db"
        path.write_bytes(sqlite_template.read_bytes())
        made.append(World(folder / "second", f"sqlite:///{path}", **given))
        found = Scene(made[0], scene.site, scene.course)
        found.columns("elsewhere|A|10||", "elsewhere|B|10||")
        return found

    yield make
    for world in made:
        world.intake.store.engine.dispose()


def test_a_rebuilt_store_finds_the_columns_and_schemas_of_the_first_whatever_they_are_called_there(
    scene: Scene, rebuild: Rebuild
) -> None:
    rebuilt = rebuild(scene)
    for each in (scene, rebuilt):
        each.schemas("Letters|A=90:F=0")
        each.column(schema="Letters")
        each.assignment(available="Y")
        each.grades(ann=7)
    scene.publish()
    scene.play("rename", name="Spoken")
    before = scene.mark()
    rebuilt.publish(rebuilt.course)
    assert [call.split("/")[-2] for call in scene.writes(before)] == ["columns"]  # its name, as of any column found
    assert len(scene.remote_columns()) == 3
    assert rebuilt.there() == {"Oral": {"ann": "7"}, "Project": {}}


def test_a_rebuilt_store_finds_the_columns_of_rows_that_always_make_one(
    make_scene: MakeScene, rebuild: Rebuild
) -> None:
    scene = make_scene(column_provisioning="always")
    rebuilt = rebuild(scene, column_provisioning="always")
    for each in (scene, rebuilt):
        each.column(points=20)
        each.column(points=21)
    scene.publish()
    before = scene.mark()
    rebuilt.publish(rebuilt.course)
    assert scene.writes(before) == []
    assert [column["name"] for column in scene.remote_columns()] == ["Total", "Oral", "Oral"]
