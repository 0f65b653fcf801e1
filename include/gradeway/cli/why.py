"""`gradeway why`: the life of a grade."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType

from gradeway.cli import out
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE
from gradeway.publish.why import Life, lives
from gradeway.settings import Settings, load
from gradeway.store.engine import Store

HASH, SHOWN_OF_HASH = re.compile(r"\b[0-9a-f]{64}\b"), 12
EVENTS = (Field("when", whole=True), Field("what", whole=True), Field("detail"))


def show_life(course: str, learner: str, column: str, output: str) -> int:
    """Print the life of a grade, of each where several columns have the name; return the exit code."""
    settings = load()
    with Store.to_read(settings.database_url).session() as session:
        first, *others = lives(session, settings.publish_target, course, learner, column)
    if output == "json":
        out.print_json(_life_document(first) | {"others": [_life_document(each) for each in others]})
        return DONE
    for each in (first, *others):
        out.say(*_life_text(each, settings))
    return DONE


def _life_text(life: Life, settings: Settings) -> Iterator[RenderableType]:
    there = life.published or ("nothing" if life.published_at else "not published")
    as_of = f" as of {out.when(life.published_at, settings.zone)}" if life.published_at else ""
    yield f"ours: {life.value or 'none'}; in the gradebook: {there}{as_of}"
    yield out.table(
        EVENTS,
        [(out.when(each.at, settings.zone), each.what, _detail(each.detail, each.plan)) for each in life.events],
    )


def _detail(detail: str, plan: str) -> str:
    """Return a detail as one line a statement, with as much of hashes as tells them apart."""
    told = f"{detail}; plan {plan}" if plan else detail
    return HASH.sub(lambda found: found[0][:SHOWN_OF_HASH], told).replace("; ", "\n")


def _life_document(found: Life) -> dict[str, Any]:
    return {
        "course": found.course,
        "column": found.column,
        "learner": found.learner,
        "value": found.value,
        "published": found.published,
        "published_at": out.iso(found.published_at),
        "events": [vars(each) | {"at": out.iso(each.at)} for each in found.events],
    }
