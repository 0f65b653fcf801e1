"""The report as a page for people; the desk shows the same body inside its own frame."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined

from gradeway.checks.verdict import Report, verdict
from gradeway.settings import Settings

KILO = 1000
PERCENT = 100
LEAST_SHARE = 0.01
OUTCOMES = ("applied", "unchanged", "rejected", "parked")
UNITS = ("bytes", "kB", "MB", "GB", "TB")


def page(report: Report, settings: Settings) -> str:
    """Return the report as one HTML page that needs no server and no other file."""
    return _alone().get_template("report.html.j2").render(body(report, settings))


def body(report: Report, settings: Settings) -> dict[str, Any]:
    """Return what the body of a report is rendered from, wherever it is shown."""
    return {
        "report": report,
        "verdict": verdict(report),
        "zone": settings.zone,
        "parked_days": settings.parked_days,
        "reject_link": report["reject_file"],
    }


@cache
def _alone() -> Environment:
    return environment()


def environment(loaders: Sequence[BaseLoader] = ()) -> Environment:
    """Return the templates of the report, after those of the given loaders; everything is escaped."""
    templates = Environment(
        loader=ChoiceLoader([*loaders, PackageLoader("gradeway.checks")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"number": number, "moment": moment, "until": until, "size": size, "shares": shares}
    return templates


def number(value: int) -> str:
    """Write a count with its thousands apart."""
    return f"{value:,}"


def moment(instant: str | datetime | None, zone: ZoneInfo, pattern: str = "%Y-%m-%d %H:%M:%S %Z") -> str:
    """Write an instant in a zone; nothing for none."""
    if not instant:
        return ""
    at = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    return at.astimezone(zone).strftime(pattern)


def until(since: str | datetime, days: int) -> datetime:
    """Return the instant some days after another."""
    at = datetime.fromisoformat(since) if isinstance(since, str) else since
    return at + timedelta(days=days)


def size(count: int) -> str:
    """Write a number of bytes in the unit that reads best."""
    if count < KILO:
        return "1 byte" if count == 1 else f"{count} bytes"
    value, unit = float(count), 0
    while value >= KILO and unit < len(UNITS) - 1:
        value, unit = value / KILO, unit + 1
    return f"{value:.1f} {UNITS[unit]}"


def shares(counts: dict[str, int]) -> list[tuple[str, float, float]]:
    """Return the parts of a bar: name, start and width in percent; a part that is there can be seen."""
    there = {name: max(counts[name] / counts["in"], LEAST_SHARE) for name in OUTCOMES if counts[name]}
    scale, start, parts = PERCENT / sum(there.values()), 0.0, []
    for name, share in there.items():
        parts.append((name, round(start, 3), round(share * scale, 3)))
        start += share * scale
    return parts
