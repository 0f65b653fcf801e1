"""Rows of results in the store: which column takes them, what they are worth there, what waits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gradeway import clock
from gradeway.checks.verdict import verdict
from gradeway.errors import SettingsError
from gradeway.results import overview
from gradeway.store import overview as store_overview
from gradeway.store.models import Batch
from loading.installations import MakeWorld
from loading.world import World

HEADER = "system|session|assessment|learner|state|score|maximum"
COLUMNS = "courseId|name|points|optionalData"
MIDTERM = "C1|Midterm|20|SESSION=Anatomy 1A"


def send(world: World, *rows: str, name: str = "r.results") -> Batch:
    path = world.zone.inbox("results") / name
    path.write_text("".join(f"{line}\n" for line in (HEADER, *rows)), encoding="utf-8")
    assert world.sweep().failed == []
    return world.batches()[-1]


def codes(world: World, batch: Batch) -> list[tuple[int | None, str]]:
    return world.codes(batch.id)


def counts(batch: Batch) -> dict[str, int]:
    names = ("created", "updated", "unchanged", "rejected", "parked")
    return {name: number for name in names if (number := getattr(batch, name))}


def test_a_result_becomes_a_grade_of_the_column_that_names_its_session(world: World) -> None:
    world.land("c.colnc", COLUMNS, MIDTERM)
    batch = send(world, "qm|Anatomy 1A|7|u1|final|42|60", "qm|Anatomy 1A|7|u2|final|60|60")
    assert (counts(batch), batch.balanced) == ({"created": 2}, True)
    assert world.grades() == {("C1", "Midterm", "u1"): "14", ("C1", "Midterm", "u2"): "20"}


def test_a_grade_leads_back_to_the_line_of_its_result(world: World) -> None:
    world.land("c.colnc", COLUMNS, MIDTERM)
    batch = send(world, "qm|Anatomy 1A|7|u1|final|1|60", "qm|Anatomy 1A|7|u2|final|2|60")
    assert ("C1", "Midterm", "u2", "0.66667", ("r.results", False), 3) in world.story()["given by"]
    assert batch.feed == "results"


def test_the_session_goes_before_the_assessment(world: World) -> None:
    world.land("c.colnc", COLUMNS, MIDTERM, "C1|Any anatomy|10|ASSESSMENT=7")
    send(world, "qm|Anatomy 1A|7|u1|final|1|2", "qm|Anatomy 1B|7|u1|final|1|2", "aq||7|u2|final|2|2")
    assert world.grades() == {
        ("C1", "Any anatomy", "u1"): "5",
        ("C1", "Any anatomy", "u2"): "10",
        ("C1", "Midterm", "u1"): "10",
    }


def test_the_keys_are_the_settings_own(make_world: MakeWorld) -> None:
    world = make_world(results_session_key="SITTING", results_assessment_key="TEST ID".replace(" ", "_"))
    world.land("c.colnc", COLUMNS, "C1|A|10|SITTING=S", "C1|B|10|TEST_ID=7", "C1|C|10|SESSION=S")
    send(world, "qm|S|8|u1|final|1|1", "qm|T|7|u1|final|1|1")
    assert set(world.grades()) == {("C1", "A", "u1"), ("C1", "B", "u1")}


def test_the_same_results_again_change_nothing(world: World) -> None:
    world.land("c.colnc", COLUMNS, MIDTERM)
    send(world, "qm|Anatomy 1A|7|u1|final|42|60")
    batch = send(world, "qm|Anatomy 1A|7|u1|final|42|60", "", name="again.results")
    assert counts(batch) == {"unchanged": 1}


def test_a_better_result_replaces_and_is_remembered(world: World) -> None:
    world.land("c.colnc", COLUMNS, MIDTERM)
    send(world, "qm|Anatomy 1A|7|u1|final|42|60")
    assert counts(send(world, "qm|Anatomy 1A|7|u1|final|45|60", name="b.results")) == {"updated": 1}
    assert world.grades() == {("C1", "Midterm", "u1"): "15"}
    assert [row[3] for row in world.story()["history"]] == ["14"]


def test_a_result_for_review_is_given_back_and_counts_once_a_person_says_so(world: World) -> None:
    world.land("c.colnc", COLUMNS, MIDTERM)
    batch = send(world, "qm|Anatomy 1A|7|u1|review|42|60", "qm|Anatomy 1A|7|u2|final|60|60")
    assert codes(world, batch) == [(2, "RESULT_REVIEW")]
    rejects = world.intake.report_folder(batch) / f"rejects-{batch.id}.results"
    assert "write final" in rejects.read_text()
    (world.zone.inbox("results") / "decided.results").write_text(rejects.read_text().replace("|review|", "|final|"))
    world.sweep()
    assert world.grades()["C1", "Midterm", "u1"] == "14"


def test_a_score_above_its_maximum_is_told_once(world: World) -> None:
    world.land("c.colnc", COLUMNS, MIDTERM)
    batch = send(world, "qm|Anatomy 1A|7|u1|final|66|60")
    assert (codes(world, batch), counts(batch)) == ([(2, "SCORE_ABOVE")], {"created": 1})
    assert world.grades() == {("C1", "Midterm", "u1"): "22"}


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ((MIDTERM, "C2|Midterm|20|SESSION=Anatomy 1A"), "COLUMN_AMBIGUOUS"),
        ((MIDTERM, "C1|Other|20|X=1:SESSION=Anatomy 1A"), "COLUMN_AMBIGUOUS"),
        (("C1|A|20|ASSESSMENT=7", "C1|B|20|ASSESSMENT=7"), "COLUMN_AMBIGUOUS"),
    ],
)
def test_a_result_that_several_columns_name_is_given_back(world: World, columns: tuple[str, ...], code: str) -> None:
    world.land("c.colnc", COLUMNS, *columns)
    batch = send(world, "qm|Anatomy 1A|7|u1|final|42|60")
    assert (codes(world, batch), counts(batch), batch.balanced) == ([(2, code)], {"rejected": 1}, True)


def test_a_calculated_column_takes_no_result(world: World) -> None:
    world.land("c.col", COLUMNS, MIDTERM)
    batch = send(world, "qm|Anatomy 1A|7|u1|final|42|60")
    assert codes(world, batch) == [(2, "COLUMN_CALCULATED")]
    assert world.report(batch)["findings"][0]["column"] == "session"


def test_sessions_that_share_a_column_may_not_contradict(world: World) -> None:
    world.land("c.colnc", COLUMNS, "C1|X|10|ASSESSMENT=7")
    batch = send(
        world,
        "qm|A|7|u1|final|1|10",
        "qm|B|7|u1|final|2|10",
        "qm|A|7|u2|final|3|10",
        "qm|B|7|u2|final|6|20",
        "qm|B|7|u3|final|9|10",
    )
    assert codes(world, batch) == [(2, "DUPLICATE_CONFLICT"), (3, "DUPLICATE_CONFLICT"), (5, "DUPLICATE_COLLAPSED")]
    assert (counts(batch), batch.duplicates) == ({"created": 2, "unchanged": 1, "rejected": 2}, 1)
    assert batch.balanced
    assert world.grades() == {("C1", "X", "u2"): "3", ("C1", "X", "u3"): "9"}


# --- waiting


def test_a_result_without_a_column_waits_and_says_for_what(world: World) -> None:
    batch = send(world, "qm|Anatomy 1A|7|u1|final|42|60", "qm|Anatomy 1A|7|u2|final|42|60", "qm||9|u1|final|1|2")
    assert (counts(batch), batch.balanced) == ({"parked": 3}, True)
    assert [(row["for"], row["name"], row["rows"]) for row in world.report(batch)["waiting"]] == [
        ("result", "ASSESSMENT=9", 1),
        ("result", "SESSION=Anatomy 1A or ASSESSMENT=7", 2),
    ]
    assert "optionalData" in verdict(world.report(batch)).steps[0]
    assert "column for" in (world.intake.report_folder(batch) / "report.html").read_text()
    with world.intake.store.session() as session:
        assert {group.rows for group in store_overview.waiting(session)} == {1, 2}
        found = {(each.session, each.assessment, each.rows) for each in overview.unmapped(session)}
    assert found == {("Anatomy 1A", "7", 2), ("", "9", 1)}


@pytest.mark.parametrize("declared", ["SESSION=Anatomy 1A", "ASSESSMENT=7", "MOD=1:ASSESSMENT=7"])
def test_it_goes_in_by_itself_when_a_column_names_it(world: World, declared: str) -> None:
    batch = send(world, "qm|Anatomy 1A|7|u1|final|42|60", "qm|Anatomy 1B|8|u1|final|42|60")
    world.land("c.colnc", COLUMNS, f"C1|Midterm|20|{declared}")
    assert world.grades() == {("C1", "Midterm", "u1"): "14"}
    [batch, _] = world.batches()
    assert (counts(batch), batch.balanced) == ({"created": 1, "parked": 1}, True)
    assert world.report(batch)["rows"]["parked"] == 1


def test_it_goes_in_when_a_column_that_was_there_is_given_the_declaration(world: World) -> None:
    world.land("c.colnc", COLUMNS, "C1|Midterm|20|")
    send(world, "qm|Anatomy 1A|7|u1|final|42|60")
    world.land("d.colnc", COLUMNS, MIDTERM)
    assert world.grades() == {("C1", "Midterm", "u1"): "14"}


def test_a_result_that_waited_is_judged_by_what_came(world: World) -> None:
    batch = send(world, "qm|Anatomy 1A|7|u1|final|42|60")
    world.land("c.colnc", COLUMNS, MIDTERM, "C1|Other|20|SESSION=Anatomy 1A")
    assert codes(world, batch) == [(2, "COLUMN_AMBIGUOUS")]
    assert counts(world.batches()[0]) == {"rejected": 1}


def test_what_waited_too_long_is_given_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = send(world, "qm|Anatomy 1A|7|u1|final|42|60")
    then = clock.now() + timedelta(days=31)
    monkeypatch.setattr(clock, "now", lambda: then)
    world.intake.tidy()
    assert codes(world, batch) == [(2, "RESULT_UNMAPPED")]
    assert counts(world.batches()[0]) == {"rejected": 1}


def test_an_older_result_that_waited_does_not_replace_a_newer_one(world: World) -> None:
    send(world, "qm|Anatomy 1A|7|u1|final|42|60", name="old.results")
    send(world, "qm|Anatomy 1A|7|u1|final|45|60", name="new.results")
    world.land("c.colnc", COLUMNS, MIDTERM)
    assert world.grades() == {("C1", "Midterm", "u1"): "15"}


def test_a_rehearsal_changes_nothing(world: World) -> None:
    world.land("c.colnc", COLUMNS, MIDTERM)
    path = world.home / "try.results"
    path.write_text(f"{HEADER}\nqm|Anatomy 1A|7|u1|final|42|60\nqm|Else||u1|final|42|60\n")
    before = world.dump()
    tally = world.intake.rehearse(path, "results")
    assert (tally.created, tally.parked) == (1, 1)
    assert world.dump() == before


# --- the installation's own file


def mapping(folder: Path, *rows: str) -> Path:
    path = folder / "results.csv"
    path.write_text("".join(f"{line}\n" for line in ("session,assessment,courseId,name", *rows)))
    return path


def test_the_installations_file_goes_before_what_columns_say(make_world: MakeWorld, tmp_path: Path) -> None:
    path = mapping(tmp_path, "Anatomy 1A,,C1,Other", ",8,C1,Other", "Anatomy 1C,9,C1,Third")
    world = make_world(results_file=path)
    world.land("c.colnc", COLUMNS, MIDTERM, "C1|Other|10|ASSESSMENT=9", "C1|Third|10|")
    send(
        world,
        "qm|Anatomy 1A|7|u1|final|1|2",
        "qm|Anatomy 1B|8|u2|final|1|2",
        "qm|Anatomy 1C|9|u3|final|1|2",
        "qm|Anatomy 1D|9|u4|final|1|2",
    )
    assert [key[1:] for key in world.grades()] == [("Other", "u1"), ("Other", "u2"), ("Other", "u4"), ("Third", "u3")]


def test_what_waits_goes_in_when_the_file_is_changed(make_world: MakeWorld, tmp_path: Path) -> None:
    path = mapping(tmp_path)
    world = make_world(results_file=path)
    world.land("c.colnc", COLUMNS, "C1|Other|10|")
    send(world, "qm|Anatomy 1A|7|u1|final|1|2")
    assert world.grades() == {}
    mapping(tmp_path, "Anatomy 1A,7,C1,Other")
    assert world.sweep().released == 1
    assert world.grades() == {("C1", "Other", "u1"): "5"}


def test_a_result_waits_for_a_column_that_the_file_names(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world(results_file=mapping(tmp_path, "Anatomy 1A,,C1,Later"))
    assert counts(send(world, "qm|Anatomy 1A|7|u1|final|1|2")) == {"parked": 1}
    world.land("c.colnc", COLUMNS, "C1|Later|10|")
    assert world.grades() == {("C1", "Later", "u1"): "5"}


@pytest.mark.parametrize(
    "text",
    [
        "session,courseId,name\nA,C1,X\n",
        "session,assessment,courseId,name\n,,C1,X\n",
        "session,assessment,courseId,name\nA,,C1,\n",
        "session,assessment,courseId,name\nA,,C1,X\nA,,C1,Y\n",
        'session,assessment,courseId,name\n"A,,C1,X\n',
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_costs_no_row(make_world: MakeWorld, tmp_path: Path, text: str) -> None:
    path = mapping(tmp_path)
    world = make_world(results_file=path)
    send(world, "qm|Anatomy 1A|7|u1|final|1|2")
    path.write_text(text)
    with pytest.raises(SettingsError, match="GRADEWAY_RESULTS_FILE"):
        world.sweep()
    assert counts(world.batches()[0]) == {"parked": 1}
