"""A term of two days that takes every kind of call, to be spoilt or interrupted anywhere, and that then ends well.

On the first day all is new. On the second a schema, a column and a grade are changed, a column and a
grade are gone, and somebody has no place for grades yet.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal

from sqlalchemy import delete, update

from gradeway.publish import outbox
from gradeway.publish.overview import waiting
from gradeway.publish.run import Publisher
from gradeway.store.models import ColumnKind, Grade, GradeColumn, GradeSchema, Learner
from gradeway.store.publish import (
    LEARN,
    GradeConflict,
    GradeReceipt,
    Kind,
    PublishedItem,
    PublishIntent,
    PublishProblem,
)
from publish.filling import GIVEN, fill, set_grades
from publish.scene import MANNERS, WRITES, Scene
from sessions.exams import Clock

ROUNDS = 8  # runs after which all must be quiet
GRACE = 61  # seconds
# Nothing here waits for a service that asks to be left alone.
QUICK = replace(MANNERS, sleep=lambda _seconds: None)
LEARNERS = ("ann", "bob", "cy", "dee", "gil")
FIRST_DAY = {"Oral": {"ann": "7", "bob": "12.5"}, "Essay": {"ann": "A"}, "Project": {"cy": "40"}, "Old": {"bob": "3"}}
SECOND_DAY = {"Oral": {"ann": "8", "gil": "9"}, "Essay": {"ann": "F", "dee": "81"}, "Project": {"cy": "40"}}
FIRST_THERE = FIRST_DAY | {"Essay": {"ann": "100"}}
SECOND_THERE = {"Oral": {"ann": "8"}, "Essay": {"ann": "40", "dee": "81"}, "Project": {"cy": "40"}}
# The writes of each day, by method and path, a star for an id; none of them may be made twice.
FIRST_WRITES = {
    "POST schemas": 1,
    "POST contents": 1,
    "POST columns": 3,
    "POST contents/createAssignment": 1,
    "PATCH columns/*": 1,
    "PATCH columns/*/users/*": 5,
}
SECOND_WRITES = {"PATCH schemas/*": 1, "PATCH columns/*": 1, "DELETE columns/*": 1, "PATCH columns/*/users/*": 4}
LETTERS = [["A", "90"], ["B", "80"], ["F", "0"]]


def begin(scene: Scene) -> None:
    """Fill the store for the first day."""
    store = scene.world.intake.store
    fill(store, {scene.course: FIRST_DAY}, {"Essay": date(2026, 12, 1)})
    with store.writing() as session:
        schema = GradeSchema(title="Letters", symbols=LETTERS, **GIVEN)
        session.add_all([schema, Learner(source_id="dee"), Learner(source_id="gil")])
        session.flush()
        session.execute(update(GradeColumn).where(GradeColumn.name == "Essay").values(schema_id=schema.id))
        project = {"kind": ColumnKind.ASSIGNMENT, "content_area": "Tasks", "anonymous": True}
        project |= {"attempts": -1, "available": True}
        session.execute(update(GradeColumn).where(GradeColumn.name == "Project").values(project))


def go_on(scene: Scene) -> None:
    """Change the store to what it is on the second day; somebody new came into the course."""
    store = scene.world.intake.store
    with store.writing() as session:
        session.execute(update(GradeSchema).values(symbols=[["A", "92"], *LETTERS[1:]], line=11))
        session.execute(update(GradeColumn).where(GradeColumn.name == "Oral").values(points=Decimal(20), line=12))
        session.execute(delete(Grade))
        session.execute(delete(GradeColumn).where(GradeColumn.name == "Old"))
    set_grades(store, SECOND_DAY)
    scene.site.play(scene.course, "enrol", user="gil", populated=False)


def publish(publisher: Publisher, scene: Scene) -> bool:
    """Do what a run does, and what a person does who allows everything; return whether anything was done."""
    planned = publisher.plan().planned
    store = scene.world.intake.store
    with store.session() as session:
        held = [each.digest for each in waiting(session, LEARN, scene.settings)]
    for digest in held:
        outbox.approve(store, LEARN, digest, "head", "it is meant so")
    sent = [publisher.apply_free(), *map(publisher.apply, held)]
    return any(each.outcomes or each.paused for each in sent) or any(each.free.lines for each in planned)


def run(scene: Scene) -> bool:
    """Publish once; return whether anything was done."""
    with scene.publisher(QUICK) as publisher:
        return publish(publisher, scene)


def end_well(scene: Scene, passing: Clock) -> None:
    """Publish until nothing is left to do."""
    for _ in range(ROUNDS):
        if not run(scene) and not under_way(scene):
            return
        passing.pass_by(GRACE)
    raise AssertionError([(each.kind, each.action, each.state, each.detail) for each in under_way(scene)])


def under_way(scene: Scene) -> list[PublishIntent]:
    """The intents that have not ended."""
    return [each for each in scene.rows(PublishIntent) if each.state in {"open", "sent", "unknown"}]


def effects(scene: Scene, since: int) -> Counter[str]:
    """How many writes had an effect, by method and path below the course; a star stands for an id."""
    log = scene.site.act(f"log?after={since}", method="GET")
    below = re.compile(rf".*/courses/{remote_course(scene)}/(?:gradebook/)?")
    return Counter(
        f"{entry['method']} {re.sub('_[0-9]+_1', '*', below.sub('', entry['path']))}"
        for entry in log
        if entry["took_effect"] and entry["method"] in WRITES and below.match(entry["path"])
    )


def remote_course(scene: Scene) -> str:
    """The site's own id of the course."""
    return str(scene.site.ask("GET", f"v3/courses/courseId:{scene.course}?fields=id")["id"])


def check(scene: Scene, there: dict[str, dict[str, str]]) -> None:
    """The gradebook is what the store says, all of it once, with a receipt each, and nobody has to decide anything."""
    assert scene.there() == there
    names = [column["name"] for column in scene.remote_columns()]
    assert sorted(names) == sorted([*there, "Total"])
    titles = [each["title"] for each in scene.site.every(f"v1/courses/courseId:{scene.course}/gradebook/schemas")]
    assert titles.count("Letters") == 1
    folders = [each["title"] for each in scene.site.every(f"v1/courses/courseId:{scene.course}/contents")]
    assert folders == ["Tasks"]
    [tasks] = scene.site.every(f"v1/courses/courseId:{scene.course}/contents")
    children = scene.site.every(f"v1/courses/courseId:{scene.course}/contents/{tasks['id']}/children")
    assert [each["title"] for each in children] == ["Project"]
    assert scene.remote_column("Project")["grading"]["anonymousGrading"]["type"] == "AfterAllGraded"
    assert scene.remote_column("Project")["externalId"].startswith("gradeway-")
    grades = sum(len(grades) for grades in there.values())
    assert scene.count(GradeReceipt) == grades
    assert sorted(each.kind for each in scene.rows(PublishedItem)) == sorted([*[Kind.COLUMN] * len(there), Kind.SCHEMA])
    assert scene.count(GradeConflict) == 0
    assert {each.code for each in scene.rows(PublishProblem)} <= {"NOT_POPULATED"}
