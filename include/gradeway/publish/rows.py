"""What is ours as rows of the Grades Journey flat files, and files of such rows.

Source: Blackboard, Grades Journey, Incoming Flat File Specifications. The separator cannot be
written inside a cell and there are no quotes, so what needs either is refused, and so is what
would not be read back as it is.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date

from gradeway.checks.read import CheckedFile
from gradeway.feeds import FEEDS
from gradeway.publish.plan import Values
from gradeway.publish.wanted import plain
from gradeway.reasons import Finding, Level
from gradeway.settings import Settings
from gradeway.store.models import ColumnKind, GradeColumn, GradeSchema

QUOTE = '"'
ODD = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of characters, and ends of lines
BOM = "\ufeff"  # which readers leave out
FEED_OF = {ColumnKind.ASSIGNMENT: "asg", ColumnKind.CALCULATED: "col", ColumnKind.MANUAL: "colnc"}

Cells = Mapping[str, str]


def of_schema(schema: GradeSchema) -> Values:
    """Return the row of a schema."""
    symbols = [f"{text}={lower}" if lower is not None else text or "" for text, lower in schema.symbols]
    return {"title": schema.title, "symbols": ":".join(symbols), "optionalData": _pairs(schema.optional_data)}


def of_column(column: GradeColumn, course: str, schema: str, settings: Settings) -> Values:
    """Return the row of a column; every cell is filled, as a blank one would set the default."""
    shared = {
        "courseId": course,
        "name": column.name,
        "points": plain(column.points),
        "gradeSchema": schema,
        "optionalData": _pairs(column.optional_data),
    }
    if column.kind != ColumnKind.ASSIGNMENT:
        return shared | {"description": column.description, "duedate": _date(column.due_date, settings)}
    return shared | {
        "instructions": column.instructions or "",
        "anonymous": _yes(column.anonymous),
        "group": _yes(column.group_work),
        "contentAreaName": column.content_area or "",
        "available": _yes(column.available),
        "colour": column.colour or "",
        "attempts": str(column.attempts if column.attempts is not None else -1),
        "tracked": _yes(column.tracked),
        "startDate": _date(column.start_date, settings),
        "endDate": _date(column.end_date, settings),
        "dueDate": _date(column.due_date, settings),
    }


def of_external(column: GradeColumn, course: str) -> Values:
    """Return the row that makes a column the external one of its course."""
    return {"courseId": course, "name": column.name}


def of_grade(course: str, learner: str, column: str, value: str) -> Values:
    """Return the row of a grade."""
    return {"courseId": course, "userId": learner, "name": column, "value": value}


def _yes(value: bool | None) -> str:
    return "Y" if value else "N"


def _pairs(pairs: Mapping[str, str]) -> str:
    return ":".join(f"{key}={value}" for key, value in pairs.items())


def _date(day: date | None, settings: Settings) -> str:
    if day is None:
        return ""
    said = {"yyyy": f"{day.year:04}", "MM": f"{day.month:02}", "M": f"{day.month}"}
    said |= {"dd": f"{day.day:02}", "d": f"{day.day}"}
    return "".join(said.get(part, part) for part in re.findall(r"y+|M+|d+|[^yMd]+", settings.date_pattern))


def write(feed: str, rows: Sequence[Cells], settings: Settings) -> bytes:
    """Return a file of rows: UTF-8, the whole header, no quotes."""
    header = header_of(feed, settings)
    lines = [header, *([row.get(name, "") for name in header] for row in rows)]
    return "".join(f"{settings.delimiter.join(line)}\n" for line in lines).encode()


def header_of(feed: str, settings: Settings) -> list[str]:
    """Return the names of a feed's columns, in their order."""
    return list(FEEDS[feed].build(settings).columns)


def refused(feed: str, rows: Sequence[Cells], settings: Settings) -> dict[int, str]:
    """Return the places of the rows that cannot be written, or that our own contract would not take, and why."""
    header = header_of(feed, settings)
    found = {place: why for place, row in enumerate(rows) if (why := _unwritable(row, header, settings))}
    places = [place for place in range(len(rows)) if place not in found]
    content = write(feed, [rows[place] for place in places], settings)
    checked = CheckedFile(lambda: io.BytesIO(content), FEEDS[feed], settings)
    for _ in checked.slices():
        pass
    wrong = [each for each in checked.findings if each.line and each.reason.level is Level.ROW]
    return found | {places[each.line - 2]: _why(each) for each in wrong if each.line}


def _why(finding: Finding) -> str:
    return ": ".join(filter(None, (finding.reason.value, finding.column, finding.detail)))


def _unwritable(row: Cells, header: Sequence[str], settings: Settings) -> str:
    cells = [row.get(name, "") for name in header]
    for name, cell in zip(header, cells, strict=True):
        if settings.delimiter in cell:
            return f"{name}: it has the separator in it"
        if cell.startswith(QUOTE) or not _is_read_as_it_is(cell):
            return f"{name}: it cannot be written without quotes"
    return "it says what the header says" if cells == header else ""


def _is_read_as_it_is(cell: str) -> bool:
    if cell.isascii() and cell.isprintable():
        return cell == cell.strip()
    odd = BOM in cell or any(unicodedata.category(mark) in ODD for mark in cell)
    return not odd and cell == unicodedata.normalize("NFC", cell).strip()
