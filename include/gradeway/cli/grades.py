"""`gradeway grades`: a course's gradebook as tables, CSV or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from gradeway.cli import out
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE, Refusal
from gradeway.settings import load
from gradeway.store import gradebook as reading
from gradeway.store.engine import Store
from gradeway.store.gradebook import Entry, Gradebook

COURSES = (Field("course"), Field("columns", number=True), Field("grades", number=True))
COLUMNS = (
    Field("column"),
    Field("kind"),
    Field("points", number=True),
    Field("schema"),
    Field("due"),
    Field("external"),
)
HISTORY = (
    Field("learner"),
    Field("column"),
    Field("value"),
    Field("batch", number=True),
    Field("line", number=True),
    Field("file", wide_only=True),
    Field("replaced by"),
)
LABEL_WIDTH = 18
GAP = 2


def list_courses(output: str) -> int:
    """Print the courses of the store; return the exit code."""
    with Store.to_read(load().database_url).session() as session:
        found = [[line.course, line.columns, line.grades] for line in reading.courses(session)]
    if output == "json":
        names = [field.title for field in COURSES]
        out.print_json({"courses": [dict(zip(names, line, strict=True)) for line in found]})
    elif output == "csv":
        out.print_csv([field.title for field in COURSES], found)
    else:
        out.say(out.table(COURSES, found) if found else "the store has no course yet")
    return DONE


def show_grades(course: str, learner: str | None, output: str, *, history: bool) -> int:
    """Print the gradebook of a course; return the exit code."""
    book = _book(course, learner, history=history)
    if output == "json":
        out.print_json(reading.as_data(book, history=history))
    elif output == "csv":
        header = [field.title for field in HISTORY] if history else ["learner", *_labels(book)]
        out.print_csv(header, _history(book) if history else _values(book, _labels(book)))
    else:
        _print(book, history=history)
    return DONE


def _book(course: str, learner: str | None, *, history: bool) -> Gradebook:
    with Store.to_read(load().database_url).session() as session:
        book = reading.gradebook(session, course, learner=learner, history=history)
        session.expunge_all()
    if book is None:
        msg = f"the store has no course {course}; `gradeway grades` lists the courses"
        raise Refusal(msg)
    if learner is not None and not book.learners:
        msg = f"course {course} has no value for this learner"
        raise Refusal(msg)
    return book


def _labels(book: Gradebook) -> list[str]:
    return [line.label for line in book.columns]


def _values(book: Gradebook, labels: Sequence[str]) -> Iterator[list[str]]:
    for name, entries in book.learners.items():
        yield [name, *(entries[label].value or "" if label in entries else "" for label in labels)]


def _history(book: Gradebook) -> Iterator[list[object]]:
    for name, entries in book.learners.items():
        for label, entry in entries.items():
            if entry.batch:
                yield [name, label, entry.value, entry.batch, entry.line, book.files.get(entry.batch), ""]
            yield from _earlier(name, label, entry, book)


def _earlier(name: str, label: str, entry: Entry, book: Gradebook) -> Iterator[list[object]]:
    for old in entry.before:
        undone = book.undos.get(old.replaced_by_batch)
        by = f"batch {old.replaced_by_batch}" + (
            f", undo of batch {undone}" if undone else f" line {old.replaced_by_line}"
        )
        yield [name, label, old.value, old.batch, old.line, book.files.get(old.batch), by]


def _print(book: Gradebook, *, history: bool) -> None:
    columns = [
        [line.label, record.kind, reading.points(record), line.schema, record.due_date, _mark(external=record.external)]
        for line in book.columns
        for record in (line.record,)
    ]
    out.say(out.heading(f"Course {book.course}"), out.table(COLUMNS, columns))
    for schema in book.schemas:
        symbols = ", ".join(f"{text} from {lower}" if lower else str(text) for text, lower in schema.symbols)
        out.say(f"schema {schema.title}: {symbols}")
    out.say(out.heading(out.count(len(book.learners), "learner")))
    if history:
        out.say(out.table(HISTORY, _history(book)))
    elif book.learners:
        for labels in _pages(book):
            fields = [Field("learner"), *(Field(label) for label in labels)]
            out.say(out.table(fields, _values(book, labels)))


def _mark(*, external: bool) -> str:
    return "yes" if external else ""


def _pages(book: Gradebook) -> Iterator[list[str]]:
    """Divide the columns into tables that fit side by side into the terminal."""
    room = out.console().width - max(map(cell_len, [*book.learners, "learner"]))
    page: list[str] = []
    used = 0
    for label in _labels(book):
        width = GAP + max(min(cell_len(label), LABEL_WIDTH), _widest(book, label))
        if page and used + width > room:
            yield page
            page, used = [], 0
        page, used = [*page, label], used + width
    if page:
        yield page


def _widest(book: Gradebook, label: str) -> int:
    return max(
        (cell_len(entries[label].value or "") for entries in book.learners.values() if label in entries), default=0
    )
