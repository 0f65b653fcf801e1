"""What a clerk might drop into the inbox of sessions, and by hand what must come of it.

The model shares nothing with the product: each text that can stand in a cell is listed with its
meaning, each zone with its hours from UTC, and the rule of updates is three lines of `_told`.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

EXAMS = ("Exam 1", "Exam 2", "Exam 3")
ZONE = "Europe/Brussels"  # what the installation has for dates without a zone
# In spring and summer. The tests' dates are in those, but for two hours that Brussels skips or has twice.
EAST = {"Europe/Brussels": 2, "Asia/Tokyo": 9, "America/New_York": -4}
SKIPPED, TWICE, MORNING, EVENING = map(
    datetime.fromisoformat, ("2026-03-29T02:30", "2026-10-25T02:30", "2026-05-04T09:00", "2026-05-04T20:00")
)
BAD = object()


def _utc(day: int, hour: int) -> datetime:
    return datetime(2026, 5, day, hour, tzinfo=UTC)


DATE = {
    "": None,
    "tomorrow": BAD,
    "2026-13-01T08:00:00Z": BAD,
    "2026-02-30T08:00:00Z": BAD,
    "2026-05-04T08:00:00.000Z": _utc(4, 8),
    "2026-5-4T10:00:00Z": _utc(4, 10),
    "2026-05-04T12:00:00+02:00": _utc(4, 10),
    "2026-05-04T09:00:00": MORNING,
    "2026-05-04T20:00": EVENING,
    "2026-05-06T20:00:00Z": _utc(6, 20),
    "2026-03-29T02:30:00": SKIPPED,
    "2026-10-25T02:30:00": TWICE,
}
NAME = "session_name"
DELIVERY, ZONE_COLUMN = "session_deliveryId", "session_timezone"
DATES = {
    "session_startDate": "start_at",
    "session_endDate": "end_at",
    "session_submissionDate": "submission_at",
    "session_waitingPageDate": "waiting_at",
}
# For each column its texts with what they mean; what is BAD costs the row.
CELLS: dict[str, dict[str, object]] = {
    NAME: {"": BAD, **{name: name for name in EXAMS}},
    DELIVERY: {
        "": BAD,
        **{name: name for name in ("Anatomy midterm", "Medication calculation", "Fire safety for staff", "Nothing")},
    },
    "group_name": {"": BAD, **{name: name for name in ("Nursing 1A", "Nursing 1B", "Ghosts")}},
    "group_description": {"": "", "First years": "First years", "Evening; part time": "Evening; part time"},
    "group_active": {"": True, "TRUE": True, "true": True, "1": True, "FALSE": False, "0": False, "maybe": BAD},
    "group_organizationId": {"": "", "root": "root"},
    ZONE_COLUMN: {"": "", **{zone: zone for zone in EAST}, "Mars/Phobos": BAD},
    **dict.fromkeys(DATES, DATE),
    "session_securitySettings": {
        "": [],
        "requireFullscreen": ["requireFullscreen"],
        "preventScreenshot": ["preventScreenshot"],
        "preventScreenshot, requireFullscreen": ["preventScreenshot", "requireFullscreen"],
        "TRUE": BAD,
        "requireAuthorization_pauseTestOnExist": BAD,
    },
    "session_reviewSettings": {"": [], "enableTTReview": ["enableTTReview"], "enable_TTReview_showScores": BAD},
    "session_testRunnerAccessibilityPlugins": {"": [], "zoom,font": ["zoom", "font"], "new": ["new"], "print": BAD},
    "session_testRunnerSessionPlugins": {"": [], "print": ["print"], "studentReport": BAD},
    "session_reportSettings": {"": [], "studentReport": ["studentReport"], "print": BAD},
    "session_readAloud": {"": "", "always-enabled": "always-enabled", "content-based": "content-based", "loudly": BAD},
}
FIELDS = DATES | {
    DELIVERY: "delivery",
    ZONE_COLUMN: "time_zone",
    "session_securitySettings": "security",
    "session_reviewSettings": "review",
    "session_testRunnerAccessibilityPlugins": "accessibility",
    "session_testRunnerSessionPlugins": "plugins",
    "session_reportSettings": "report",
    "session_readAloud": "read_aloud",
}
LISTS = ("security", "review", "accessibility", "plugins", "report")
GROUP_FIELDS = {"group_description": "description", "group_active": "active", "group_organizationId": "organization"}
OF_SESSIONS = [name for name in CELLS if name.startswith("session_")]
TEMPLATES = {
    "existing groups": [*OF_SESSIONS, "group_name"],
    "new groups": [*OF_SESSIONS, "group_name", *GROUP_FIELDS],
    "groups": ["group_name", *GROUP_FIELDS],
}
COMMON = {
    DELIVERY: ["Anatomy midterm"],
    "group_name": ["Nursing 1A"],
    "session_startDate": ["2026-05-04T08:00:00.000Z", "2026-05-04T09:00:00"],
    "session_endDate": ["2026-05-04T20:00", "2026-05-06T20:00:00Z"],
    "session_submissionDate": ["2026-05-06T20:00:00Z"],
}
# How a line can be broken so that no cell of it can be read.
LINE_TROUBLES = ("short", "long", "quote", "control", "bytes")
HEADER_TROUBLES = ("twice", "unknown", "incomplete")


@dataclass(frozen=True)
class Row:
    """A row: its cells, and what is wrong with its line."""

    cells: dict[str, str]
    trouble: str = ""


@dataclass(frozen=True)
class File:
    """A file as the clerk made it; ``trouble`` is what is wrong with its header."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    separator: str = ","
    end: str = "\n"
    trouble: str = ""

    @property
    def key(self) -> str:
        return NAME if NAME in self.columns else "group_name"

    def content(self, prefix: str) -> bytes:
        """Return the bytes; all sessions' names begin with the prefix."""
        header = self._line(self._header())
        lines = [_broken(self._line(self._texts(row, prefix)), row.trouble, self.separator) for row in self.rows]
        return b"".join(line + self.end.encode() for line in (header, *lines))

    def _header(self) -> list[str]:
        wrong = {"twice": [self.columns[0]], "unknown": ["session_colour"]}
        names = [name for name in self.columns if self.trouble != "incomplete" or name != self.key]
        return names + wrong.get(self.trouble, [])

    def _texts(self, row: Row, prefix: str) -> list[str]:
        texts = [row.cells[name] for name in self.columns]
        texts = [
            prefix + text if name == NAME and text else text for name, text in zip(self.columns, texts, strict=True)
        ]
        return texts[:-1] if row.trouble == "short" else texts

    def _line(self, cells: list[str]) -> bytes:
        out = io.StringIO()
        csv.writer(out, delimiter=self.separator, lineterminator="").writerow(cells)
        return out.getvalue().encode()


