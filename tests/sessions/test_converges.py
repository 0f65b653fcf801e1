"""Whatever happens, in whatever order: in the end the tenant is what the store says, and nothing is there twice."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from gradeway import clock
from gradeway.errors import VendorError
from gradeway.sessions.wanted import external_id
from gradeway.store.engine import Store
from gradeway.store.exams import ExamSession, SessionGroup, SessionSchedule
from loading.installations import fast_folder
from sessions.exams import Clock, hours, put, session, syncing
from sessions.tenants import MIDTERM, TWIN_B, MemoryTenant

NAMES = ("Exam 1", "Exam 2", "Exam 3")
DELIVERIES = {"Midterm": MIDTERM, TWIN_B: TWIN_B}
times = st.none() | st.integers(0, 9).map(hours)
fields = st.fixed_dictionaries(
    {},
    optional={
        "start_at": times,
        "end_at": times,
        "submission_at": times,
        "security": st.sampled_from([[], ["requireFullscreen"], ["preventScreenshot"]]),
        "withdrawn": st.booleans(),
    },
)
extra = st.fixed_dictionaries({}, optional={"plugins": st.just(["print"]), "read_aloud": st.just("always-enabled")})
drift = st.one_of(
    st.tuples(st.sampled_from(["StartFrom", "StartTo", "ResumeTo"]), st.sampled_from([None, "2026-05-05T00:00:00Z"])),
    st.tuples(st.just("Disabled"), st.booleans()),
    st.tuples(st.sampled_from(["Name", "ExternalID"]), st.just("changed there")),
)
faults = st.dictionaries(st.integers(1, 8), st.sampled_from(["lost", "unheard", "late", "refused", "away"]), max_size=4)
names = st.sampled_from(NAMES)
happening = st.one_of(
    st.tuples(st.just("say"), names, fields, extra),
    st.tuples(st.just("say"), names, fields, extra),
    st.tuples(st.just("drift"), names, drift),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("forget"), names),
    st.tuples(st.just("group"), st.sampled_from(["Class A", "Class B"]), st.booleans()),
)
# In every round some things happen, some time passes, and a run meets faults.
rounds = st.lists(
    st.tuples(st.lists(happening, min_size=1, max_size=3), st.sampled_from([0, 10, 50, 70]), faults),
    min_size=2,
    max_size=5,
)


@dataclass
class Scene:
    """A store and a tenant to which things happen."""

    folder: Path
    store: Store
    tenant: MemoryTenant
    time: Clock

    def run(self, faults: dict[int, str] | None = None) -> None:
        self.tenant.forget()
        self.tenant.faults = dict(faults or {})
        with suppress(VendorError):
            syncing(self.store, self.tenant, self.folder, **GIVEN).apply_now()

    def say(self, name: str, told: dict[str, Any], more: dict[str, Any]) -> None:
        with self.store.writing() as writing:
            found = writing.scalar(select(ExamSession).where(ExamSession.name == name))
            if found:
                for field, value in told.items():  # what goes to metadata is said at the start
                    setattr(found, field, value)
                found.given = found.given | dict.fromkeys(told, 2)
        if not found:
            number = NAMES.index(name)
            of, delivery = ("Class A", "Class B")[number % 2], list(DELIVERIES)[number % 2]
            put(self.store, session(name, given=["delivery", *told, *more], delivery=delivery, **told, **more), of=of)

    def drift(self, name: str, what: tuple[str, object]) -> None:
        """Change a schedule there; its ExternalID only while the store knows it, or nothing would tell it ours."""
        for row in self.tenant.of(external_id(name)):
            if what[0] != "ExternalID" or self.is_linked(row["ID"]):
                row[what[0]] = what[1]

    def is_linked(self, schedule_id: int) -> bool:
        with self.store.session() as reading:
            known = select(SessionSchedule).where(SessionSchedule.schedule_id == schedule_id)
            return reading.scalar(known) is not None

    def delete(self, name: str) -> None:
        for row in self.tenant.of(external_id(name)):
            del self.tenant.schedules[row["ID"]]
            self.tenant.notes = [note for note in self.tenant.notes if note["ScheduleID"] != row["ID"]]

    def forget(self, name: str) -> None:
        """Lose what the store knows of a schedule, as an older backup would."""
        with self.store.writing() as writing:
            mine = select(SessionSchedule).join(ExamSession).where(ExamSession.name == name)
            for link in writing.scalars(mine):
                if self.tenant.of(external_id(name)):
                    writing.delete(link)

    def group(self, name: str, active: bool) -> None:
        with self.store.writing() as writing:
            for found in writing.scalars(select(SessionGroup).where(SessionGroup.name == name)):
                found.active, found.given = active, {"active": 3}


GIVEN = {"questionmark_monitoring_secure": "QSB", "sessions_brake_percent": 100}


def text(value: datetime | None) -> str | None:
    return None if value is None else value.strftime("%Y-%m-%dT%H:%M:%SZ")


def expected(each: ExamSession, of: SessionGroup) -> dict[str, object]:
    """What the files say that a session's schedule is."""
    if each.withdrawn:
        return {"Disabled": True}
    said: dict[str, object] = {"Name": each.name, "AssessmentID": DELIVERIES[each.delivery]}
    said["GroupID"] = {"Class A": 2, "Class B": 3}[of.name]
    said |= {"StartFrom": text(each.start_at)} if "start_at" in each.given else {}
    said |= {"StartTo": text(each.end_at)} if "end_at" in each.given else {}
    if "submission_at" in each.given:
        said |= {"ResumeTo": text(each.submission_at), "ResumeAllowed": each.submission_at is not None}
    if "security" in each.given:
        said["MonitoringTypeID"] = 2 if "requireFullscreen" in each.security else 1
    if "active" in of.given or "withdrawn" in each.given:
        said["Disabled"] = not of.active
    return said


