"""The six example rows of the Grades Journey file format, one file a feed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from gradeway import settings

SAMPLES = {
    "term2023_01.sch": """\
title|symbols|optionalData
Schema1|A=90:B=80:C=70:D=60:F=0|
""",
    "term2023_01.asg": """\
courseId|name|instructions|anonymous|group|contentAreaName|available|colour|attempts|tracked\
|startDate|endDate|dueDate|points|gradeSchema|optionalData
GJTEST1|Assignment 2|assignment instructions|false|false|Assignments|true||1|false\
|2023-10-17|2023-10-31|2023-10-31|100.0|Schema1|MOD_CODE=2023MOD1:SESSION=8W1
""",
    "term2023_01.col": """\
courseId|name|description|duedate|points|gradeSchema|optionalData
GJTEST1|GC Calculated Grade||2023-10-30|10.0|Schema1|MOD_CODE=2023MOD1:SESSION=8W1
""",
    "term2023_01.colnc": """\
courseId|name|description|duedate|points|gradeSchema|optionalData
GJTEST1|GC Final Grade||2023-12-30|100|Schema1|MOD_CODE=2023MOD1:SESSION=8W1
""",
    "term2017_01.colext": """\
courseId|name
GJTEST1|GC Final Grade
""",
    "term2023_01.colncval": """\
courseId|userId|name|value
GJTEST1|User001|GC Final Grade|90
""",
}
HEADERS = {name.rpartition(".")[2]: text.partition("\n")[0] for name, text in SAMPLES.items()}


def drop(inbox: Path) -> list[Path]:
    """Put the sample files into an inbox; return their paths."""
    return [write(inbox / name, [text]) for name, text in SAMPLES.items()]


def main() -> None:
    """Put the sample files into the inbox of this installation."""
    for path in drop(settings.load().landing / "inbox" / "grades"):
        click.echo(path)


def write(path: Path, chunks: Iterable[str]) -> Path:
    """Write a text file that appears whole or not at all, as a good sender does; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    with draft.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(chunks)
    return draft.replace(path)


if __name__ == "__main__":
    main()
