"""What differs goes into flat files, once, and the importer ends with what the store has."""

from __future__ import annotations

import stat
from collections.abc import Callable

import pytest
from sqlalchemy import update

from gradeway.publish.why import lives
from gradeway.store.models import GradeColumn, GradeSchema
from gradeway.store.publish import FILES, GradeReceipt, PublishedItem, PublishIntent
from publish.file_scene import TERM, FileScene, land_a_term
from sessions.exams import Clock

MakeFiles = Callable[..., FileScene]


def other_course(scene: FileScene, course: str = "STA201") -> FileScene:
    """The same folder and store, for another course."""
    return FileScene(scene.world, scene.importer, course)


def test_a_term_goes_into_files_and_a_second_run_writes_nothing(files: FileScene) -> None:
    land_a_term(files)
    sent = files.publish()
    [schemas] = files.names()
    assert sent.paused == f"10 rows wait until the importer has taken {schemas} from its folder"
    assert files.publish_and_take() == TERM
    assert files.imported() == files.world.gradebook()
    assert files.count(GradeReceipt) == 5
    assert files.publish().outcomes == {}
    assert files.publish(everything=True).outcomes == {}
    assert files.names() == files.hidden() == files.due() == files.problems() == []
    assert {intent.state for intent in files.rows(PublishIntent)} == {"done"}


def test_only_what_differs_is_written_the_second_day(files: FileScene) -> None:
    land_a_term(files)
    files.publish_and_take()
    files.columns("{c}|Oral|25||2026-12-01")
    files.land("colext", "courseId|name", "{c}|Oral")
    files.grades(ann=9, bob="12.5", dee=11)
    assert files.publish_and_take() == [
        "colnc: ANA101|Oral||2026-12-01|25||",
        "colext: ANA101|Oral",
        "colncval: ANA101|ann|Oral|9",
        "colncval: ANA101|dee|Oral|11",
    ]
    assert files.imported() == files.world.gradebook()
    assert files.publish(everything=True).outcomes == {}


def test_a_column_that_gets_and_loses_a_schema(files: FileScene) -> None:
    files.column()
    files.publish_and_take()
    files.schemas("Letters|A=90:F=0")
    files.column(schema="Letters")
    files.grades(ann="A")
    rows = ["sch: Letters|A=90:F=0|", "colnc: ANA101|Oral|||20|Letters|", "colncval: ANA101|ann|Oral|A"]
    assert files.publish_and_take() == rows
    files.grades(ann=8)
    files.column(points="20.0")
    assert files.publish_and_take() == ["colnc: ANA101|Oral|||20||", "colncval: ANA101|ann|Oral|8"]
    assert files.imported() == files.world.gradebook()


def test_one_file_has_the_rows_of_many_courses_and_a_schema_once(files: FileScene) -> None:
    files.schemas("Letters|A=90:F=0")
    courses = [files, other_course(files), other_course(files, "ZOO1")]
    for each in courses:
        each.column(schema="Letters")
        each.grades(ann="A")
    sent = files.publish()
    assert dict(sent.outcomes) == {"CREATED": 1, "UNCHANGED": 2}
    rows = files.publish_and_take()
    assert rows == [
        "sch: Letters|A=90:F=0|",
        *(f"colnc: {each.course}|Oral|||20|Letters|" for each in courses),
        *(f"colncval: {each.course}|ann|Oral|A" for each in courses),
    ]
    assert len({each.remote_id for each in files.rows(PublishIntent) if each.kind == "grade"}) == 1
    assert files.publish(everything=True).outcomes == {}
    later = other_course(files, "AAA1")
    later.column(schema="Letters")
    assert files.publish_and_take() == ["colnc: AAA1|Oral|||20|Letters|"]
    assert files.publish(everything=True).outcomes == {}


