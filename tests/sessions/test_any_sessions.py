"""From any files in the inbox to the tenant: it ends as the files say, whatever goes wrong on the way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from fixtures.sandboxes import Sandbox, running
from gradeway import clock
from gradeway.errors import VendorError
from gradeway.sessions.plan import Plan
from gradeway.sessions.sync import Sync
from gradeway.sessions.wanted import external_id
from gradeway.store.exams import ExamSession, SessionGroup
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.odata import wire
from gradeway.vendors.questionmark import Questionmark
from gradeway.vendors.transport import Manners
from loading.installations import fast_folder
from loading.world import World
from sessions.clerk import BEGINNING, ZONE, File, Model, Session, files, twice
from sessions.exams import Clock

MANNERS = Manners(interval=0, backoff=0.001)
GIVEN = {"questionmark_monitoring_secure": "QSB", "sessions_brake_percent": 100, "sessions_time_zone": ZONE}
GROUPS = {"Nursing 1A": 410002, "Nursing 1B": 410003}
ASSESSMENTS = {
    "Anatomy midterm": "100100001001",
    "Medication calculation": "100300001003",
    "Fire safety for staff": "100800001008",
}
FORBIDDEN = "Fire safety for staff"
NOTED = {
    "security": "tao.securitySettings",
    "review": "tao.reviewSettings",
    "accessibility": "tao.testRunnerAccessibilityPlugins",
    "plugins": "tao.testRunnerSessionPlugins",
    "report": "tao.reportSettings",
    "read_aloud": "tao.readAloud",
    "waiting_at": "tao.waitingPageDate",
    "time_zone": "tao.timezone",
}
PREFIXES = (f"Run {number} " for number in count(1))  # the sandbox is shared
READS = st.tuples(st.sampled_from(["* *", "GET *"]), st.integers(0, 9))
WRITES = st.tuples(
    st.sampled_from(["POST *", "POST */Schedules", "PATCH *", "POST */ScheduleMetadata"]), st.integers(0, 1)
)
CALL = st.one_of(READS, WRITES, WRITES)
TIMES = st.sampled_from([1, 2, MANNERS.tries, 2 * MANNERS.tries])
KIND = st.sampled_from(
    [
        *[{"kind": "drop"}, {"kind": "drop_after"}, {"kind": "status_after", "status": 500}] * 2,
        *({"kind": "status", "status": status} for status in (400, 401, 500, 503)),
        {"kind": "status", "status": 429, "retry_after": 0},
    ]
)
faults = st.lists(
    st.builds(lambda call, times, kind: {"match": call[0], "after": call[1], "times": times} | kind, CALL, TIMES, KIND),
    min_size=1,
    max_size=3,
)
# In every round some files land, together or one after the other, some time passes, and a run meets faults.
landing = st.tuples(st.lists(files(), min_size=1, max_size=3), st.booleans())
rounds = st.lists(st.tuples(landing, st.sampled_from([0, 30, 70]), faults), min_size=3, max_size=4)


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@dataclass
class Way:
    """An installation, the sandbox, and the model of what the files say."""

    world: World
    vendor: Sandbox
    client: Questionmark
    prefix: str
    model: Model

    def land(self, some: Sequence[File], *, together: bool) -> None:
        for file in some:
            number = len(list(self.inbox.iterdir()))
            (self.inbox / f"{number}.csv").write_bytes(file.content(self.prefix))
            if not together:
                self._sweep([file])
        if together:
            self._sweep(some)

    @property
    def inbox(self) -> Path:
        return self.world.zone.inbox("sessions")

    def _sweep(self, some: Sequence[File]) -> None:
        done = self.world.sweep("sessions")
        assert done.failed == []
        batches = self.world.batches()[-len(some) :]
        assert [batch.id for batch in batches] == sorted(done.batches)
        for file, batch in zip(some, batches, strict=True):
            rejected = self.model.take(file)
            assert (batch.state == "loaded") == (rejected is not None)
            assert rejected is None or (batch.rejected, batch.rows_in) == (rejected, len(file.rows))
            assert batch.balanced

    def sync(self) -> Sync:
        return Sync(self.world.intake.store, self.client, self.world.settings)

    def apply(self, faults: list[dict[str, Any]]) -> None:
        self.vendor.act("faults", faults)
        with suppress(VendorError):
            self.sync().apply_now()
        self.vendor.act("faults", method="DELETE", status=204)

    def check(self) -> None:
        plan = self.sync().plan()
        assert plan.changes == ()
        assert self.stored() == (
            {self.prefix + name: (each.group, each.fields) for name, each in self.model.sessions.items()},
            self.model.groups,
        )
        there = [row for page in self.vendor.pages("Schedules") for row in page["value"]]
        assert twice([row["ExternalID"] for row in there]) == []
        mine = {row["ExternalID"]: row for row in there if row["Name"].startswith(self.prefix)}
        assert len(mine) == sum(self.has_schedule(name, mine, plan) for name in self.model.sessions)

    def stored(self) -> tuple[dict[str, Any], dict[str, Any]]:
        with self.world.intake.store.session() as reading:
            groups = {each.id: each for each in reading.scalars(select(SessionGroup))}
            exams = list(reading.scalars(select(ExamSession)))
        names = next(iter(self.model.sessions.values())).fields if exams else ()
        of = ("description", "active", "organization")
        return (
            {each.name: (groups[each.group_id].name, {name: getattr(each, name) for name in names}) for each in exams},
            {each.name: {name: getattr(each, name) for name in of} for each in groups.values()},
        )

    def has_schedule(self, name: str, mine: dict[str, Any], plan: Plan) -> bool:
        """Whether a session has a schedule; if so, it is as the files say, or the plan tells why it cannot be."""
        session = self.model.sessions[name]
        row = mine.get(external_id(self.prefix + name))
        said = [problem.reason.value for problem in plan.problems if problem.session == self.prefix + name]
        assert said == list(filter(None, [trouble(session, row)]))
        if row and not said:
            expected = self.expected(name)
            assert {key: row[key] for key in expected} == expected
            self.check_notes(session, row["ID"])
        return row is not None

    def expected(self, name: str) -> dict[str, object]:
        session = self.model.sessions[name]
        fields = session.fields
        return {
            "Name": self.prefix + name,
            "GroupID": GROUPS[session.group],
            "AssessmentID": ASSESSMENTS[fields["delivery"]],
            "MonitoringTypeID": 2 if "requireFullscreen" in fields["security"] else 1,
            "StartFrom": wire(fields["start_at"]),
            "StartTo": wire(fields["end_at"]),
            "ResumeTo": wire(fields["submission_at"]),
            "ResumeAllowed": fields["submission_at"] is not None,
            "Disabled": not self.model.groups[session.group]["active"],
            "ParticipantID": None,
        }

    def check_notes(self, session: Session, schedule: int) -> None:
        """What was noted once stays; what is asked for now is noted, if nothing was before."""
        notes = self.vendor.get(f"Schedules({schedule})/ScheduleMetadata")["value"]
        assert twice([note["Key"] for note in notes]) == []
        noted = {note["Key"]: note["Value"] for note in notes}
        assert noted.keys() <= set(NOTED.values())
        for field, key in NOTED.items():
            if session.fields[field]:
                assert key in noted
            if key in noted:
                assert noted[key] in [as_text(value) for value in session.earlier[field]]


def trouble(session: Session, row: dict[str, Any] | None) -> str:
    """Return why a session cannot be scheduled as it is, or nothing."""
    delivery = session.fields["delivery"]
    if session.group not in GROUPS:
        return "GROUP_UNKNOWN"
    if delivery not in ASSESSMENTS:
        return "ASSESSMENT_UNKNOWN"
    if row and row["AssessmentID"] != ASSESSMENTS[delivery]:
        assert row["AssessmentID"] in {ASSESSMENTS.get(each) for each in session.earlier["delivery"]}
        return "IMMUTABLE_CHANGE"
    return "NOT_PERMITTED" if delivery == FORBIDDEN else ""


def as_text(value: object) -> str:
    return ",".join(value) if isinstance(value, list) else str(wire(value))


def go(template: Path, vendor: Sandbox, rounds: list[tuple[Any, ...]], *, begun: bool) -> None:
    endpoint = Endpoint("gradeway_questionmark", vendor.url, "sandbox", "sandbox", {"administrator": 101})
    with fast_folder() as folder, mock.patch.object(clock, "now") as now:
        time = Clock()
        now.side_effect = time.now
        shutil.copy(template, folder / "store.db")
        world = World(folder / "home", f"sqlite:///{folder / 'store.db'}", **GIVEN)
        with Questionmark(endpoint, manners=MANNERS) as client:
            way = Way(world, vendor, client, next(PREFIXES), Model())
            way.land([BEGINNING] * begun, together=False)
            for (some, together), seconds, faults in rounds:
                way.land(some, together=together)
                time.pass_by(seconds)
                way.apply(faults)
            if any(faults for *_, faults in rounds):
                time.pass_by(61)
                way.apply([])
            way.check()
        world.intake.store.engine.dispose()


EXAMPLES = hypothesis_settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # to make an example smaller takes minutes, for each is many calls
    derandomize=True,  # the same files in every run: a chance find would stop somebody else's work
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


# Whether there are good sessions before the files come.
begun = st.sampled_from([True, True, True, False])


@given(rounds=rounds.map(lambda found: [(landed, 0, []) for landed, *_ in found]), begun=begun)
@EXAMPLES
def test_the_tenant_ends_as_the_files_say(
    sqlite_template: Path, vendor: Sandbox, rounds: list[tuple[Any, ...]], begun: bool
) -> None:
    go(sqlite_template, vendor, rounds, begun=begun)


@given(rounds=rounds, begun=begun)
@EXAMPLES
def test_it_does_so_whatever_call_goes_wrong(
    sqlite_template: Path, vendor: Sandbox, rounds: list[tuple[Any, ...]], begun: bool
) -> None:
    go(sqlite_template, vendor, rounds, begun=begun)
