"""Exam sessions (sessions-with-delivery-in-*-groups.csv): who takes which delivery, and when.

One contract for the three templates: existing groups, new groups, and batteries. A column that
is absent keeps what is there, a blank cell removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gradeway.feeds import tao
from gradeway.feeds.cells import CellError
from gradeway.feeds.spec import FeedSpec, column, table
from gradeway.reasons import Reason
from gradeway.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import Column, DataFrameSchema

START, END = "session_startDate", "session_endDate"
SUBMISSION, WAITING = "session_submissionDate", "session_waitingPageDate"
DATES = (START, END, SUBMISSION, WAITING)
ZONE = "session_timezone"
DELIVERY, BATTERY = "session_deliveryId", "session_batteryId"
OPTIONS = (
    tao.Options("session_securitySettings", tao.SECURITY),
    tao.Options("session_reviewSettings", tao.REVIEW),
    tao.Options("session_testRunnerAccessibilityPlugins", tao.ACCESSIBILITY, is_open=True),
    tao.Options("session_testRunnerSessionPlugins", tao.PLUGINS),
    tao.Options("session_reportSettings", tao.REPORT),
)


def _options(options: tao.Options) -> Column:
    return column(options.parse, default=(), warn=options.odd)


def contract(settings: Settings) -> DataFrameSchema:
    """Return the contract of the session templates."""
    dates = {name: column(tao.parse_date, warn=tao.odd_date) for name in DATES}
    rows = partial(_rows, default=settings.sessions_zone)
    return table(
        {
            DELIVERY: column(tao.parse_name, default=""),
            BATTERY: column(tao.parse_name, default=""),
            "group_name": column(tao.parse_name, filled=True),
            "group_description": column(str, default=""),
            "group_active": column(tao.parse_boolean, default=True, warn=tao.odd_boolean),
            "group_organizationId": column(tao.parse_name, default=""),
            "session_name": column(tao.parse_name, required=True),
            ZONE: column(tao.parse_zone, default=""),
            **dates,
            **{options.column: _options(options) for options in OPTIONS},
            "session_readAloud": column(tao.parse_read_aloud, default="", warn=tao.odd_read_aloud),
        },
        rules={
            Reason.DELIVERY_MISSING: _names_what_is_taken,
            Reason.DATE_SKIPPED: lambda frame: rows(frame, _is_told(Reason.DATE_SKIPPED)),
            Reason.DATE_TWICE: lambda frame: rows(frame, _is_told(Reason.DATE_TWICE)),
            Reason.DATE_ORDER: lambda frame: rows(frame, _in_order),
            Reason.SUBMISSION_ORDER: lambda frame: rows(frame, _submitted_after_start),
        },
        hints={
            Reason.WAITING_NO_EFFECT: lambda frame: rows(frame, _waiting_has_effect),
            Reason.SUBMISSION_EARLY: lambda frame: rows(frame, _submitted_after_end),
        },
    )


Moments = dict[str, datetime | None]
Row = tuple[Moments, set[Reason]]


def _rows(frame: pd.DataFrame, holds: Callable[[Row], bool], *, default: ZoneInfo) -> pd.Series[bool]:
    """Apply a rule on a session's dates to every row; a cell that cannot be read has its own finding."""
    import pandas as pd

    return pd.Series([holds(row) for row in _moments(frame, default)], index=frame.index, dtype=bool)


def _moments(frame: pd.DataFrame, default: ZoneInfo) -> Iterator[Row]:
    for cells in frame.to_dict("records"):
        moments: Moments = {}
        troubles: set[Reason] = set()
        for name in DATES:
            try:
                zone = ZoneInfo(tao.parse_zone(cells[ZONE])) if cells.get(ZONE) else default
                moment = tao.parse_date(cells[name]) if cells.get(name) else None
                is_told = moment and (moment.tzinfo or ZONE in cells)  # else the session's own zone decides
                moments[name] = tao.localise(moment, zone) if moment and is_told else None
            except CellError as error:
                troubles.add(error.reason)
        yield moments, troubles


def _is_told(reason: Reason) -> Callable[[Row], bool]:
    return lambda row: reason not in row[1]


def _is_before(row: Row, first: str, then: str) -> bool:
    """Return whether both dates are there and the one is before the other."""
    one, other = row[0].get(first), row[0].get(then)
    return one is not None and other is not None and one < other


def _in_order(row: Row) -> bool:
    return not _is_before(row, END, START)


def _submitted_after_start(row: Row) -> bool:
    return not _is_before(row, SUBMISSION, START)


def _submitted_after_end(row: Row) -> bool:
    return not _is_before(row, SUBMISSION, END)


def _waiting_has_effect(row: Row) -> bool:
    start, waiting = row[0].get(START), row[0].get(WAITING)
    return start is None or waiting is None or start < waiting


def _names_what_is_taken(frame: pd.DataFrame) -> pd.Series[bool]:
    import pandas as pd

    blank = pd.Series("", index=frame.index)
    taken = [frame[name] if name in frame.columns else blank for name in (DELIVERY, BATTERY)]
    filled: pd.Series[bool] = (taken[0] != "") != (taken[1] != "")
    return filled


SPEC = FeedSpec(
    name="sessions",
    ending="csv",
    title="Exam sessions",
    stage=7,
    build=contract,
    key=("session_name",),
    source="TAO Portal user guide: Import/update sessions (with existing groups, with new groups, with batteries)",
    loader="gradeway.loading.sessions:SessionLoader",
    inbox="sessions",
    separators=",;",
    is_partial=True,
    rivals=("groups",),
)