def test_a_changed_schema_waits_for_one_person_and_is_written_once(files: FileScene) -> None:
    files.schemas("Letters|A=90:F=0")
    courses = [files, other_course(files)]
    for each in courses:
        each.column(schema="Letters")
        each.grades(ann="A")
    files.publish_and_take()
    files.schemas("Letters|A=92:F=0")
    with files.publisher() as publisher:
        planned = publisher.plan().planned
        assert [len(each.held.lines) for each in planned] == [1, 0]
        assert publisher.apply_free().outcomes == {}
        [line] = planned[0].held.lines
        assert line.in_words == "symbols A=90:F=0 -> A=92:F=0"
        files.approve(planned[0].held.digest)
        assert publisher.apply(planned[0].held.digest).outcomes == {"UPDATED": 1}
    assert files.take() == ["sch: Letters|A=92:F=0|"]
    assert files.publish_and_take() == files.due() == []
    assert files.imported() == files.world.gradebook()


def test_a_grade_with_a_new_symbol_waits_with_the_schema(files: FileScene) -> None:
    files.schemas("Letters|A=90:F=0")
    files.column(schema="Letters")
    files.publish_and_take()
    files.schemas("Letters|A=90:B=80:F=0")
    files.grades(ann="A", bob="B")
    assert files.publish_and_take() == []
    assert files.problems() == []
    line, *_ = files.plan(again=True).held.lines
    files.approve(files.plan(again=True).held.digest)
    files.publish()
    assert files.take() == ["sch: Letters|A=90:B=80:F=0|"]
    assert line.in_words == "symbols A=90:F=0 -> A=90:B=80:F=0"
    assert files.publish_and_take() == ["colncval: ANA101|ann|Oral|A", "colncval: ANA101|bob|Oral|B"]
    assert files.imported() == files.world.gradebook()


def test_a_schema_that_goes_back_to_what_it_was_is_written_again(files: FileScene) -> None:
    first, second = "Letters|A=90:F=0", "Letters|A=92:F=0"
    files.schemas(first)
    courses = [files, other_course(files)]
    for each in courses:
        each.column(schema="Letters")
    files.publish_all()
    files.take()
    for symbols in (second, first):
        with files.world.intake.store.writing() as session:
            bounds = [["A", symbols[10:12]], ["F", "0"]]
            session.execute(update(GradeSchema).values(symbols=bounds, line=GradeSchema.line + 1))
        files.publish_all()
        assert files.lines() == [f"sch: {symbols}|"]
        files.take()
    assert files.imported()["schemas"] == files.world.gradebook()["schemas"]


def test_what_is_too_much_waits_for_approval(files: FileScene) -> None:
    people = ("ann", "bob", "cy", "dee", "eve", "fay")
    files.column()
    files.grades(**dict.fromkeys(people, 15))
    files.publish_and_take()
    files.grades(**dict.fromkeys(people, 2), gil=3)
    planned = files.plan()
    assert [brake.in_words for brake in planned.brakes] == ["6 of 6 decreases in Oral", "6 of 6 decreases"]
    assert files.publish_and_take() == ["colncval: ANA101|gil|Oral|3"]
    planned = files.plan(again=True)
    assert {line.in_words for line in planned.held.lines} == {"score 15 -> 2"}
    files.approve(planned.held.digest)
    assert files.publish_and_take() == [f"colncval: ANA101|{name}|Oral|2" for name in people]
    assert files.imported() == files.world.gradebook()


def approve_and_apply(files: FileScene, what: str) -> None:
    """Approve what is held, which then waits for the importer to take an earlier row about the same."""
    held = files.plan(again=True).held
    assert {line.kind for line in held.lines} == {what}
    files.approve(held.digest)
    with files.publisher() as publisher:
        assert publisher.apply(held.digest).paused


