"""Which of a participant's attempts on a schedule counts, and whether it has ended.

Sources: Questionmark, Delivery OData API: Schedule (ReportedResult) and Result (Status). Status 1 may
stay for ever, when the participant's device is lost in the middle of an attempt.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from fractions import Fraction

from gradeway.settings import Settings
from gradeway.vendors.delivery import Attempt

FIRST, LAST, BEST, WORST = "First", "Last", "Best", "Worst"
NOT_ENDED = {0, 1, 6, None}  # begun, in progress, paused; no result yet
BEGINNING = datetime.min.replace(tzinfo=UTC)


def is_final(status: int | None, settings: Settings) -> bool:
    """Whether a result of this status becomes a grade without a person's decision."""
    return str(status) in settings.results_publish


def is_finished(status: int | None, settings: Settings) -> bool:
    """Whether a result of this status becomes a grade, or is for a person to decide on."""
    return is_final(status, settings) or str(status) in settings.results_review


def counting(attempts: Iterable[Attempt], rule: str | None, settings: Settings) -> Attempt | None:
    """Return the finished attempt that counts by a schedule's rule; without a rule it is the last.

    Scores are compared as parts of their maximum; an attempt without one is neither best nor worst.
    One that somebody disabled counts only where there is no other.
    """
    finished = [each for each in attempts if each.result and is_finished(each.result.status, settings)]
    finished = [each for each in finished if not each.disabled] or finished
    finished.sort(key=_order)
    scored = [each for each in finished if _ratio(each) is not None]
    if rule in {BEST, WORST} and scored:
        return (max if rule == BEST else min)(scored, key=lambda each: _ratio(each) or 0)
    if not finished:
        return None
    return finished[0] if rule == FIRST else finished[-1]


def _order(attempt: Attempt) -> tuple[datetime, int, int]:
    started = attempt.result.when_started if attempt.result else None
    return started or BEGINNING, attempt.attempt_number or 0, attempt.id


def _ratio(attempt: Attempt) -> Fraction | None:
    result = attempt.result
    if result is None or result.total_score is None or not result.max_score or result.max_score < 0:
        return None
    return Fraction(result.total_score) / Fraction(result.max_score)
