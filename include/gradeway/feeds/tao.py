"""What one cell of a TAO Portal import file may hold.

Source: TAO Portal user guide, "Import/update sessions (with existing groups)" and its variants.
The Portal's own samples break some of its rules: months without a leading zero, a space before a
quote, values of two columns swapped. What has one meaning is read with a warning, what has two is
rejected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from gradeway.feeds.cells import CellError
from gradeway.reasons import Reason

NAME_SIZE = 255
DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,7})?)?(Z|[+-]\d{2}:\d{2})?", re.ASCII
)
PADDED = re.compile(r"\d{4}-\d{2}-\d{2}T.*", re.ASCII)
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
QUOTES = "\"'\u201c\u201d\u201e\u201f\u2018\u2019"

SECURITY = (
    *("requireFullscreen", "preventRightClickAndKeyboardShortcuts", "requireAuthorization_pauseTestOnExist"),
    *("preventScreenshot", "requireAuthorization"),
)
REVIEW = ("enableTTReview", "enableTTReview_showCorrectAnswers", "enable_TTReview_showScores")
PLUGINS = ("print",)
REPORT = ("studentReport",)
# The guide closes none of its lists of tools; these are those of its samples.
ACCESSIBILITY = (
    *("contrast", "contrastToolOptions", "customPointer", "customPointerOptions"),
    *("font", "fontToolOptions", "zoom"),
)
COLUMN_OF = {
    **dict.fromkeys(SECURITY, "session_securitySettings"),
    **dict.fromkeys(REVIEW, "session_reviewSettings"),
    **dict.fromkeys(ACCESSIBILITY, "session_testRunnerAccessibilityPlugins"),
    **dict.fromkeys(PLUGINS, "session_testRunnerSessionPlugins"),
    **dict.fromkeys(REPORT, "session_reportSettings"),
}
# The guide spells one review option in two ways.
SPELLINGS = {"enableTTReview_showScores": "enable_TTReview_showScores"}
NEEDS = {
    "requireAuthorization_pauseTestOnExist": "requireFullscreen",
    "enableTTReview_showCorrectAnswers": "enableTTReview",
    "enable_TTReview_showScores": "enableTTReview",
}
READ_ALOUD = ("content-based", "always-enabled", "always-disabled")
# As a machine translation of the guide prints it.
TRANSLATED = {"\u30b3\u30f3\u30c6\u30f3\u30c4\u30d9\u30fc\u30b9": "content-based"}


def parse_name(cell: str) -> str:
    """Return a name of at most 255 characters."""
    if len(cell) > NAME_SIZE:
        raise CellError(Reason.TEXT_TOO_LONG, f"{NAME_SIZE} characters at most")
    return cell


def parse_boolean(cell: str) -> bool:
    """Read TRUE or FALSE in any case; 1 and 0 are converted as the Portal does."""
    try:
        return BOOLEANS[cell.lower()]
    except KeyError:
        raise CellError(Reason.BOOLEAN_INVALID, "TRUE or FALSE") from None


def odd_boolean(cell: str) -> Reason | None:
    """Return what is odd about a boolean that is read all the same."""
    return Reason.BOOLEAN_DIGIT if cell in {"0", "1"} else None


def parse_zone(cell: str) -> str:
    """Return the name of an IANA time zone."""
    try:
        ZoneInfo(cell)
    except (KeyError, ValueError, OSError):
        raise CellError(Reason.ZONE_UNKNOWN) from None
    return cell


def parse_date(cell: str) -> datetime:
    """Read a date and time: an instant if it ends in Z or an offset, else one without a zone."""
    match = DATE.fullmatch(cell)
    if not match:
        raise CellError(Reason.DATE_INVALID, "write it like 2023-01-31T12:00:00.000Z")
    *parts, offset = match.groups()
    try:
        return datetime(*(int(part or 0) for part in parts), tzinfo=_zone(offset))  # type: ignore[arg-type,misc]
    except ValueError:
        raise CellError(Reason.DATE_INVALID, "there is no such day or hour") from None


def _zone(offset: str | None) -> timezone | None:
    if offset is None or offset == "Z":
        return UTC if offset else None
    hours, minutes = int(offset[1:3]), int(offset[4:])
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if offset[0] == "-" else size)


def odd_date(cell: str) -> Reason | None:
    """Return what is odd about a date that is read all the same."""
    return None if PADDED.fullmatch(cell) else Reason.DATE_UNPADDED


def localise(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return a date and time as an instant; one without a zone is that of the session.

    Raises:
        CellError: the clocks of the zone skip that time, or show it twice.
    """
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    early, late = (moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early != late:
        skipped = early.astimezone(zone).replace(tzinfo=None) != moment
        raise CellError(Reason.DATE_SKIPPED if skipped else Reason.DATE_TWICE)
    return early


@dataclass(frozen=True)
class Options:
    """The options that one column of the file may list, in one cell and separated by commas.

    An open list takes names it does not know, with a warning.
    """

    column: str
    known: tuple[str, ...]
    is_open: bool = False

    def parse(self, cell: str) -> tuple[str, ...]:
        """Read a list of option names; repeated ones count once."""
        names = tuple(dict.fromkeys(SPELLINGS.get(name, name) for name in _names(cell)))
        if len(names) == 1 and names[0].lower() in BOOLEANS:
            raise CellError(Reason.LIST_IS_BOOLEAN, self._expected())
        for name in names:
            self._check(name)
        if missing := [(name, NEEDS[name]) for name in names if NEEDS.get(name, name) not in names]:
            raise CellError(Reason.OPTION_NEEDS, "{} needs {}".format(*missing[0]))
        return names

    def _check(self, name: str) -> None:
        if name in self.known:
            return
        home = COLUMN_OF.get(name)
        if home:
            raise CellError(Reason.OPTION_MISPLACED, f"{name} belongs into {home}")
        if not self.is_open:
            raise CellError(Reason.OPTION_UNKNOWN, self._expected())

    def _expected(self) -> str:
        return f"the options are {', '.join(self.known)}"

    def odd(self, cell: str) -> Reason | None:
        """Return what is odd about a list that is read all the same."""
        names = [SPELLINGS.get(name, name) for name in _names(cell)]
        return None if set(names) <= {*self.known, *COLUMN_OF} else Reason.OPTION_NEW


def _names(cell: str) -> list[str]:
    return [name for part in cell.split(",") if (name := part.strip().strip(QUOTES).strip())]


def parse_read_aloud(cell: str) -> str:
    """Read when the text is read aloud."""
    value = cell.strip(QUOTES).strip()
    value = TRANSLATED.get(value, value)
    if value not in READ_ALOUD:
        raise CellError(Reason.OPTION_UNKNOWN, f"the options are {', '.join(READ_ALOUD)}")
    return value


def odd_read_aloud(cell: str) -> Reason | None:
    """Return what is odd about a value that is read all the same."""
    return Reason.OPTION_TRANSLATED if cell.strip(QUOTES).strip() in TRANSLATED else None