def test_an_approval_of_grades_holds_no_longer_because_they_wait_for_the_importer(
    files: FileScene, passing: Clock
) -> None:
    people = ("ann", "bob", "cy", "dee", "eve", "fay")
    files.column()
    files.grades(**dict.fromkeys(people, 15))
    files.publish()
    files.take()
    files.publish()  # whose file is not taken yet
    files.grades(**dict.fromkeys(people, 2))
    approve_and_apply(files, "grade")
    passing.pass_by(files.settings.publish_approval_hours * 3600)
    assert set(files.take()) == {f"colncval: ANA101|{name}|Oral|15" for name in people}
    assert files.publish().outcomes == {"SKIPPED": 6}
    assert files.take() == []
    assert len(files.plan(again=True).held.lines) == 6, "the next plan asks again"


def test_an_approval_of_a_schema_holds_no_longer_because_it_waits_for_the_importer(
    files: FileScene, passing: Clock
) -> None:
    files.schemas("Letters|A=90:F=0")
    files.column(schema="Letters")
    files.grades(ann="A")
    files.publish_and_take()
    files.schemas("Letters|A=91:F=0")
    files.approve(files.plan().held.digest)
    files.publish()  # whose file is not taken yet
    files.schemas("Letters|A=92:F=0")
    approve_and_apply(files, "schema")
    passing.pass_by(files.settings.publish_approval_hours * 3600)
    assert files.take() == ["sch: Letters|A=91:F=0|"]
    assert files.publish().outcomes == {"SKIPPED": 1}
    assert files.take() == []
    assert len(files.plan(again=True).held.lines) == 1, "the next plan asks again"


def test_a_plan_is_applied_by_its_hash_and_what_changed_since_is_left_to_the_next(files: FileScene) -> None:
    files.column()
    files.grades(ann=7, bob=8)
    files.publish_and_take()
    files.grades(ann=8, bob=9)
    planned = files.plan()
    files.grades(bob=10)
    with files.publisher() as publisher:
        sent = publisher.apply(planned.free.digest)
    assert (dict(sent.outcomes), sent.failures) == ({"UPDATED": 1, "SKIPPED": 1}, [])
    assert files.take() == ["colncval: ANA101|ann|Oral|8"]
    assert files.publish_and_take() == ["colncval: ANA101|bob|Oral|10"]


def test_values_are_written_exactly(files: FileScene) -> None:
    files.column()
    values = {"ann": "7.0000001", "bob": "0.5", "cy": "19.99999999999999999"}
    files.grades(**values)
    files.publish_and_take()
    files.grades(ann="7.0000002")
    assert files.publish_and_take() == ["colncval: ANA101|ann|Oral|7.0000002"]
    assert files.imported() == files.world.gradebook()


def test_why_tells_in_which_file_and_line_a_grade_went(files: FileScene) -> None:
    files.column()
    files.grades(ann=7, bob=8)
    files.publish()
    files.take()
    files.publish()
    [name] = files.names()
    with files.world.intake.store.session() as session:
        [found] = lives(session, FILES, files.course, "bob", "Oral")
    assert (found.value, found.published) == ("8", "8")
    assert [(each.what, each.detail) for each in found.events[1:]] == [
        ("sent, CREATED", "nothing -> 8"),
        ("a file has", f"8 written to {name}, line 3"),
    ]
    assert (files.folder / name).read_text().splitlines()[3 - 1] == "ANA101|bob|Oral|8"


def test_files_are_for_the_group_of_the_importer_only(files: FileScene) -> None:
    files.column()
    files.publish()
    [path] = [files.folder / name for name in files.names()]
    assert stat.S_IMODE(path.stat().st_mode) & 0o137 == 0


