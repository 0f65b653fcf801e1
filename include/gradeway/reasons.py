"""Reason codes: the fixed vocabulary in which every finding on a file is told.

A code is a contract: reports, reject files, tests and other programs rely on it, so codes are
added but never renamed. Each carries what it means and what the person who made the file can do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Self


class Level(StrEnum):
    """What a finding does: refuse the file, reject the row, or only tell."""

    FILE = "file"
    ROW = "row"
    WARNING = "warning"


class Reason(Enum):
    """A reason code with its level, its meaning and its remedy."""

    level: Level
    meaning: str
    remedy: str

    def __new__(cls, code: str, level: Level, meaning: str, remedy: str) -> Self:
        """Keep the code as the value and the texts as attributes."""
        member = object.__new__(cls)
        member._value_ = code
        member.level, member.meaning, member.remedy = level, meaning, remedy
        return member

    # the file as a whole
    FILE_UNSAFE = (
        "FILE_UNSAFE",
        Level.FILE,
        "the entry is a link, a device or a file with a second name",
        "drop a plain copy of the file",
    )
    FILE_UNKNOWN = (
        "FILE_UNKNOWN",
        Level.FILE,
        "no feed takes files with this ending",
        "give the file the ending of its feed: .sch .asg .col .colnc .colext .colncval",
    )
    FILE_EMPTY = ("FILE_EMPTY", Level.FILE, "the file has no bytes", "export again; the header line is always needed")
    FILE_CHANGED = (
        "FILE_CHANGED",
        Level.FILE,
        "the file changed while it was being read",
        "write under a temporary name (.part) and rename when complete",
    )
    FILE_ENCODING = (
        "FILE_ENCODING",
        Level.FILE,
        "the file is not UTF-8 text",
        "save as UTF-8 and drop it again",
    )
    DELIMITER_WRONG = (
        "DELIMITER_WRONG",
        Level.FILE,
        "the header is separated by another character than the feed's",
        "separate columns as the feed says and drop the file again",
    )
    HEADER_UNREADABLE = (
        "HEADER_UNREADABLE",
        Level.FILE,
        "the first line is not a header",
        "the first line must name the columns",
    )
    HEADER_BLANK = ("HEADER_BLANK", Level.FILE, "a column has no name", "name every column in the first line")
    HEADER_DUPLICATE = (
        "HEADER_DUPLICATE",
        Level.FILE,
        "two columns have the same name",
        "keep one of the two columns",
    )
    HEADER_TWICE = (
        "HEADER_TWICE",
        Level.WARNING,
        "two columns have the same name, and the second one is not read",
        "keep one of the two columns",
    )
    HEADER_UNKNOWN = (
        "HEADER_UNKNOWN",
        Level.FILE,
        "a column is not part of this feed",
        "remove the column or correct its name",
    )
    HEADER_INCOMPLETE = (
        "HEADER_INCOMPLETE",
        Level.FILE,
        "a required column is missing",
        "add the column",
    )
    PROCESSING_FAILED = (
        "PROCESSING_FAILED",
        Level.FILE,
        "Gradeway failed on this file again and again",
        "tell the administrator; after a fix the batch can be replayed",
    )

    # a row that cannot be read
    ROW_ENCODING = ("ROW_ENCODING", Level.ROW, "the line is not UTF-8 text", "save the file as UTF-8")
    ROW_CONTROL = (
        "ROW_CONTROL",
        Level.ROW,
        "the line holds a NUL or another control character",
        "remove the character",
    )
    ROW_TOO_LONG = (
        "ROW_TOO_LONG",
        Level.ROW,
        "the line is longer than 1 MiB",
        "shorten the line; the reject file may hold only its start, the archived file has it whole",
    )
    ROW_SHORT = (
        "ROW_SHORT",
        Level.ROW,
        "the line has fewer cells than the header",
        "complete the line; leave cells without a value blank",
    )
    ROW_TWICE = (
        "ROW_TWICE",
        Level.ROW,
        "the cells in the two columns of the same name differ",
        "keep one of the two columns, with the right value",
    )
    ROW_LONG = (
        "ROW_LONG",
        Level.ROW,
        "the line has more cells than the header",
        "remove the separator character from inside the values",
    )
    QUOTE_UNCLOSED = (
        "QUOTE_UNCLOSED",
        Level.ROW,
        "a quote is not closed on its line, or other text stands beside a quoted cell",
        "close the quote, or remove it; a record stays on one line",
    )

    # a cell that breaks the contract
    REQUIRED = ("REQUIRED", Level.ROW, "a required cell is blank", "fill the cell")
    TEXT_TOO_LONG = ("TEXT_TOO_LONG", Level.ROW, "the text is longer than allowed", "shorten the text")
    TEXT_SEPARATOR = (
        "TEXT_SEPARATOR",
        Level.ROW,
        "the text holds a | and the format has no way to write one",
        "use another character",
    )
    BOOLEAN_INVALID = ("BOOLEAN_INVALID", Level.ROW, "not a yes or no", "write Y or N (true and false are read too)")
    INTEGER_INVALID = ("INTEGER_INVALID", Level.ROW, "not a whole number", "write a whole number")
    ATTEMPTS_INVALID = (
        "ATTEMPTS_INVALID",
        Level.ROW,
        "not a possible number of attempts",
        "write a number from 1, or -1 for unlimited",
    )
    NUMBER_INVALID = ("NUMBER_INVALID", Level.ROW, "not a number", "write digits with a decimal point, like 87.5")
    NUMBER_COMMA = (
        "NUMBER_COMMA",
        Level.ROW,
        "a number with a comma",
        "write a decimal point and no thousands separator",
    )
    NUMBER_RANGE = ("NUMBER_RANGE", Level.ROW, "the number is outside its range", "write a number within the range")
    DATE_INVALID = ("DATE_INVALID", Level.ROW, "not a date in the agreed pattern", "write the date in the pattern")
    DATE_ORDER = ("DATE_ORDER", Level.ROW, "the end date is before the start date", "correct one of the two dates")
    PAIRS_INVALID = (
        "PAIRS_INVALID",
        Level.ROW,
        "not key=value pairs",
        "write key=value:key=value, with no : = | inside",
    )
    PAIR_DUPLICATE = ("PAIR_DUPLICATE", Level.ROW, "a key is given twice", "keep one of the two pairs")
    PAIR_TOO_LONG = ("PAIR_TOO_LONG", Level.ROW, "a key=value pair is longer than 2000", "shorten the pair")
    FOLDER_INVALID = (
        "FOLDER_INVALID",
        Level.ROW,
        "not a content area, or folder and subfolder",
        "write name or parent@>@child, with one @>@ at most",
    )
    SYMBOLS_INVALID = (
        "SYMBOLS_INVALID",
        Level.ROW,
        "not a list of symbols",
        "write SYMBOL=lowerBound joined by colons, like A=90:B=80:F=0",
    )
    SYMBOL_DUPLICATE = ("SYMBOL_DUPLICATE", Level.ROW, "a symbol is given twice", "keep one of the two")
    SYMBOL_BOUNDS = (
        "SYMBOL_BOUNDS",
        Level.ROW,
        "the lower bounds do not divide 0 to 100",
        "give every symbol its own lower bound from 0 to 100 (3 decimals at most), the lowest 0, or give none at all",
    )

    # a row that does not fit the store or its own file
    DUPLICATE_CONFLICT = (
        "DUPLICATE_CONFLICT",
        Level.ROW,
        "the same key stands in this file with other values",
        "keep the right line and remove the others",
    )
    COLUMN_KIND = (
        "COLUMN_KIND",
        Level.ROW,
        "the course has a column of this name of another kind",
        "use another name, or send the row in the feed that made the column",
    )
    COLUMN_AMBIGUOUS = (
        "COLUMN_AMBIGUOUS",
        Level.ROW,
        "several columns fit",
        "let only one fit: by its name in the course or, for results, by what its optionalData names",
    )
    COLUMN_CALCULATED = (
        "COLUMN_CALCULATED",
        Level.ROW,
        "the column is calculated by the gradebook and takes no values",
        "send the value for a column of a .colnc or .asg file",
    )
    METADATA_MISSING = (
        "METADATA_MISSING",
        Level.ROW,
        "the row has no value for the key that rows are matched by",
        "add the key to optionalData",
    )
    VALUE_NEGATIVE = ("VALUE_NEGATIVE", Level.ROW, "the grade is below 0", "write a number from 0, or a symbol")
    SYMBOL_UNKNOWN = (
        "SYMBOL_UNKNOWN",
        Level.ROW,
        "neither a number nor a symbol of the column's schema",
        "write a number with a decimal point, or a symbol of the schema",
    )
    SCHEMA_NEVER_CAME = (
        "SCHEMA_NEVER_CAME",
        Level.ROW,
        "the row waited for its grade schema until its time was over",
        "send the schema (.sch) and drop this row again",
    )
    COLUMN_NEVER_CAME = (
        "COLUMN_NEVER_CAME",
        Level.ROW,
        "the row waited for its column until its time was over",
        "send the column (.colnc, .col or .asg) and drop this row again",
    )
    RELEASE_FAILED = (
        "RELEASE_FAILED",
        Level.ROW,
        "what the row waited for came, but Gradeway failed on loading the row again and again",
        "tell the administrator; after a repair drop this row again",
    )
    # a session or a group
    DATE_SKIPPED = (
        "DATE_SKIPPED",
        Level.ROW,
        "the clocks of the session's time zone skip that time",
        "write the time in UTC with a Z at its end",
    )
    DATE_TWICE = (
        "DATE_TWICE",
        Level.ROW,
        "the clocks of the session's time zone show that time twice",
        "write the time in UTC with a Z at its end",
    )
    SUBMISSION_ORDER = (
        "SUBMISSION_ORDER",
        Level.ROW,
        "the submission date is before the start date",
        "correct one of the two dates",
    )
    DELIVERY_MISSING = (
        "DELIVERY_MISSING",
        Level.ROW,
        "a session takes either a delivery or a battery",
        "fill session_deliveryId or session_batteryId, and only one of them",
    )
    DELIVERY_FIXED = (
        "DELIVERY_FIXED",
        Level.ROW,
        "somebody has begun to take this session, so its delivery cannot change",
        "make another session for the other delivery",
    )
    GROUP_MISSING = ("GROUP_MISSING", Level.ROW, "a new session needs a group", "add the column group_name")
    GROUP_FIXED = (
        "GROUP_FIXED",
        Level.ROW,
        "the group of a session cannot change",
        "make another session for the other group",
    )
    ZONE_UNKNOWN = ("ZONE_UNKNOWN", Level.ROW, "not a time zone", "write an IANA name such as Europe/Berlin")
    LIST_IS_BOOLEAN = (
        "LIST_IS_BOOLEAN",
        Level.ROW,
        "the cell says yes or no where it should name options",
        "write the names of the options, separated by commas, in one quoted cell",
    )
    OPTION_UNKNOWN = ("OPTION_UNKNOWN", Level.ROW, "not an option of this column", "write one of the options")
    OPTION_MISPLACED = (
        "OPTION_MISPLACED",
        Level.ROW,
        "the option belongs into another column; perhaps two columns are swapped",
        "move it there",
    )
    OPTION_NEEDS = ("OPTION_NEEDS", Level.ROW, "one option has no effect without another", "add the other option")
    # a result
    RESULT_UNNAMED = (
        "RESULT_UNNAMED",
        Level.ROW,
        "the result names neither its session nor its assessment",
        "fill session or assessment",
    )
    RESULT_REVIEW = (
        "RESULT_REVIEW",
        Level.ROW,
        "the attempt ended in a way that a person must decide on before it counts",
        "to let it count, write final as its state in the reject file and drop that into the inbox; else leave it",
    )
    RESULT_UNMAPPED = (
        "RESULT_UNMAPPED",
        Level.ROW,
        "no column was declared for the result until its time was over",
        "name the session or assessment in a column's optionalData or in the file of GRADEWAY_RESULTS_FILE, "
        "and drop this row again",
    )
    FILE_REJECTED = (
        "FILE_REJECTED",
        Level.ROW,
        "the row is right, but this feed is taken whole or not at all",
        "correct the other rows and drop the whole file again",
    )

    # worth knowing, nothing was refused
    BOM = ("BOM", Level.WARNING, "the file starts with a byte order mark", "save as UTF-8 without BOM")
    LINE_ENDS_MIXED = ("LINE_ENDS_MIXED", Level.WARNING, "the line ends are mixed", "use one kind of line end")
    NO_FINAL_NEWLINE = (
        "NO_FINAL_NEWLINE",
        Level.WARNING,
        "the last line has no line end, so a cut-off file would look the same",
        "end every line with a line end",
    )
    HEADER_ONLY = ("HEADER_ONLY", Level.WARNING, "the file has a header and no rows", "check the export")
    HEADER_REPEATED = (
        "HEADER_REPEATED",
        Level.WARNING,
        "the header stands again among the rows, as in files that were joined",
        "join files without their header lines",
    )
    HEADER_ALIAS = ("HEADER_ALIAS", Level.WARNING, "a column was read under another name", "use the documented name")
    HEADER_PARTIAL = (
        "HEADER_PARTIAL",
        Level.WARNING,
        "an optional column is missing; what the store has is kept",
        "the header should name all columns of the feed",
    )
    CELL_SURPLUS = (
        "CELL_SURPLUS",
        Level.WARNING,
        "the line ends with one blank cell too many",
        "remove the separator at the end of the line",
    )
    BOOLEAN_DIGIT = ("BOOLEAN_DIGIT", Level.WARNING, "1 or 0 was read as yes or no", "write Y or N")
    SYMBOLS_UNBOUND = (
        "SYMBOLS_UNBOUND",
        Level.WARNING,
        "the symbols have no lower bounds, so scores cannot be shown in this schema",
        "give the bounds unless grades are always symbols",
    )
    SCORE_ABOVE = ("SCORE_ABOVE", Level.WARNING, "the score is above its maximum", "check the result")
    VALUE_ABOVE = ("VALUE_ABOVE", Level.WARNING, "the grade is above the column's points", "check the grade")
    DUPLICATE_COLLAPSED = (
        "DUPLICATE_COLLAPSED",
        Level.WARNING,
        "the same row stands in the file more than once",
        "send each row once",
    )
    SPACE_BEFORE_QUOTE = (
        "SPACE_BEFORE_QUOTE",
        Level.WARNING,
        "a space stands before a quoted cell",
        "write no space after a separator",
    )
    DATE_UNPADDED = (
        "DATE_UNPADDED",
        Level.WARNING,
        "a month or day has one digit",
        "write two digits, like 2024-01-31",
    )
    OPTION_NEW = ("OPTION_NEW", Level.WARNING, "an option that is not known is passed on", "check its spelling")
    OPTION_TRANSLATED = (
        "OPTION_TRANSLATED",
        Level.WARNING,
        "the option was written in another language",
        "write content-based",
    )
    WAITING_NO_EFFECT = (
        "WAITING_NO_EFFECT",
        Level.WARNING,
        "the waiting page date is not after the start date, so it has no effect",
        "make it later than the start, or leave it blank",
    )
    SUBMISSION_EARLY = (
        "SUBMISSION_EARLY",
        Level.WARNING,
        "the submission date is before the end date",
        "check the two dates",
    )
    SYMBOL_IN_USE = (
        "SYMBOL_IN_USE",
        Level.WARNING,
        "the schema no longer has a symbol that grades in the store use",
        "give the symbol back to the schema, or send those grades again",
    )
    FILE_GREW = (
        "FILE_GREW",
        Level.WARNING,
        "bytes were added to the file after it was read; they were not loaded",
        "write under a temporary name (.part) and rename when complete; send the whole file again",
    )
    SUPERSEDED = (
        "SUPERSEDED",
        Level.WARNING,
        "a newer batch has already set this; the older row changed nothing",
        "nothing to do unless the older value was right",
    )
    UNDO_OVERTAKEN = (
        "UNDO_OVERTAKEN",
        Level.WARNING,
        "a newer batch has given this since, so the undo left it as it is",
        "nothing to do unless the newer batch is wrong, too",
    )
    UNDO_KEPT = (
        "UNDO_KEPT",
        Level.WARNING,
        "what the undone batch made or changed is still needed, so it stays",
        "undo what needs it, and it goes as well",
    )
    UNDO_SAID_AGAIN = (
        "UNDO_SAID_AGAIN",
        Level.WARNING,
        "a newer batch found rows unchanged, which may be some that are taken back",
        "replay that batch if it was right about them",
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in a file: where, which reason, and what was expected there.

    ``line`` is the physical line with the header as 1, or None for the whole file. ``detail``
    never holds a cell's content.
    """

    reason: Reason
    line: int | None = None
    column: str = ""
    detail: str = ""

    @property
    def remedy(self) -> str:
        """Say what to do, with what was expected at this place."""
        return f"{self.detail}: {self.reason.remedy}" if self.detail else self.reason.remedy

    def told(self) -> dict[str, int | str | None]:
        """Return it as plain data, with what it means and what to do."""
        return {
            "line": self.line,
            "column": self.column,
            "code": self.reason.value,
            "level": self.reason.level.value,
            "meaning": self.reason.meaning,
            "remedy": self.remedy,
        }
