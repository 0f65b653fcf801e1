"""A store with its files, a Learn site with its people, and publishing between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, func, select, true
from sqlalchemy.orm import DeclarativeBase

from fixtures.sandboxes import Site
from gradeway.publish.due import due_courses
from gradeway.publish.outbox import Planned, approve
from gradeway.publish.resolve import insist, resolve
from gradeway.publish.run import LearnPublisher, Publisher, Sent, open_learn
from gradeway.settings import Settings
from gradeway.store.models import Course, Grade, GradeColumn, Learner
from gradeway.store.publish import LEARN, GradeConflict, PublishProblem, Resolution
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.learn import CONNECTION, Learn
from gradeway.vendors.pace import Manners
from loading.world import World

MANNERS = Manners(connect=5, read=5, interval=0, backoff=0)
WRITES = {"POST", "PATCH", "DELETE"}
ROUNDS = 6
PLAYED_WITHOUT_COLUMN = {"add", "enrol", "populate", "disable", "enable"}


class Scene:
    """One course at a time, whose identifier is the test's own, in a site that all tests share."""

    target = LEARN

    def __init__(self, world: World, site: Site, course: str) -> None:
        self.world, self.site, self.course = world, site, course

    @property
    def settings(self) -> Settings:
        return self.world.settings

    @contextmanager
    def client(self, manners: Manners = MANNERS, **extra: object) -> Iterator[Learn]:
        """A client of the site."""
        endpoint = Endpoint(CONNECTION, self.site.url.partition("learn/api")[0], "sandbox", "sandbox", extra)
        with open_learn(self.world.intake.store, endpoint, manners) as client:
            yield client

    @contextmanager
    def publisher(self, manners: Manners = MANNERS, **extra: object) -> Iterator[Publisher]:
        """Publishing to the site."""
        with self.client(manners, **extra) as client:
            yield LearnPublisher(self.world.intake.store, client, self.settings, patience=0, progress=lambda _: None)

    def land(self, suffix: str, header: str, *rows: str) -> None:
        """Load a file; ``{c}`` in a row is the course."""
        batch = self.world.land(f"f.{suffix}", header, *(row.replace("{c}", self.course) for row in rows))
        assert (batch.rejected, batch.parked, batch.state) == (0, 0, "loaded")

    def schemas(self, *rows: str) -> None:
        self.land("sch", "title|symbols|optionalData", *(f"{row}|" for row in rows))

    def columns(self, *rows: str, suffix: str = "colnc") -> None:
        self.land(suffix, "courseId|name|points|gradeSchema|duedate", *rows)

    def column(self, name: str = "Oral", *, points: object = 20, schema: str = "", due: str = "") -> None:
        """Load one column."""
        self.columns(f"{{c}}|{name}|{points}|{schema}|{due}")

    def assignment(self, name: str = "Project", **fields: object) -> None:
        """Load one assignment, with the fields that are given."""
        self.land("asg", "|".join(["courseId", "name", *fields]), "|".join(["{c}", name, *map(str, fields.values())]))

    def grades(self, **values: object) -> None:
        """Load grades of one column, ``_`` in whose name is a blank: column="Oral", ann=7."""
        column = values.pop("column", "Oral")
        rows = [f"{{c}}|{learner}|{column}|{value}" for learner, value in values.items()]
        self.land("colncval", "courseId|userId|name|value", *rows)

    def remove_grades(self, column: str, *learners: str) -> None:
        """Take grades out of the store, all of a column if no learner is named, as undoing a batch does."""
        with self.world.intake.store.writing() as session:
            ids = select(GradeColumn.id).join(Course).where(Course.source_id == self.course, GradeColumn.name == column)
            whose = select(Learner.id).where(Learner.source_id.in_(learners) if learners else true())
            session.execute(delete(Grade).where(Grade.column_id.in_(ids), Grade.learner_id.in_(whose)))

    def remove_column(self, name: str) -> None:
        """Take a column with its grades out of the store, as undoing a batch does."""
        self.remove_grades(name)
        with self.world.intake.store.writing() as session:
            ids = select(Course.id).where(Course.source_id == self.course)
            session.execute(delete(GradeColumn).where(GradeColumn.course_id.in_(ids), GradeColumn.name == name))

    # what people do

    def play(self, do: str, column: str = "Oral", user: str = "", **more: object) -> None:
        """Do in the gradebook what a teacher does."""
        named = {"column": column} if do not in PLAYED_WITHOUT_COLUMN else {}
        self.site.play(self.course, do, **named, **({"user": user} if user else {}), **more)

    def decide(self, resolution: Resolution, column: str = "", learner: str = "") -> int:
        """Decide about conflicts in the course."""
        of = {"course": self.course, "column": column, "learner": learner}
        return resolve(self.world.intake.store, self.target, resolution, "Eva", "asked the teacher", **of)

    def decide_all(self, resolution: str = "take", learner: str = "") -> None:
        self.decide(Resolution(resolution), learner=learner)

    def insist(self, column: str = "", schema: str = "") -> None:
        """Decide that ours is brought back."""
        insist(
            self.world.intake.store, self.target, "Eva", "by mistake", course=self.course, column=column, schema=schema
        )

    def approve(self, digest: str) -> None:
        approve(self.world.intake.store, self.target, digest, "Eva", "is right")

    # publishing

    def publish(self, *courses: str, again: bool = False, everything: bool = False) -> Sent:
        """Plan what is due, or some courses, and send all that needs no approval."""
        with self.publisher() as publisher:
            publisher.plan(courses, again=again, everything=everything)
            return publisher.apply_free()

    def publish_all(self, *, everything: bool = False) -> None:
        """Publish until nothing is due, whatever the brakes say."""
        for _ in range(ROUNDS):
            with self.publisher() as publisher:
                planning = publisher.plan(again=True, everything=everything)
                for planned in planning.planned:
                    if planned.held.lines:
                        self.approve(planned.held.digest)
                publisher.apply_free()
            if not self.due():
                return
        msg = "it does not come to an end"
        raise AssertionError(msg)

    def plan(self, *, again: bool = False, everything: bool = False) -> Planned:
        """Plan the course; return what came of it."""
        with self.publisher() as publisher:
            [planned] = publisher.plan([self.course], again=again, everything=everything).planned
        return planned

    def due(self, *, again: bool = False) -> list[str]:
        """Return the courses that are due."""
        with self.world.intake.store.session() as session:
            names = dict(session.execute(select(Course.id, Course.source_id)).tuples().all())
            return [names[key] for key in due_courses(session, self.target, again=again)]

    # what is there

    def there(self) -> dict[str, dict[str, Any]]:
        """The gradebook as it is: each column's grades by user name, for manual and assignment columns."""
        names = {member["userId"]: member["user"]["userName"] for member in self.members()}
        found = {}
        for column in self.remote_columns():
            if column.get("grading", {}).get("type") == "Calculated":
                continue
            grades = self.site.every(f"v2/courses/courseId:{self.course}/gradebook/columns/{column['id']}/users")
            found[column["name"]] = {names[each["userId"]]: _plain(each) for each in grades if _plain(each) is not None}
        return found

    def members(self) -> list[dict[str, Any]]:
        return self.site.every(f"v1/courses/courseId:{self.course}/users?expand=user")

    def remote_columns(self) -> list[dict[str, Any]]:
        return self.site.every(f"v2/courses/courseId:{self.course}/gradebook/columns")

    def remote_column(self, name: str) -> dict[str, Any]:
        [found] = [column for column in self.remote_columns() if column["name"] == name]
        return found

    def count(self, table: type[DeclarativeBase]) -> int:
        with self.world.intake.store.session() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def rows(self, table: type[DeclarativeBase]) -> list[Any]:
        with self.world.intake.store.session() as session:
            found = list(session.scalars(select(table)))
            session.expunge_all()
        return found

    def all_problems(self) -> list[PublishProblem]:
        return self.rows(PublishProblem)

    def problems(self) -> list[tuple[str, str]]:
        return sorted((each.code, each.name) for each in self.all_problems())

    def conflicts(self) -> list[tuple[str | None, str, str]]:
        """The conflicts: our value, theirs in words, and what was decided."""
        return sorted(
            (each.ours, each.theirs_text or str(each.theirs_score or each.theirs_marks), each.resolution)
            for each in self.rows(GradeConflict)
        )

    def calls(self, since: int = 0) -> list[str]:
        """The calls that the site got, as method and what is behind the course."""
        log = self.site.act(f"log?after={since}", method="GET")
        return [f"{entry['method']} {entry['path']}" for entry in log]

    def mark(self) -> int:
        """Return where the log of the site is now."""
        log = self.site.act("log", method="GET")
        return int(log[-1]["number"]) if log else 0

    def writes(self, since: int = 0) -> list[str]:
        return [call for call in self.calls(since) if call.split()[0] in WRITES and "oauth2" not in call]


MakeScene = Callable[..., Scene]


def _plain(grade: dict[str, Any]) -> Any:  # noqa: ANN401
    if grade.get("exempt"):
        return "exempt"
    score, text = grade.get("score"), grade.get("text")
    if score is None and text is None:
        shown = grade.get("displayGrade", {})
        score = shown.get("score")
    if text is not None and score is None:
        return text
    return None if score is None else format(Decimal(str(score)).normalize(), "f")
