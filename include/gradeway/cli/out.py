"""How the commands print: tables that fit a terminal and lose nothing in a pipe, and JSON."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from gradeway import clock

# A pipe has no width: nothing is wrapped there, so that lines can be searched and cut.
UNLIMITED = 100_000
WIDE = 100
STYLES = {"rejected": "red", "refused": "red", "parked": "yellow", "claimed": "yellow", "warning": "yellow"}
MINUTE, HOUR, DAY = 60, 3600, 86400
FORMULA = re.compile(r"[=+\-@\t\r]")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)


class Field(NamedTuple):
    """A column of a printed table."""

    title: str
    number: bool = False
    whole: bool = False
    wide_only: bool = False


def console(*, stderr: bool = False) -> Console:
    """Return the console for stdout or stderr; text is printed as it is, never as markup."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else UNLIMITED
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def say(*parts: RenderableType) -> None:
    """Print tables and lines of text; a terminal wraps long lines itself, so that paths can be copied."""
    out = console()
    for part in parts:
        line = plain(part) if isinstance(part, str) else part
        with out.capture() as held:
            out.print(line, soft_wrap=isinstance(line, Text))
        _write(held.get(), bare=not out.is_terminal)


def _write(text: str, *, bare: bool) -> None:
    click.echo("\n".join(line.rstrip() for line in text.split("\n")) if bare else text, nl=False, color=not bare)


def print_json(document: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table as CSV that a spreadsheet can open."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([guarded(name) for name in header])
    writer.writerows([guarded(cell) for cell in row] for row in rows)


def guarded(cell: object) -> str:
    """Return a cell that no spreadsheet runs as a formula; numbers stay numbers."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def plain(text: object) -> Text:
    """Return text without anything a terminal would obey."""
    return Text("".join(mark if mark.isprintable() or mark == "\n" else "?" for mark in str(text)))


def table(fields: Sequence[Field], rows: Iterable[Sequence[object]]) -> Table:
    """Lay out a table; long cells are folded and never cut, numbers stand to the right."""
    wide = console().width >= WIDE
    shown = [place for place, field in enumerate(fields) if wide or not field.wide_only]
    laid = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    for place in shown:
        field = fields[place]
        side: JustifyMethod = "right" if field.number else "left"
        laid.add_column(field.title, justify=side, no_wrap=field.number or field.whole, overflow="fold")
    for row in rows:
        laid.add_row(*(_cell(row[place], fields[place]) for place in shown))
    return laid


def _cell(value: object, field: Field) -> Text:
    text = plain("" if value is None else value)
    text.stylize(STYLES.get(field.title if field.number and value else str(value), ""))
    return text


def facts(pairs: Sequence[tuple[str, object]]) -> Text:
    """Lay out names and values, one a line."""
    width = max(len(name) for name, _ in pairs)
    lines = (Text.assemble((name.ljust(width), "bold"), "  ", plain(value)) for name, value in pairs)
    return Text("\n").join(lines)


def heading(text: str) -> Text:
    """Return a heading."""
    return Text(f"\n{text}", style="bold")


def listed(
    title: str, fields: Sequence[Field], rows: Sequence[Sequence[object]], limit: int
) -> Iterator[RenderableType]:
    """Lay out a table under its heading, of as many rows at most; 0 is all. Nothing of a table without rows."""
    if rows:
        yield heading(title)
        yield table(fields, rows[: limit or len(rows)])
    if limit and len(rows) > limit:
        yield f"and {len(rows) - limit:,} more; --limit 0 shows all"


def count(number: int, one: str, many: str = "") -> str:
    """Say how many there are of something."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def when(instant: datetime | None, zone: ZoneInfo) -> str:
    """Return an instant in the zone in which people read it."""
    return "" if instant is None else instant.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def iso(instant: datetime | None) -> str | None:
    """Return an instant for machines."""
    return None if instant is None else instant.isoformat(timespec="seconds")


def age(since: datetime) -> str:
    """Say how long ago an instant was."""
    seconds = max(0, int((clock.now() - since).total_seconds()))
    for size, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= size:
            return count(seconds // size, name)
    return count(seconds, "second")


@contextmanager
def spinner(text: str) -> Iterator[Any]:
    """Show on a terminal that something goes on; yields a function that changes the text."""
    err = console(stderr=True)
    if not err.is_terminal:
        yield None
        return
    with err.status(plain(text)) as status:
        yield lambda message: status.update(plain(message))
