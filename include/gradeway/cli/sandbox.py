"""`gradeway sandbox`: a vendor's stand-in that runs until it is stopped."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from gradeway import clock
from gradeway.cli.shell import DONE
from gradeway.sandbox.assessmentq import start as aq_start
from gradeway.sandbox.assessmentq.entities import COLLECTIONS, SEEDED
from gradeway.sandbox.assessmentq.service import AssessmentQ
from gradeway.sandbox.documents import Document, Documents, read_seed
from gradeway.sandbox.frame import Frame
from gradeway.sandbox.journal import Journal
from gradeway.sandbox.learn import model as learn_model
from gradeway.sandbox.learn import start as learn_start
from gradeway.sandbox.learn.service import Learn
from gradeway.sandbox.questionmark import seeding
from gradeway.sandbox.questionmark.entities import SETS
from gradeway.sandbox.questionmark.service import Questionmark
from gradeway.sandbox.questionmark.start import start
from gradeway.sandbox.serve import Ready, serve


@dataclass(frozen=True)
class Sandbox:
    """What every sandbox is told."""

    port: int
    data: Path
    seed: Path | None
    log: Path | None
    login: tuple[str, str]
    output: str


def run_questionmark(told: Sandbox, area: str) -> int:
    """Run the stand-in of Questionmark until it is stopped; return the exit code."""
    with closing(Documents(told.data / "questionmark.db", seeding.COLLECTIONS)) as documents:
        vendor = Questionmark(documents, area, *told.login)
        _fill(documents, told, SETS, start, lambda seed: seeding.load(documents, seed, clock.now()))
        serve(Frame(vendor, Journal(told.log)), told.port, _ready("questionmark", vendor.path, told.output))
    return DONE


def run_assessmentq(told: Sandbox, control_port: int) -> int:
    """Run the stand-in of assessmentQ until it is stopped; return the exit code."""
    with closing(Documents(told.data / "assessmentq.db", COLLECTIONS)) as documents:
        vendor = AssessmentQ(documents, *told.login)
        _fill(documents, told, SEEDED, aq_start.start, lambda seed: aq_start.load(documents, seed))
        ready = _ready("assessmentq", vendor.path, told.output)
        serve(Frame(vendor, Journal(told.log)), told.port, ready, control_port)
    return DONE


def run_learn(told: Sandbox) -> int:
    """Run the stand-in of Blackboard Learn until it is stopped; return the exit code."""
    with closing(Documents(told.data / "learn.db", learn_model.COLLECTIONS)) as documents:
        vendor = Learn(documents, *told.login)
        load = functools.partial(learn_start.load, documents, now=clock.now())
        _fill(documents, told, learn_start.SEEDED, learn_start.start, load)
        serve(Frame(vendor, Journal(told.log)), told.port, _ready("learn", vendor.path, told.output))
    return DONE


Seed = Mapping[str, list[Document]]


def _fill(
    documents: Documents, told: Sandbox, sets: Iterable[str], own: Callable[[], Seed], load: Callable[[Seed], None]
) -> None:
    """Load a seed, or the sandbox's own data, into an empty folder."""
    if documents.is_empty(sets):
        entities = read_seed(told.seed) if told.seed else own()
        documents.run(lambda: load(entities))
    elif told.seed:
        click.echo(f"gradeway: {told.data} has data already; the seed is not loaded", err=True)


def _ready(name: str, path: str, output: str) -> Ready:
    """Print the one line that says where the sandbox listens; whoever started it waits for this line."""

    def tell(origin: str, control_origin: str) -> None:
        url, control = f"{origin}{path}", f"{control_origin}/_sandbox/"
        apart = "" if origin == control_origin else f", control paths at {control}"
        line = f"{name} sandbox ready at {url}{apart}"
        click.echo(json.dumps({"sandbox": name, "url": url, "control": control}) if output == "json" else line)

    return tell