def check(scene: Scene) -> None:
    """Compare the tenant with the store."""
    with scene.store.session() as reading:
        rows = reading.execute(select(ExamSession, SessionGroup).join(SessionGroup)).all()
        links = {each.session_id: each.schedule_id for each in reading.scalars(select(SessionSchedule))}
    for each, of in rows:
        found = scene.tenant.of(external_id(each.name))
        if each.withdrawn and not found:
            continue
        (row,) = found
        said = expected(each, of)
        assert {name: row.get(name) for name in said} == said
        assert links[each.id] == row["ID"]
        noted = {note["Key"] for note in scene.tenant.notes if note["ScheduleID"] == row["ID"]}
        assert each.withdrawn or "tao.testRunnerSessionPlugins" in noted or not each.plugins
    everything = [row["ExternalID"] for row in scene.tenant.schedules.values()]
    assert len(everything) == len(set(everything))


# the store forgets a schedule while a write of its metadata is on its way
@example(
    start=[({}, {}), ({}, {"plugins": ["print"], "read_aloud": "always-enabled"})],
    rounds=[([("delete", "Exam 2")], 0, {2: "late"}), ([("forget", "Exam 2")], 50, {})],
)
@given(start=st.lists(st.tuples(fields, extra), min_size=1, max_size=3), rounds=rounds)
@hypothesis_settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_tenant_ends_as_the_store_says(
    sqlite_template: Path, start: list[tuple[dict[str, Any], dict[str, Any]]], rounds: list[tuple[Any, ...]]
) -> None:
    with fast_folder() as folder, mock.patch.object(clock, "now") as now:
        time = Clock()
        now.side_effect = time.now
        shutil.copy(sqlite_template, folder / "store.db")
        scene = Scene(folder, Store(f"sqlite:///{folder / 'store.db'}"), MemoryTenant(), time)
        for name, (said, more) in zip(NAMES, start, strict=False):
            scene.say(name, said, more)
        scene.run()
        for happenings, seconds, faults in rounds:
            for what, *details in happenings:
                getattr(scene, what)(*details)
            scene.time.pass_by(seconds)
            scene.run(faults)
        scene.time.pass_by(61)
        scene.run()
        plan = syncing(scene.store, scene.tenant, folder, **GIVEN).plan()
        assert (plan.changes, plan.problems) == ((), ())
        check(scene)
        scene.store.engine.dispose()
