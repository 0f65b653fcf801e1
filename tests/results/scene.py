"""Exam sessions with schedules in a sandbox, participants who play, and what is collected of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import select

from fixtures.sandboxes import Sandbox
from gradeway import clock
from gradeway.feeds.results import COLUMNS
from gradeway.results.collect import Collected, collect
from gradeway.sandbox.questionmark.start import assessment_id
from gradeway.settings import Settings
from gradeway.store import tenants
from gradeway.store.exams import QUESTIONMARK, Attempt, ExamSession, SessionGroup, SessionSchedule
from gradeway.store.models import Batch
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.questionmark import Questionmark
from gradeway.vendors.transport import Manners
from loading.world import World

GROUP = 410002
AMARA, FENNA, THIRD = 510001, 510006, 510011  # members of that group
NAMES = {AMARA: "a.okafor00", FENNA: "f.tanaka05"}
ASSESSMENT = assessment_id(1001)
MANNERS = Manners(connect=2, read=1, interval=0, tries=2, backoff=0)
LISTS = ("security", "review", "accessibility", "plugins", "report")
NUMBERS = count(1)


@dataclass
class Scene:
    """One installation and the sandbox that it collects from."""

    world: World
    vendor: Sandbox
    client: Questionmark

    @classmethod
    @contextmanager
    def open(cls, world: World, vendor: Sandbox) -> Iterator[Scene]:
        """Open a scene for one test."""
        endpoint = Endpoint("gradeway_questionmark", vendor.url, "sandbox", "sandbox")
        tenants.hold(world.intake.store, QUESTIONMARK, endpoint.url)
        with Questionmark(endpoint, manners=MANNERS) as client:
            yield cls(world, vendor, client)
        world.intake.store.engine.dispose()

    @property
    def settings(self) -> Settings:
        return self.world.settings

    def session(self, name: str = "Anatomy 1A", **properties: object) -> int:
        """Make a session whose schedule is in the sandbox; return the schedule's ID."""
        made = self.vendor.schedule(**{"AssessmentID": ASSESSMENT, "GroupID": GROUP} | properties)
        blank: dict[str, Any] = {field: [] for field in LISTS} | {"given": {}, "batch_id": 1, "line": 2}
        with self.world.intake.store.writing() as session:
            group = session.scalar(select(SessionGroup)) or SessionGroup(name="G", given={}, batch_id=1, line=2)
            session.add(group)
            session.flush()
            exam = ExamSession(name=name, group_id=group.id, delivery="D", **blank)
            session.add(exam)
            session.flush()
            session.add(SessionSchedule(session_id=exam.id, schedule_id=made["ID"], told={}, synced_at=clock.now()))
        return int(made["ID"])

    def take(self, schedule: int, participant: int = AMARA, score: int = 42, **more: object) -> int:
        """Let a participant take an exam from start to end; return the attempt's ID."""
        self.vendor.play(schedule, participant, "start")
        done = self.vendor.play(schedule, participant, "finish", score=score, **{"max": 60} | more)
        return int(done["Attempt"]["ID"])

    def collect(self, *, full: bool = False, night: bool = False, **settings: object) -> Collected:
        """Collect once; unless it is night, everything has been read today."""
        if not night:
            tenants.note_read(self.world.intake.store, QUESTIONMARK, clock.now())
        changed = self.settings.model_copy(update=settings)
        return collect(self.world.intake.store, self.client, changed, full=full)

    def calls(self, **options: Any) -> tuple[Collected, list[str]]:  # noqa: ANN401
        """Collect once, and return the paths that were asked for below the service's root."""
        before = len(self.vendor.log())
        done = self.collect(**options)
        return done, [entry["path"].partition("/123456/")[2] for entry in self.vendor.log()[before:]]

    def files(self) -> list[Path]:
        """Return what stands in the inbox, hidden files too."""
        return sorted(self.world.zone.inbox("results").iterdir())

    def rows(self) -> list[dict[str, str]]:
        """Return the rows of the one file in the inbox, and take it away."""
        [path] = self.files()
        header, *lines = path.read_text().splitlines()
        path.unlink()
        assert header == "|".join(COLUMNS)
        return [dict(zip(COLUMNS, line.split("|"), strict=True)) for line in lines]

    def scores(self) -> list[tuple[str, str, str]]:
        """Return learner, state and score of each row of the one file in the inbox."""
        return [(row["learner"], row["state"], row["score"]) for row in self.rows()]

    def attempts(self) -> list[Attempt]:
        """Return the store's attempts."""
        with self.world.intake.store.session() as session:
            found = list(session.scalars(select(Attempt).order_by(Attempt.attempt)))
            session.expunge_all()
        return found

    def sweep(self) -> Batch:
        """Sweep, and return the last batch."""
        assert self.world.sweep().failed == []
        return self.world.batches()[-1]


def later(days: float) -> str:
    """Return the time so many days from now, as the service takes it."""
    return (clock.now() + timedelta(days=days)).replace(tzinfo=None).isoformat() + "Z"