def _broken(line: bytes, trouble: str, separator: str) -> bytes:
    if trouble == "long":
        return line + separator.encode() + b"more"
    return {"quote": b'"', "control": b"\x07", "bytes": b"\xff"}.get(trouble, b"") + line


# what may be dropped

# Mostly a file names each thing once; now and then not, and its rows agree or contradict each other.
UNIQUE = [*[lambda key: lambda row: row.cells[key]] * 4, lambda _: None]


@st.composite
def rows(draw: st.DrawFn, columns: tuple[str, ...]) -> Row:
    """Return a row that is good, or has one trouble; and may clash with others, or with what is there."""
    wrong = draw(st.sampled_from([*[None] * 150, *columns]))
    cells = {}
    for name in columns:
        bad = [text for text, meaning in CELLS[name].items() if meaning is BAD]
        good = [text for text in CELLS[name] if text not in bad]
        cells[name] = draw(st.sampled_from(bad if name == wrong and bad else _often(name, good)))
    return Row(cells, draw(st.sampled_from([*[""] * 60, *LINE_TROUBLES])))


def _often(name: str, texts: list[str]) -> list[str]:
    """Return texts with those more often with which a session can be loaded and scheduled."""
    return texts + list(COMMON.get(name, ())) * 3 * len(texts)


@st.composite
def files(draw: st.DrawFn) -> File:
    """Return a file after one of the templates, with some of its columns."""
    template = TEMPLATES[draw(st.sampled_from(["existing groups", "existing groups", "new groups", "groups"]))]
    left_out = draw(st.sets(st.sampled_from(template), max_size=len(template) - 2))
    key = NAME if NAME in template else "group_name"
    needed = {key, *draw(st.sampled_from([*[[DELIVERY, "group_name"]] * 5, [DELIVERY], []]))}
    kept = [name for name in template if name not in left_out or name in needed]
    columns = tuple(kept if len(kept) > 1 else [*kept, template[-1]])
    return File(
        columns if draw(st.booleans()) else columns[::-1],
        tuple(draw(st.lists(rows(columns), min_size=1, max_size=3, unique_by=draw(st.sampled_from(UNIQUE))(key)))),
        draw(st.sampled_from([",", ",", ";"])),
        draw(st.sampled_from(["\n", "\r\n"])),
        draw(st.sampled_from([*[""] * 40, *(HEADER_TROUBLES if DELIVERY in columns else HEADER_TROUBLES[:2])])),
    )