def test_large_files_are_split(files: FileScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradeway.publish.send_files.LARGEST", 2)
    files.columns(*(f"{{c}}|X{number}|20||" for number in range(3)))
    files.grades(column="X1", ann=1, bob=2, cy=3, dee=4, eve=5)
    files.publish()
    assert [len((files.folder / name).read_text().splitlines()) for name in files.names()] == [3, 2]
    files.take()
    files.publish()
    assert [len((files.folder / name).read_text().splitlines()) for name in files.names()] == [3, 3, 2]
    files.take()
    assert files.imported() == files.world.gradebook()


# --- waiting for the importer


def test_a_later_stage_waits_for_an_earlier_one(files: FileScene) -> None:
    land_a_term(files)
    for waiting in (["sch"], ["asg", "col", "colnc"], ["colext"], ["colncval"]):
        for _ in range(2):  # and writes nothing meanwhile
            sent = files.publish()
            assert [name.rpartition(".")[2] for name in files.names()] == waiting
            assert bool(sent.paused) == (waiting != ["colncval"])
        files.take()
    assert files.imported() == files.world.gradebook()


def test_without_waiting_all_is_there_at_once_in_the_order_of_the_names(make_files: MakeFiles) -> None:
    files = make_files(publish_files_wait=False)
    land_a_term(files)
    assert not files.publish().paused
    assert files.take() == TERM
    assert files.imported() == files.world.gradebook()


def test_a_row_waits_for_an_earlier_one_about_the_same(files: FileScene) -> None:
    files.column()
    files.publish_and_take()
    files.grades(ann=7)
    files.publish()
    files.grades(ann=8, bob=9)
    sent = files.publish()
    assert files.lines() == ["colncval: ANA101|ann|Oral|7", "colncval: ANA101|bob|Oral|9"]
    assert sent.paused.startswith("1 row waits until the importer has taken ")
    files.grades(ann=9)  # what waited is overtaken
    files.publish()
    assert len(files.lines()) == 2
    files.take()
    assert files.publish_and_take() == ["colncval: ANA101|ann|Oral|9"]


def test_a_column_waits_for_its_earlier_row(files: FileScene) -> None:
    files.column()
    files.publish()
    files.column(points=30)
    files.column("Essay")
    assert files.publish().paused
    assert files.lines() == ["colnc: ANA101|Oral|||20||", "colnc: ANA101|Essay|||20||"]
    files.take()
    assert files.publish_and_take() == ["colnc: ANA101|Oral|||30||"]


# --- what files cannot carry


def test_a_grade_that_was_taken_back_is_told_and_written_anew_when_it_comes_again(files: FileScene) -> None:
    files.column()
    files.grades(ann=7, bob=8)
    files.publish_and_take()
    files.remove_grades("Oral", "ann")
    assert files.publish_and_take() == []
    [problem] = files.all_problems()
    assert (problem.code, problem.kind, problem.name) == ("REMOVAL_UNSUPPORTED", "grade", "Oral")
    assert files.due() == []
    files.publish(everything=True)
    assert files.problems() == [("REMOVAL_UNSUPPORTED", "Oral")]
    files.grades(column="Oral", ann="7.0", bob=8)
    assert files.publish_and_take() == ["colncval: ANA101|ann|Oral|7"]
    assert files.problems() == []


def test_a_column_that_was_taken_back_is_told_and_written_anew_when_it_comes_again(files: FileScene) -> None:
    files.column()
    files.column("Essay")
    files.grades(ann=7, bob=8)
    files.publish_and_take()
    files.remove_column("Oral")
    assert files.publish_and_take() == []
    [problem] = files.all_problems()
    assert (problem.code, problem.kind, problem.name, problem.detail) == (
        "REMOVAL_UNSUPPORTED",
        "column",
        "Oral",
        "with 2 grades",
    )
    assert files.due() == []
    files.publish(everything=True)
    assert files.problems() == [("REMOVAL_UNSUPPORTED", "Oral")]
    files.column(points="20.0")
    files.grades(ann="7.0")
    assert files.publish_and_take() == ["colnc: ANA101|Oral|||20||", "colncval: ANA101|ann|Oral|7"]
    assert files.problems() == [("REMOVAL_UNSUPPORTED", "Oral")], "the grade of bob"


def test_a_column_that_came_again_before_anybody_was_told_stands_for_what_was_written(files: FileScene) -> None:
    files.column()
    files.grades(ann=7, bob=8)
    files.publish_and_take()
    files.remove_column("Oral")
    files.column(points="20.0")
    files.grades(ann="7.0", bob=9)
    assert files.publish_and_take() == ["colncval: ANA101|bob|Oral|9"]
    assert files.problems() == []


def test_another_kind_of_column_does_not_take_the_name_of_one_that_was_taken_back(files: FileScene) -> None:
    files.column()
    files.publish_and_take()
    files.remove_column("Oral")
    files.assignment("Oral")
    files.grades(ann=7)
    assert files.publish_and_take() == []
    found = [("COLUMN_TAKEN", "Oral"), ("COLUMN_WAITED_FOR", "Oral"), ("REMOVAL_UNSUPPORTED", "Oral")]
    assert files.problems() == found


def test_a_schema_that_was_taken_back_is_told_and_written_anew_when_it_comes_again(files: FileScene) -> None:
    files.schemas("Letters|A=90:F=0")
    files.column(schema="Letters")
    files.publish_and_take()
    for batch in reversed(files.world.batches()):
        files.world.undo(batch.id)
    assert files.publish_and_take() == []
    assert files.problems() == [("REMOVAL_UNSUPPORTED", "Letters"), ("REMOVAL_UNSUPPORTED", "Oral")]
    files.publish(everything=True)
    assert files.problems() == [("REMOVAL_UNSUPPORTED", "Letters"), ("REMOVAL_UNSUPPORTED", "Oral")]
    files.schemas("Letters|A=90.0:F=0")
    files.column(points="20.0", schema="Letters")
    assert files.publish_and_take() == ["sch: Letters|A=90:F=0|", "colnc: ANA101|Oral|||20|Letters|"]
    assert files.problems() == []


def test_an_external_mark_can_be_given_away_and_not_taken_away(files: FileScene) -> None:
    files.column()
    files.column("Essay")
    files.land("colext", "courseId|name", "{c}|Oral")
    files.publish_and_take()
    batch = files.world.land("e.colext", "courseId|name", f"{files.course}|Essay")
    assert files.publish_and_take() == ["colext: ANA101|Essay"]
    files.world.undo(batch.id)
    assert files.publish_and_take() == ["colext: ANA101|Oral"]
    with files.world.intake.store.writing() as session:
        session.execute(update(GradeColumn).values(external=False, external_batch_id=None))
    assert files.publish_and_take() == []
    assert [(each.code, each.name, each.detail) for each in files.all_problems()] == [
        ("NOT_CARRIED", "Oral", "external")
    ]
    files.land("colext", "name|courseId", "Oral|{c}")
    assert files.publish_and_take() == []
    assert files.problems() == []


def test_two_columns_of_one_name_are_told_and_the_first_stays(make_files: MakeFiles) -> None:
    files = make_files(column_provisioning="metadata")
    header = "courseId|name|points|optionalData"
    files.land("colnc", header, "{c}|Oral|20|Type=1")
    files.grades(ann=7)
    files.publish_and_take()
    files.land("colnc", header, "{c}|Oral|30|Type=2")
    assert files.publish_and_take() == []
    assert files.problems() == [("COLUMN_TAKEN", "Oral")]
    files.land("colnc", header, "{c}|Viva|30|Type=2")
    assert files.publish_and_take() == ["colnc: ANA101|Viva|||30||Type=2"]
    assert files.problems() == []


def test_a_column_is_renamed_by_its_metadata_before_its_grades_go_under_the_new_name(make_files: MakeFiles) -> None:
    files = make_files(column_provisioning="metadata")
    header = "courseId|name|points|optionalData"
    files.land("colnc", header, "{c}|Oral|20|Type=1")
    files.grades(ann=7)
    files.publish_and_take()
    files.land("colnc", header, "{c}|Viva|20|Type=1")
    files.grades(column="Viva", bob=8)
    assert files.publish_and_take() == ["colnc: ANA101|Viva|||20||Type=1", "colncval: ANA101|bob|Viva|8"]
    assert files.imported() == files.world.gradebook()


@pytest.mark.parametrize("rule", ["once", "always"])
def test_where_the_importer_changes_no_column_none_is_written_again(make_files: MakeFiles, rule: str) -> None:
    files = make_files(column_provisioning=rule)
    files.column()
    files.publish_and_take()
    with files.world.intake.store.writing() as session:
        session.execute(update(GradeColumn).values(description="new", line=9))
    assert files.publish_and_take() == []
    assert [(each.code, each.detail) for each in files.all_problems()] == [("NOT_CARRIED", "description")]
    assert files.publish(everything=True).outcomes == {}


def test_what_the_separator_forbids_is_told_and_keeps_nothing_else_back(make_files: MakeFiles) -> None:
    files = make_files(delimiter=";")
    files.world.land("f.colnc", "courseId;name;points;description", "ANA101;Oral;20;fine", 'ANA101;Essay;20;"a;b"')
    files.world.land(
        "f.colncval", "courseId;userId;name;value", "ANA101;ann;Oral;7", 'ANA101;"b;b";Oral;8', "ANA101;cy;Essay;9"
    )
    assert files.publish_and_take() == ["colnc: ANA101;Oral;fine;;20;;", "colncval: ANA101;ann;Oral;7"]
    told = sorted((each.code, each.kind, each.name, each.detail) for each in files.all_problems())
    assert told == [
        ("CELL_REFUSED", "column", "Essay", "description: it has the separator in it"),
        ("CELL_REFUSED", "grade", "Oral", "userId: it has the separator in it"),
        ("COLUMN_WAITED_FOR", "grade", "Essay", ""),
    ]
    assert files.due() == []
    files.world.land("g.colnc", "courseId;name;description", "ANA101;Essay;a b")
    assert files.publish_and_take() == ["colnc: ANA101;Essay;a b;;20;;", "colncval: ANA101;cy;Essay;9"]


def test_a_schema_that_cannot_be_written_keeps_its_columns_back(make_files: MakeFiles) -> None:
    files = make_files(delimiter=";")
    files.world.land("f.sch", "title;symbols", '"a;b";A=90:F=0')
    files.world.land("f.colnc", "courseId;name;gradeSchema", 'ANA101;Oral;"a;b"')
    assert files.publish_and_take() == []
    assert files.problems() == [("CELL_REFUSED", "a;b"), ("SCHEMA_WAITED_FOR", "Oral")]


def test_what_cannot_be_written_under_settings_that_came_since_is_told(files: FileScene) -> None:
    files.column("Oral; one")
    files.column("Essay")
    files.grades(column="Oral; one", ann=7)
    files.plan()
    object.__setattr__(files.world.settings, "delimiter", ";")
    with files.publisher() as publisher:
        sent = publisher.apply_free()
    assert dict(sent.outcomes) == {"CREATED": 1, "REJECTED": 1}
    assert [(each.kind, each.name, each.outcome, each.detail) for each in sent.failures] == [
        ("column", "Oral; one", "REJECTED", "CELL_REFUSED")
    ]
    assert files.lines() == ["colnc: ANA101;Essay;;;20;;"]
    assert files.problems() == [("CELL_REFUSED", "Oral; one")]


def test_a_symbol_that_the_schema_lost_is_told(files: FileScene) -> None:
    files.schemas("Letters|A=90:B=80:F=0")
    files.column(schema="Letters")
    files.publish_and_take()
    files.grades(ann="B", bob="A")
    files.schemas("Letters|A=90:F=0")
    files.publish_all()
    assert files.problems() == [("GRADE_REFUSED", "Oral")]


def test_what_was_written_of_a_column_is_known_by_its_file(files: FileScene) -> None:
    files.column()
    files.publish()
    assert [each.remote_id for each in files.rows(PublishedItem)] == files.names()
