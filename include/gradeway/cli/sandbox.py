"""`gradeway sandbox`: a vendor's stand-in that runs until it is stopped."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import click

from gradeway import clock
from gradeway.cli.shell import DONE
from gradeway.sandbox.documents import Documents, read_seed
from gradeway.sandbox.frame import Frame
from gradeway.sandbox.journal import Journal
from gradeway.sandbox.questionmark import seeding
from gradeway.sandbox.questionmark.entities import SETS
from gradeway.sandbox.questionmark.service import Questionmark
from gradeway.sandbox.questionmark.start import start
from gradeway.sandbox.serve import serve


def run_questionmark(
    port: int, data: Path, seed: Path | None, log: Path | None, area: str, login: tuple[str, str], output: str
) -> int:
    """Run the stand-in of Questionmark until it is stopped; return the exit code."""
    with closing(Documents(data / "questionmark.db", seeding.COLLECTIONS)) as documents:
        vendor = Questionmark(documents, area, *login)
        if documents.is_empty(SETS):
            entities = read_seed(seed) if seed else start()
            documents.run(lambda: seeding.load(documents, entities, clock.now()))
        elif seed:
            click.echo(f"gradeway: {data} has data already; the seed is not loaded", err=True)
        serve(Frame(vendor, Journal(log)), port, lambda origin: _ready("questionmark", origin, vendor.path, output))
    return DONE


def _ready(name: str, origin: str, path: str, output: str) -> None:
    """Print the one line that says where the sandbox listens; whoever started it waits for this line."""
    url, control = f"{origin}{path}", f"{origin}/_sandbox/"
    line = f"{name} sandbox ready at {url}"
    click.echo(json.dumps({"sandbox": name, "url": url, "control": control}) if output == "json" else line)