FIRST = {name: texts[0] for name, texts in COMMON.items()}
BEGINNING = File((NAME, *FIRST), tuple(Row(FIRST | {NAME: name}) for name in EXAMS[:2]))


# what must come of it


@dataclass
class Session:
    """A session as the files together describe it; ``earlier`` are the values that each field had."""

    group: str
    fields: dict[str, Any]
    earlier: dict[str, list[Any]] = field(default_factory=dict)


@dataclass
class Model:
    """The sessions and groups that the files dropped so far describe."""

    sessions: dict[str, Session] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    _seen: set[bytes] = field(default_factory=set)

    def take(self, file: File) -> int | None:
        """Take a file in; return how many rows are rejected, or None if it has no effect as a whole."""
        content = file.content("")
        if file.trouble or content in self._seen:  # the same bytes change nothing a second time
            return None
        self._seen.add(content)
        good, repeated = _readable(file)
        take = self._take_session if file.key == NAME else self._take_group
        return len(file.rows) - repeated - sum(take(values) for values in good)

    def _take_group(self, values: dict[str, Any]) -> bool:
        group = self.groups.setdefault(values["group_name"], {"description": "", "active": True, "organization": ""})
        group |= _told(values, GROUP_FIELDS)
        return True

    def _take_session(self, values: dict[str, Any]) -> bool:
        name = values[NAME]
        found = self.sessions.get(name)
        told = _told(values, FIELDS)
        zone = told.get("time_zone", found.fields["time_zone"] if found else "") or ZONE
        told |= {field: _instant(told[field], zone) for field in DATES.values() if told.get(field)}
        after = (found.fields if found else _new()) | told
        of = values.get("group_name", found.group if found else None)
        if BAD in told.values() or of is None or (found and of != found.group) or not _in_order(after):
            return False
        if "group_name" in values:
            self._take_group(values)
        session = self.sessions.setdefault(name, Session(of, after))
        session.fields = after
        for field_name, value in after.items():
            session.earlier.setdefault(field_name, []).append(value)
        return True


def _new() -> dict[str, Any]:
    return dict.fromkeys(DATES.values()) | {name: [] for name in LISTS} | {"time_zone": "", "read_aloud": ""}


def _told(values: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
    """A column that is missing keeps, a blank cell removes, a value replaces."""
    return {fields[column]: value for column, value in values.items() if column in fields}


def _readable(file: File) -> tuple[list[dict[str, Any]], int]:
    """Return the rows that are right by themselves and do not contradict each other, and how many repeat one."""
    said: dict[str, list[tuple[dict[str, Any], set[str]]]] = {}
    for row in file.rows:
        values, blank = _meaning(file, row), {name for name, text in row.cells.items() if not text}
        if values:
            # a blank cell and the default that it stands for are not the same words
            said.setdefault(values[file.key], []).append((values, blank))
    agreeing = [alike for alike in said.values() if all(each == alike[0] for each in alike)]
    return [alike[0][0] for alike in agreeing], sum(len(alike) - 1 for alike in agreeing)


def _meaning(file: File, row: Row) -> dict[str, Any] | None:
    """Return what a row's cells mean, or None if the row is wrong by itself."""
    values = {name: CELLS[name][row.cells[name]] for name in file.columns}
    if row.trouble or BAD in values.values() or (file.key == NAME and DELIVERY not in values):
        return None
    return values if _dates_hold(values) else None


def _dates_hold(values: dict[str, Any]) -> bool:
    """Whether a row's dates are right as far as can be told without the session."""
    zone = (values[ZONE_COLUMN] or ZONE) if ZONE_COLUMN in values else ""
    dates = {column: values[column] for column in DATES if values.get(column)}
    known = {DATES[column]: _instant(date, zone) for column, date in dates.items() if zone or date.tzinfo}
    return BAD not in known.values() and _in_order(dict.fromkeys(DATES.values()) | known)


def _instant(moment: datetime, zone: str) -> object:
    if moment.tzinfo:
        return moment
    if zone == ZONE and moment in {SKIPPED, TWICE}:
        return BAD
    return (moment - timedelta(hours=EAST[zone])).replace(tzinfo=UTC)


def _in_order(fields: dict[str, Any]) -> bool:
    start, end, submission = (fields[name] for name in ("start_at", "end_at", "submission_at"))
    return not start or all(not each or each >= start for each in (end, submission))


def twice(names: list[str]) -> list[str]:
    """Return the names that are there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
