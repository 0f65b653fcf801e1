"""Grade schemas: bounds that leave no gap, made once, taken over by title, never changed over a person."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gradeway.errors import NothingToResolveError
from gradeway.publish.reasons import PublishReason
from gradeway.publish.wanted import RefusedError, symbols
from gradeway.store.models import GradeSchema
from publish.scene import Scene

LETTERS = "Letters|A=90:B=80:F=0"


def schema(*pairs: tuple[str, str | None]) -> GradeSchema:
    return GradeSchema(id=1, title="Letters", symbols=[list(pair) for pair in pairs])


def there(scene: Scene, title: str = "Letters") -> list[tuple[str, Any, Any, Any]]:
    """The symbols of a schema there: text, lower bound, upper bound, own value."""
    found = scene.site.every(f"v1/courses/courseId:{scene.course}/gradebook/schemas")
    [symbols] = [each["symbols"] for each in found if each["title"] == title]
    return [(each["text"], each["lowerBound"], each["upperBound"], each["absoluteValue"]) for each in symbols]


def schema_id(scene: Scene, title: str = "Letters") -> str:
    [found] = [
        each["id"]
        for each in scene.site.every(f"v1/courses/courseId:{scene.course}/gradebook/schemas")
        if each["title"] == title
    ]
    return str(found)


def change(scene: Scene, **changes: object) -> None:
    """Change the schema as a teacher does, for whom the same rules hold as for the API."""
    path = f"v1/courses/courseId:{scene.course}/gradebook/schemas/{schema_id(scene)}"
    scene.site.ask("PATCH", path, changes)


def symbol(text: str, lower: float, upper: float, own: float) -> dict[str, object]:
    return {"text": text, "lowerBound": lower, "upperBound": upper, "absoluteValue": own}


@pytest.mark.parametrize("is_ultra", [False, True])
def test_a_symbol_reaches_up_to_the_next_and_counts_as_its_middle(is_ultra: bool) -> None:
    found = symbols(schema(("F", "0"), ("A", "95"), ("B", "47.5")), is_ultra=is_ultra)
    assert found == [["A", "95", "100", "100"], ["B", "47.5", "95", "71.25"], ["F", "0", "47.5", "23.75"]]


def test_the_best_symbol_counts_as_100_even_where_it_begins_there() -> None:
    found = symbols(schema(("A", "100"), ("F", "0")), is_ultra=False)
    assert found == [["A", "100", "100", "100"], ["F", "0", "100", "50"]]


@pytest.mark.parametrize(("is_ultra", "own"), [(False, "50.063"), (True, "50.0625")])
def test_the_middle_has_as_many_decimals_as_the_course_takes(is_ultra: bool, own: str) -> None:
    (_, middle, _) = symbols(schema(("A", "100"), ("B", "0.125"), ("F", "0")), is_ultra=is_ultra)
    assert middle == ["B", "0.125", "100", own]


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([("A", None), ("F", None)], PublishReason.SCHEMA_UNBOUND),
        ([("P", "0")], PublishReason.SCHEMA_TOO_SHORT),
    ],
)
def test_symbols_without_bounds_or_too_few_are_refused(
    pairs: list[tuple[str, str | None]], reason: PublishReason
) -> None:
    with pytest.raises(RefusedError) as refused:
        symbols(schema(*pairs), is_ultra=True)
    assert refused.value.reason is reason


def test_one_symbol_is_enough_for_an_original_course() -> None:
    assert symbols(schema(("P", "0")), is_ultra=False) == [["P", "0", "100", "100"]]


def test_a_schema_is_made_once_and_shows_the_scores(scene: Scene) -> None:
    scene.schemas(LETTERS)
    scene.column("Essay", schema="Letters")
    scene.column("Oral", schema="Letters")
    scene.grades(ann=19, bob="B")
    before = scene.mark()
    scene.publish()
    assert [call for call in scene.writes(before) if call.endswith("schemas")] == [
        f"POST /learn/api/public/v1/courses/{course_id(scene)}/gradebook/schemas"
    ]
    assert there(scene) == [("A", 90, 100, 100), ("B", 80, 90, 85), ("F", 0, 80, 40)]
    assert {scene.remote_column(name)["grading"]["schemaId"] for name in ("Essay", "Oral")} == {schema_id(scene)}
    assert scene.there()["Oral"] == {"ann": "19", "bob": "17"}  # 85 percent of 20
    assert scene.problems() == []


def course_id(scene: Scene) -> str:
    return str(scene.site.ask("GET", f"v3/courses/courseId:{scene.course}")["id"])


def test_a_schema_of_the_title_that_is_there_is_taken_over_with_its_own_values(scene: Scene) -> None:
    bounds = "A+=97:A=94:A-=90:B+=87:B=84:B-=80:C+=77:C=74:C-=70:D+=67:D=64:D-=60:F=0"
    scene.schemas(f"Letter|{bounds}")
    scene.column(schema="Letter")
    before, was = scene.mark(), there(scene, "Letter")
    scene.publish()
    assert [call.split("/")[-1] for call in scene.writes(before)] == ["columns"]
    assert there(scene, "Letter") == was
    assert was[0] == ("A+", 97, 100, Decimal("98.5"))


def test_a_taken_over_schema_of_an_ultra_course_is_changed_once_it_was_approved(ultra: Scene) -> None:
    ultra.schemas("Letter|P=50:F=0")
    ultra.column(schema="Letter")
    ultra.publish()
    assert there(ultra, "Letter") == [("P", 50, 100, 100), ("F", 0, 50, 25)]  # nothing used it yet
    ultra.schemas("Letter|P=40:F=0")
    planned = ultra.plan()
    assert ([line.kind for line in planned.held.lines], planned.free.lines) == (["schema"], [])
    assert planned.held.lines[0].in_words == "symbols P=50/F=0 -> P=40/F=0"
    ultra.publish()
    assert there(ultra, "Letter")[0][1] == 50
    ultra.approve(planned.held.digest)
    ultra.publish()
    assert there(ultra, "Letter")[0][1] == 40


def test_an_ultra_course_gets_no_new_schema_and_says_so(ultra: Scene) -> None:
    ultra.schemas(LETTERS)
    ultra.column(schema="Letters")
    ultra.column("Essay")
    ultra.grades(ann="A")
    ultra.publish()
    assert ultra.there() == {"Essay": {}}
    assert ultra.problems() == [
        ("COLUMN_WAITED_FOR", "Oral"),
        ("SCHEMA_CREATE_UNSUPPORTED", "Letters"),
        ("SCHEMA_WAITED_FOR", "Oral"),
    ]
    assert ultra.due() == []


def test_a_schema_whose_symbols_have_no_bounds_is_told_with_what_waits_for_it(scene: Scene) -> None:
    scene.schemas("Words|good:bad")
    scene.column(schema="Words")
    scene.grades(ann="good")
    scene.publish()
    assert scene.problems() == [
        ("COLUMN_WAITED_FOR", "Oral"),
        ("SCHEMA_UNBOUND", "Words"),
        ("SCHEMA_WAITED_FOR", "Oral"),
    ]
    scene.schemas("Words|good=50:bad=0")
    scene.publish()
    assert scene.there() == {"Oral": {"ann": "20"}}
    assert scene.problems() == []


def test_a_schema_of_the_title_without_symbols_is_left_alone(scene: Scene) -> None:
    scene.schemas("Percentage|A=50:F=0")
    scene.column(schema="Percentage")
    scene.publish()
    assert scene.problems() == [("SCHEMA_KIND", "Percentage"), ("SCHEMA_WAITED_FOR", "Oral")]


def test_of_two_schemas_of_one_title_none_is_chosen(scene: Scene) -> None:
    for _ in range(2):
        new = {"title": "Letters", "scaleType": "Tabular", "symbols": [symbol("A", 0, 100, 100)]}
        scene.site.ask("POST", f"v1/courses/courseId:{scene.course}/gradebook/schemas", new, 201)
    scene.schemas(LETTERS)
    scene.column(schema="Letters")
    scene.publish()
    assert scene.problems() == [("SCHEMA_AMBIGUOUS", "Letters"), ("SCHEMA_WAITED_FOR", "Oral")]


def test_symbols_that_a_teacher_changed_are_kept_until_somebody_insists(scene: Scene) -> None:
    scene.schemas(LETTERS)
    scene.column(schema="Letters")
    scene.publish()
    change(scene, symbols=[symbol("A", 70, 100, 100), symbol("F", 0, 70, 35)])
    scene.schemas("Letters|A=91:F=0")
    scene.publish()
    assert scene.problems() == [("CHANGED_THERE", "Letters")]
    assert there(scene)[0][1] == 70
    assert scene.due() == []
    scene.insist(schema="Letters")
    assert scene.due() == [scene.course]
    scene.publish_all()  # a schema in use changes by approval only
    assert there(scene)[0][1] == 91
    assert scene.problems() == []
    with pytest.raises(NothingToResolveError, match=r"nothing to decide about in course \S+, Letters"):
        scene.insist(schema="Letters")


def test_a_teachers_own_value_of_a_symbol_is_no_change_and_stays(scene: Scene) -> None:
    scene.schemas(LETTERS)
    scene.column(schema="Letters")
    scene.publish()
    change(scene, symbols=[symbol("A", 90, 100, 97), symbol("B", 80, 90, 85), symbol("F", 0, 80, 40)])
    before = scene.mark()
    scene.publish(everything=True)
    assert (scene.problems(), scene.writes(before)) == ([], [])
    assert there(scene)[0][3] == 97


def test_a_schema_that_a_teacher_renamed_is_still_ours(scene: Scene) -> None:
    scene.schemas(LETTERS)
    scene.column(schema="Letters")
    scene.publish()
    change(scene, title="Old letters")
    scene.column("Essay", schema="Letters")
    before = scene.mark()
    scene.publish(everything=True)
    assert [call.split("/")[-1] for call in scene.writes(before)] == ["columns"]
    assert scene.remote_column("Essay")["grading"]["schemaId"] == schema_id(scene, "Old letters")


def test_a_deleted_schema_comes_back_only_when_somebody_insists(scene: Scene) -> None:
    scene.schemas(LETTERS)
    scene.column(schema="Letters")
    scene.publish()
    scene.play("schema", schema="Score")
    scene.site.ask("DELETE", f"v1/courses/courseId:{scene.course}/gradebook/schemas/{schema_id(scene)}")
    scene.schemas("Letters|A=91:F=0")
    scene.publish()
    assert scene.problems() == [("SCHEMA_GONE", "Letters"), ("SCHEMA_WAITED_FOR", "Oral")]
    scene.insist(schema="Letters")
    scene.publish()
    assert there(scene)[0] == ("A", 91, 100, 100)


def test_a_column_whose_schema_was_taken_away_shows_scores_again(scene: Scene) -> None:
    scene.schemas(LETTERS)
    scene.column(schema="Letters")
    scene.publish()
    scene.column()
    planned = scene.plan()
    assert [line.in_words for line in planned.free.lines] == ["schema Letters -> none"]
    scene.publish()
    assert scene.remote_column("Oral")["grading"]["schemaId"] == schema_id(scene, "Score")
    assert scene.plan(everything=True).free.lines == []


def test_a_schema_that_only_a_calculated_column_uses_is_made_for_the_person_who_makes_that(scene: Scene) -> None:
    scene.schemas(LETTERS)
    scene.columns("{c}|Sum|100|Letters|", suffix="col")
    scene.publish()
    assert len(there(scene)) == 3
    assert scene.problems() == [("UNSUPPORTED_CALCULATED", "Sum")]
    assert scene.due() == []
