"""Collecting from the sandbox: what is read, what is handed over, and what stays as it is."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crash.kill import Step, kill_at
from gradeway import clock
from gradeway.errors import VendorAwayError, VendorRefusedError
from gradeway.results import handover, overview
from gradeway.results.overview import State
from results.scene import AMARA, ASSESSMENT, FENNA, GROUP, NAMES, THIRD, Scene, later

Patch = pytest.MonkeyPatch


def test_a_finished_attempt_is_handed_over_as_a_row(scene: Scene) -> None:
    schedule = scene.session("Anatomy 1A")
    attempt = scene.take(schedule)
    done = scene.collect()
    assert (done.schedules, done.attempts, done.handed_over, done.failed) == (1, 1, 1, [])
    [path] = scene.files()
    assert path.name == done.file
    assert path.name.startswith("questionmark-20")
    [row] = scene.rows()
    assert row | {"finishedAt": "", "collectedAt": ""} == {
        "system": "questionmark",
        "session": "Anatomy 1A",
        "assessment": ASSESSMENT,
        "schedule": str(schedule),
        "attempt": str(attempt),
        "learner": NAMES[AMARA],
        "state": "final",
        "score": "42",
        "maximum": "60",
        "band": "Pass",
        "rule": "Last",
        "finishedAt": "",
        "collectedAt": "",
    }
    assert abs(datetime.fromisoformat(row["finishedAt"]) - clock.now()) < timedelta(minutes=5)


def test_it_becomes_a_grade_and_follows_the_attempts(any_scene: Scene) -> None:
    scene = any_scene
    schedule = scene.session("Anatomy 1A")
    scene.vendor.play(schedule, AMARA, "start")
    scene.collect()
    scene.world.land("c.colnc", "courseId|name|points|optionalData", "C1|Midterm|20|SESSION=Anatomy 1A")
    scene.vendor.play(schedule, AMARA, "finish", score=42, max=60)
    assert (scene.collect().changed, scene.sweep().created) == (1, 1)
    assert scene.world.grades() == {("C1", "Midterm", NAMES[AMARA]): "14"}
    scene.take(schedule, AMARA, 45)
    assert (scene.collect().changed, scene.sweep().updated) == (2, 1)
    assert scene.world.grades() == {("C1", "Midterm", NAMES[AMARA]): "15"}
    assert scene.collect().changed == 0


def test_the_same_again_hands_nothing_over_and_writes_nothing(scene: Scene) -> None:
    scene.take(scene.session())
    scene.collect()
    scene.rows()
    before = scene.world.dump() | {"tenant": None}
    for full in (False, True):
        again = scene.collect(full=full)
        assert (again.attempts, again.changed, again.handed_over, scene.files()) == (1, 0, 0, [])
    assert scene.world.dump() | {"tenant": None} == before


def test_only_what_changed_is_handed_over_again(scene: Scene) -> None:
    schedule = scene.session()
    scene.take(schedule, AMARA, 30)
    scene.take(schedule, FENNA, 40)
    scene.collect()
    scene.rows()
    scene.take(schedule, FENNA, 50)
    assert (scene.collect().handed_over, scene.scores()) == (1, [(NAMES[FENNA], "final", "50")])


@pytest.mark.parametrize(
    ("rule", "score"), [("First", "30"), ("Last", "40"), ("Best", "50"), ("Worst", "30"), (None, "40")]
)
def test_the_schedule_says_which_attempt_counts(scene: Scene, rule: str | None, score: str) -> None:
    schedule = scene.session(ReportedResult=rule)
    for points in (30, 50, 40):
        scene.take(schedule, score=points)
    scene.collect()
    assert scene.scores() == [(NAMES[AMARA], "final", score)]
    counting = [each.total for each in scene.attempts() if each.exported]
    assert (counting, len(scene.attempts())) == ([score], 3)


def test_an_attempt_that_was_disabled_is_for_a_person_to_decide_on(scene: Scene, monkeypatch: Patch) -> None:
    scene.take(scene.session())
    scene.collect()
    assert scene.scores() == [(NAMES[AMARA], "final", "42")]
    attempts = scene.client.attempts
    disabled = [replace(each, disabled=True) for each in attempts(scene.attempts()[0].schedule_id)]
    monkeypatch.setattr(scene.client, "attempts", lambda _schedule: disabled)
    assert (scene.collect().for_review, scene.scores()) == (1, [(NAMES[AMARA], "review", "42")])
    with scene.world.intake.store.session() as session:
        assert [line.state for line in overview.lines(session, scene.settings)] == [State.REVIEW]


def test_an_attempt_that_counts_again_is_handed_over_again(scene: Scene) -> None:
    schedule = scene.session(ReportedResult="Best")
    first = scene.take(schedule, score=30)
    scene.collect()
    scene.rows()
    second = scene.take(schedule, score=50)
    scene.collect()
    assert [row["attempt"] for row in scene.rows()] == [str(second)]
    scene.vendor.patch(f"Schedules({schedule})", {"ReportedResult": "First"})
    scene.collect()
    assert [row["attempt"] for row in scene.rows()] == [str(first)]


def test_files_with_the_same_rows_are_not_the_same_bytes(scene: Scene) -> None:
    # or a score that goes back to what it was would be taken for a file that was here before
    scene.world.land("c.colnc", "courseId|name|points|optionalData", "C1|Midterm|60|SESSION=Anatomy 1A")
    schedule = scene.session(ReportedResult="Best")
    scene.take(schedule, score=30)
    scene.take(schedule, score=50)
    for rule, value in (("First", "30"), ("Best", "50"), ("First", "30"), ("Best", "50")):
        scene.vendor.patch(f"Schedules({schedule})", {"ReportedResult": rule})
        scene.collect()
        assert scene.sweep().state == "loaded"
        assert scene.world.grades() == {("C1", "Midterm", NAMES[AMARA]): value}


@pytest.mark.parametrize(
    ("status", "state"),
    [(2, "final"), (3, "review"), (4, "final"), (5, "review"), (7, "review"), (9, "final"), (0, ""), (6, ""), (8, "")],
)
def test_the_status_says_what_becomes_of_a_result(scene: Scene, status: int, state: str) -> None:
    scene.take(scene.session(), status=status)
    done = scene.collect()
    assert (done.handed_over, done.for_review) == (bool(state), state == "review")
    assert [each[1] for each in scene.scores()] == [state] if state else scene.files() == []


def test_an_attempt_in_progress_is_known_and_not_handed_over(scene: Scene) -> None:
    schedule = scene.session()
    scene.vendor.play(schedule, AMARA, "start")
    scene.collect()
    [attempt] = scene.attempts()
    assert (attempt.schedule_id, attempt.status, attempt.learner, attempt.exported) == (schedule, 1, NAMES[AMARA], "")
    assert scene.files() == []


def test_a_new_attempt_that_has_not_ended_leaves_the_one_that_counts(scene: Scene) -> None:
    schedule = scene.session()
    scene.take(schedule)
    scene.collect()
    scene.rows()
    scene.vendor.play(schedule, AMARA, "start")
    assert (scene.collect().changed, scene.files()) == (1, [])


def test_attempts_on_an_exception_count_with_those_on_its_schedule(scene: Scene) -> None:
    schedule = scene.session("Anatomy 1A", ReportedResult="Best")
    scene.take(schedule, score=50)
    extra = scene.vendor.schedule(AssessmentID=ASSESSMENT, ParticipantID=AMARA, ParentScheduleID=schedule, ExtraTime=30)
    scene.take(extra["ID"], score=55)
    scene.collect()
    [row] = scene.rows()
    assert (row["session"], row["schedule"], row["score"]) == ("Anatomy 1A", str(schedule), "55")
    assert {each.schedule_id for each in scene.attempts()} == {schedule}


def test_schedules_of_others_are_left_alone(scene: Scene) -> None:
    other = scene.vendor.schedule(AssessmentID=ASSESSMENT, GroupID=GROUP)
    scene.take(other["ID"])
    scene.session()
    done, paths = scene.calls()
    assert (done.schedules, done.attempts) == (1, 0)
    assert sum(path.startswith("Attempts") for path in paths) == 1


def test_without_a_session_nothing_is_asked(scene: Scene) -> None:
    assert scene.calls()[1] == []


# --- how much is read


def test_only_schedules_that_can_still_change_are_read(scene: Scene) -> None:
    window: dict[str, Any] = {"StartFrom": later(-40), "StartTo": later(-30)}
    over, open_, soon, recent = (
        scene.session("over", **window),
        scene.session("open", StartFrom=later(-1)),
        scene.session("soon", StartFrom=later(1)),
        scene.session("recent", StartFrom=later(-9), StartTo=later(-8)),
    )
    assert scene.collect().schedules == 2
    assert scene.collect(full=True).schedules == 4
    assert scene.collect(results_days=31).schedules == 3
    assert len({over, open_, soon, recent}) == 4


def test_everything_is_read_once_a_night_whenever_the_first_run_after_it_is(scene: Scene, monkeypatch: Patch) -> None:
    scene.session("over", StartFrom=later(-40), StartTo=later(-30))
    night = (datetime.now(UTC) + timedelta(days=1)).replace(hour=3, minute=0, second=0, microsecond=0)

    def read_at(minutes: int) -> int:
        monkeypatch.setattr(clock, "now", lambda: night + timedelta(minutes=minutes))
        return scene.collect(night=True).schedules

    assert read_at(-24 * 60) == 1, "it was never read before"
    assert [read_at(minutes) for minutes in (-10, 20, 35, 23 * 60, 25 * 60, 26 * 60)] == [0, 1, 0, 0, 1, 0]
    scene.vendor.act("faults", [{"match": "GET */Attempts", "kind": "status", "status": 400}])
    assert [read_at(minutes) for minutes in (49 * 60, 50 * 60, 73 * 60)] == [0, 0, 1], "one that fails is no reason"


def test_a_schedule_is_read_while_an_exception_to_it_is_open(scene: Scene) -> None:
    schedule = scene.session("over", StartFrom=later(-40), StartTo=later(-30))
    person: dict[str, Any] = {"ParticipantID": AMARA, "ParentScheduleID": schedule}
    scene.vendor.schedule(AssessmentID=ASSESSMENT, StartFrom=later(-1), StartTo=later(1), **person)
    assert scene.collect().schedules == 1


def test_a_schedule_is_read_while_somebody_has_not_ended_and_is_not_stale(scene: Scene, monkeypatch: Patch) -> None:
    schedule = scene.session("over", StartTo=later(0.01))
    scene.vendor.play(schedule, AMARA, "start")
    assert scene.collect().schedules == 1
    scene.vendor.patch(f"Schedules({schedule})", {"StartTo": later(-30)})
    assert scene.collect().schedules == 1
    assert scene.collect(results_stale_days=1).schedules == 1
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(days=8))
    assert scene.collect().schedules == 0


def test_learners_are_asked_for_once(scene: Scene) -> None:
    schedule = scene.session()
    scene.take(schedule, AMARA)
    assert sum(path.startswith("Participants") for path in scene.calls()[1]) == 1
    scene.take(schedule, AMARA)
    scene.take(schedule, FENNA)
    assert [path for path in scene.calls()[1] if path.startswith("Participants")] == [f"Participants({FENNA})"]


def test_many_learners_are_read_with_their_group(scene: Scene) -> None:
    schedule = scene.session()
    for participant in (AMARA, FENNA, THIRD, 510016, 510021):
        scene.take(schedule, participant)
    done, paths = scene.calls()
    assert done.handed_over == 5
    assert [path for path in paths if "Participants" in path] == [f"Groups({GROUP})/Participants"]
    assert len({learner for learner, *_ in scene.scores()}) == 5


def test_a_repeated_collection_needs_few_calls(scene: Scene) -> None:
    for number in range(6):
        scene.session(f"over {number}", StartFrom=later(-40), StartTo=later(-30))
    scene.take(scene.session("open"))
    scene.collect()
    _, paths = scene.calls()
    pages = [path for path in paths if path.startswith("Schedules")]
    assert sorted(path.partition("?")[0] for path in paths) == sorted(["Attempts", *["Schedules"] * len(pages)])


# --- who it is


@pytest.mark.parametrize("name", ["SsoId", "Details3"])
def test_the_setting_says_what_identifies_a_learner(scene: Scene, name: str) -> None:
    scene.take(scene.session())
    done = scene.collect(questionmark_learner=name)
    assert (done.handed_over, done.without_learner) == (1, 1)
    assert scene.scores() == [("", "final", "42")]
    scene.collect()  # who had no identifier is asked for again
    assert scene.scores() == [(NAMES[AMARA], "final", "42")]
    assert scene.collect(questionmark_learner=name).handed_over == 0
    assert scene.collect(questionmark_learner=name, full=True).handed_over == 1


def test_a_result_of_nobody_is_given_back(scene: Scene) -> None:
    scene.take(scene.session())
    scene.collect(questionmark_learner="SsoId")
    batch = scene.sweep()
    assert scene.world.codes(batch.id) == [(2, "REQUIRED")]


def test_no_learner_is_in_a_log_or_an_error(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    schedule = scene.session()
    scene.take(schedule, AMARA)
    scene.vendor.act("faults", [{"match": "GET *Attempts", "kind": "status", "status": 400, "message": NAMES[AMARA]}])
    done = scene.collect()
    assert len(done.failed) == 1
    scene.collect()
    scene.sweep()
    told = caplog.text + "".join(f"{record.__dict__}" for record in caplog.records) + f"{done}"
    assert "collected 1 attempts" in told
    for name in (NAMES[AMARA], "Okafor", "Amara"):
        assert name not in told


# --- when something goes wrong


STEPS = (
    Step("gradeway.results.handover:hand_over"),
    Step("os:fsync"),
    Step("pathlib:Path.rename"),
    Step("pathlib:Path.rename", "after"),
    Step("gradeway.results.handover:hand_over", "after"),
    Step("gradeway.store.engine:Store.writing"),
    Step("gradeway.store.engine:Store.writing", "after"),
)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_whoever_is_killed_the_next_run_hands_over_what_is_due(scene: Scene, step: Step) -> None:
    scene.world.land("c.colnc", "courseId|name|points|optionalData", "C1|Midterm|20|SESSION=Anatomy 1A")
    scene.take(scene.session())
    assert kill_at(step, scene.world.intake, lambda _: scene.collect())
    assert scene.attempts() == []  # what was not handed over for sure is not remembered as such
    scene.collect()
    scene.sweep()
    assert scene.world.grades() == {("C1", "Midterm", NAMES[AMARA]): "14"}
    batches = [batch for batch in scene.world.batches() if batch.feed == "results"]
    assert [(batch.created, batch.unchanged) for batch in batches] in ([(1, 0)], [(1, 0), (0, 1)])
    assert scene.files() == []
    assert (scene.collect().handed_over, len(scene.attempts())) == (0, 1)


def test_who_dies_before_the_file_is_whole_leaves_none(scene: Scene, monkeypatch: Patch) -> None:
    scene.take(scene.session())

    def die(*_: object) -> None:
        raise InterruptedError

    for name in ("fsync", "rename"):
        with monkeypatch.context() as patch:
            patch.setattr(f"{'os' if name == 'fsync' else 'pathlib.Path'}.{name}", die)
            with pytest.raises(InterruptedError):
                scene.collect()
        assert [path.name for path in scene.files()] == [handover.DRAFT]
        assert scene.attempts() == []
    scene.collect()
    assert scene.scores() == [(NAMES[AMARA], "final", "42")]


def test_two_files_of_one_instant_are_two(scene: Scene, monkeypatch: Patch) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    schedule = scene.session()
    for score in (10, 20):
        scene.take(schedule, score=score)
        scene.collect()
    assert len(scene.files()) == 2


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 500}, {"kind": "status", "status": 429, "retry_after": 0}]
)
@pytest.mark.parametrize("path", ["*/Schedules", "*/Attempts", "*/Participants(*)"])
def test_a_passing_trouble_is_not_noticed(scene: Scene, fault: dict[str, object], path: str) -> None:
    scene.take(scene.session())
    scene.vendor.act("faults", [{"match": f"GET {path}", **fault}])
    done = scene.collect()
    assert (done.handed_over, done.failed, scene.vendor.act("faults", method="GET")) == (1, [], [])


@pytest.mark.parametrize("kind", ["timeout_before", "drop"])
def test_what_was_read_before_the_service_went_away_is_handed_over(scene: Scene, kind: str) -> None:
    first, second = scene.session("first"), scene.session("second")
    scene.take(first, AMARA, 30)
    scene.take(second, AMARA, 40)
    scene.vendor.act("faults", [{"match": "GET */Attempts", "kind": kind, "after": 1, "times": 2, "seconds": 2}])
    with pytest.raises(VendorAwayError):
        scene.collect()
    assert scene.scores() == [(NAMES[AMARA], "final", "30")]
    scene.collect()
    assert scene.scores() == [(NAMES[AMARA], "final", "40")]


def test_a_schedule_that_is_refused_keeps_no_other_back(scene: Scene) -> None:
    first, second = scene.session("first"), scene.session("second")
    scene.take(first, AMARA, 30)
    scene.take(second, AMARA, 40)
    scene.vendor.act("faults", [{"match": "GET */Attempts", "kind": "status", "status": 400}])
    done = scene.collect()
    assert (done.schedules, done.handed_over, len(done.failed)) == (1, 1, 1)
    assert done.failed[0].startswith(f"schedule {first}: ")
    assert scene.scores() == [(NAMES[AMARA], "final", "40")]


def test_an_account_that_may_not_read_stops_the_run(scene: Scene) -> None:
    scene.session("first")
    scene.session("second")
    scene.vendor.act("faults", [{"match": "GET */Attempts", "kind": "status", "status": 401}])
    with pytest.raises(VendorRefusedError, match="login"):
        scene.collect()


# --- what people see


def test_attempts_are_shown_by_where_they_stand(scene: Scene, monkeypatch: Patch) -> None:
    schedule = scene.session()
    scene.take(schedule, AMARA)
    scene.take(schedule, FENNA, status=5)
    scene.vendor.play(schedule, THIRD, "start")
    scene.collect()
    assert states(scene) == [State.FINAL, State.REVIEW, State.OPEN]
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(days=8))
    assert states(scene) == [State.FINAL, State.REVIEW, State.STALE]


def test_a_result_that_counts_no_longer_is_told(scene: Scene) -> None:
    scene.take(scene.session(), status=5)
    scene.collect()
    scene.rows()
    done = scene.collect(results_review=frozenset("37"))
    assert (done.withdrawn, done.handed_over) == (1, 0)
    settings = scene.settings.model_copy(update={"results_review": frozenset("37")})
    with scene.world.intake.store.session() as session:
        assert [line.is_withdrawn for line in overview.lines(session, settings)] == [True]


def states(scene: Scene) -> list[State]:
    with scene.world.intake.store.session() as session:
        found = sorted(overview.lines(session, scene.settings), key=lambda line: int(line.attempt.attempt))
        return [line.state for line in found]
