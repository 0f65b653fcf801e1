"""Files in, gradebook filled: schemas before columns, columns before grades, each once, and each with a receipt."""

from __future__ import annotations

from gradeway.store.publish import GradeReceipt, PublishedItem, PublishIntent
from loading.installations import BOTH_KINDS
from publish.scene import Scene

pytestmark = BOTH_KINDS
SCHEMA = "Letters|A=90:B=80:F=0|"
DUE = "2026-12-01"


def land_a_term(scene: Scene) -> None:
    scene.land("sch", "title|symbols|optionalData", SCHEMA)
    scene.columns(f"{{c}}|Oral|20||{DUE}", "{c}|Essay|100|Letters|")
    scene.land("asg", "courseId|name|points|attempts|available|contentAreaName", "{c}|Project|50|-1|Y|Tasks")
    scene.grades(ann=7, bob="12.5", cy=0)
    scene.grades(column="Essay", ann="A", bob="81")


def test_a_term_appears_in_the_gradebook_and_a_second_run_sends_nothing(scene: Scene) -> None:
    land_a_term(scene)
    sent = scene.publish()
    assert (dict(sent.outcomes), sent.failures, sent.paused) == ({"CREATED": 10, "UPDATED": 1}, [], "")
    assert scene.there() == {
        "Oral": {"ann": "7", "bob": "12.5", "cy": "0"},
        "Essay": {"ann": "100", "bob": "81"},
        "Project": {},
    }
    assert scene.count(GradeReceipt) == 5
    assert scene.count(PublishedItem) == 4
    before = scene.mark()
    assert scene.publish().outcomes == {}
    assert scene.calls(before) == []
    assert scene.publish(everything=True).outcomes == {}
    assert scene.writes(before) == []
    assert {intent.state for intent in scene.rows(PublishIntent)} == {"done"}


def test_schemas_come_before_columns_and_columns_before_grades(scene: Scene) -> None:
    land_a_term(scene)
    before = scene.mark()
    scene.publish()
    kinds = [call.split("/")[-1] if "/users/" not in call else "grade" for call in scene.writes(before)]
    assert kinds[:2] == ["schemas", "contents"]
    assert set(kinds[2:-5]) <= {"columns", "createAssignment", kinds[5]}
    assert kinds[-5:] == ["grade"] * 5


def test_a_changed_grade_is_one_call_and_the_reads_of_its_column(scene: Scene) -> None:
    land_a_term(scene)
    scene.publish()
    scene.grades(ann=8)
    before = scene.mark()
    assert dict(scene.publish().outcomes) == {"UPDATED": 1}
    assert len(scene.writes(before)) == 1
    assert scene.there()["Oral"]["ann"] == "8"
