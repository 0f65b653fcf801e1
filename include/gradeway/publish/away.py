"""Courses in which calls go wrong, while they go well in others: they keep no other course back."""

from __future__ import annotations

from collections.abc import Callable, Collection

from gradeway.errors import VendorAnswerError, VendorError
from gradeway.publish.reasons import PublishReason

MOST_AWAY = 5  # courses in a row, after which it is the service


def reason_of(error: VendorError) -> PublishReason | None:
    """Return what is wrong with a course, or None if it is the service, or asks to be left alone."""
    if "{course}" not in error.call:
        return None
    if isinstance(error, VendorAnswerError):
        return PublishReason.COURSE_ANSWER
    # A call about a large gradebook may well get no answer where others do.
    is_of_course = error.sent and error.wait is None and (error.status is None or error.status >= 500)
    return PublishReason.COURSE_AWAY if is_of_course else None


class Away:
    """The courses that this run leaves alone, by our ids; ``tell`` hears of each why.

    Those that are ``known`` to have failed before say nothing about the service.
    """

    def __init__(
        self, tell: Callable[[int, PublishReason, VendorError], None], known: Collection[int] = frozenset()
    ) -> None:
        self._tell, self._known = tell, known
        self._courses: set[int] = set()
        self._in_a_row = 0
        self._error: VendorError | None = None
        self._well: set[int] = set()

    @property
    def healed(self) -> set[int]:
        """The courses in which nothing went wrong, as it had before."""
        return self._well.intersection(self._known) - self._courses

    def __contains__(self, course_id: int) -> bool:
        return course_id in self._courses

    def went_well(self, course_id: int) -> None:
        """Note that the service answers in a course."""
        self._well.add(course_id)
        self._in_a_row = 0

    def leave(self, course_id: int, error: VendorError) -> None:
        """Leave a course alone from now on.

        Raises:
            VendorError: that error, if it is the service and not the course.
        """
        reason = reason_of(error)
        if reason is None:
            raise error
        if course_id in self._courses:
            return
        self._courses.add(course_id)
        self._error = error
        self._tell(course_id, reason, error)
        self._in_a_row += course_id not in self._known
        if self._in_a_row >= MOST_AWAY:
            raise error

    def conclude(self, ask: Callable[[], object]) -> None:
        """See whether it was the service, where no course went well: then ``ask`` fails too.

        Raises:
            VendorError: that of asking.
        """
        if self._error and not self._well:
            ask()
