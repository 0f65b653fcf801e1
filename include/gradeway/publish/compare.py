"""Comparing a course of ours with its course in Blackboard Learn: what comes of it is a plan, and nothing is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from gradeway.errors import VendorError, VendorRefusedError
from gradeway.publish.away import reason_of
from gradeway.publish.grades import Gradable, GradePlanner, gradable
from gradeway.publish.items import ItemPlanner
from gradeway.publish.ours import DueGrade, Ours, copied, told_twice
from gradeway.publish.plan import Line, Made, Risk, importance
from gradeway.publish.reasons import PublishReason
from gradeway.publish.survey import Survey, There
from gradeway.publish.wanted import RefusedError, external_id
from gradeway.settings import Settings
from gradeway.store.models import GradeColumn
from gradeway.store.publish import COURSE, Action, Kind, PublishedItem, Resolution
from gradeway.vendors.learn import Learn
from gradeway.vendors.learn_records import Column


def compare(ours: Ours, client: Learn, settings: Settings) -> Made:
    """Compare a course; what keeps all of it from being published is its one problem.

    Raises:
        VendorError: Learn could not be asked, or refuses the account.
    """
    made = Made(ours.course.id, ours.course.source_id)
    try:
        survey = Survey.of(client, made.course, settings)
        made.remote_id, made.is_ultra = survey.course.id, survey.is_ultra
        compare_with(survey, ours, made, settings)
    except RefusedError as refused:
        return _nothing(made, refused.reason, refused.detail)
    except VendorRefusedError as error:
        if error.is_for_all:
            raise
        return _nothing(made, _why(error), str(error))
    except VendorError as error:
        reason = reason_of(error)
        if reason is None:
            raise
        failed = _nothing(made, reason, str(error))
        failed.failure = error
        return failed
    return made


def _why(error: VendorRefusedError) -> PublishReason:
    if error.is_missing:  # since it was found
        return PublishReason.COURSE_UNKNOWN
    return PublishReason.COURSE_FORBIDDEN if error.is_forbidden else PublishReason.REFUSED


def compare_with(survey: Survey, ours: Ours, made: Made, settings: Settings) -> None:
    """Compare a course with one that was found, and put what comes of it into a plan.

    Raises:
        RefusedError: the course can be neither read nor changed.
        VendorError: Learn could not be asked.
    """
    _Comparison(made, ours, survey, settings).run()


def _nothing(made: Made, reason: PublishReason, detail: str) -> Made:
    nothing = Made(made.course_id, made.course)
    nothing.problem(COURSE, 0, reason, name=made.course, detail=detail)
    return nothing


class _Comparison:
    def __init__(self, made: Made, ours: Ours, survey: Survey, settings: Settings) -> None:
        self._made, self._ours, self._survey = made, ours, survey
        self._items = ItemPlanner(made, ours, survey, settings)
        self._grades = GradePlanner(made, ours)

    def run(self) -> None:
        columns = [column for column in self._ours.columns if self._inherit(column)]
        for column in columns:
            remote_id = self._items.column(column)
            due = self._ours.due.get(column.id, ())
            if remote_id is not None:
                self._compare_grades(gradable(column, remote_id, self._ours), due)
            elif due:
                self._made.problem(Kind.GRADE, column.id, PublishReason.COLUMN_WAITED_FOR, name=column.name)
        for item in self._ours.orphans:
            if (Kind.COLUMN, item.entity_id, 0) not in self._ours.under_way:
                self._compare_orphan(item)
        # Python sorts stably: calls for one column stay in their order.
        self._made.lines.sort(key=importance)

    def _inherit(self, column: GradeColumn) -> bool:
        """See whether a column without anything there is one that we had before; return whether it can be compared.

        That is when it was taken back and came again: what was told of its grades holds on, and that
        somebody deleted it there.
        """
        key = external_id(self._survey.name, self._ours.keys[column.id])
        if (Kind.COLUMN, column.id) in self._ours.items:
            return True
        for item in self._ours.orphans:
            there = self._survey.columns.get(item.remote_id)
            if (there.external_id if there else item.told.get("external_id")) == key:
                if any(entity == item.entity_id for _, entity, _ in self._ours.under_way):
                    return False
                self._ours.inherit(item, column)
                self._made.inherited[item.entity_id] = column.id
        return True

    def _compare_grades(self, column: Gradable, due: Sequence[DueGrade]) -> None:
        for user_id, grades in self._matched(column, due):
            there = self._there(column.remote_id).get(user_id, There())
            grade = self._only(column, grades, there)
            try:
                self._grades.compare(column, grade, user_id, there)
            except RefusedError as refused:
                self._tell(column, grade, refused)

    def _matched(self, column: Gradable, due: Sequence[DueGrade]) -> Iterator[tuple[str, list[DueGrade]]]:
        """Yield the grades of each learner with their id there: of one in several spellings, at most one that we have.

        Where we have several, none of them is compared; where one is on its way, none is yet.
        """
        found: dict[str, list[DueGrade]] = defaultdict(list)
        for grade in due:
            try:
                found[self._survey.user(grade.learner)].append(grade)
            except RefusedError as refused:
                self._unmatched(column, grade, refused)
        for user_id, grades in found.items():
            names = self._names(column, user_id, grades)
            if len(names) > 1:
                for grade in grades:
                    self._tell_twice(column, grade, names)
            elif not any((Kind.GRADE, column.id, grade.learner_id) in self._ours.under_way for grade in grades):
                yield user_id, grades

    def _names(self, column: Gradable, user_id: str, grades: Sequence[DueGrade]) -> list[str]:
        """Return as whom the files name a learner in a column, for grades that we have."""
        others = {name for grade in grades for name in self._ours.spellings(column.id, grade.learner)}
        names = {grade.learner for grade in grades if grade.value is not None}
        return sorted(names | {name for name in others if self._is(name, user_id)})

    def _is(self, learner: str, user_id: str) -> bool:
        try:
            return self._survey.user(learner) == user_id
        except RefusedError:
            return False

    def _tell_twice(self, column: Gradable, grade: DueGrade, names: Sequence[str]) -> None:
        if grade.conflict and grade.conflict.resolution == Resolution.OPEN:  # it was ours that stood there
            self._made.settled.append((column.id, grade.learner_id))
        self._tell(column, grade, RefusedError(PublishReason.LEARNER_TWICE, told_twice(names)))

    def _only(self, column: Gradable, grades: Sequence[DueGrade], there: There) -> DueGrade:
        """Return the grade that we have of a learner, with what was told of it under another spelling of the name."""
        first, *others = sorted(grades, key=lambda each: (each.value is None, each.receipt is None))
        self._made.forgotten_grades += [(column.id, each.learner_id) for each in others]
        before = next((each.receipt for each in others if each.receipt), None)
        if first.receipt or not before:
            return first
        receipt = copied(before, learner_id=first.learner_id, value="")
        if not there.shows(first.value or ""):
            self._made.found.append(receipt)
        return replace(first, receipt=receipt)

    def _there(self, remote_id: str) -> Mapping[str, There]:
        return self._survey.grades(remote_id) if remote_id in self._survey.columns else {}

    def _unmatched(self, column: Gradable, grade: DueGrade, refused: RefusedError) -> None:
        # Whoever was told a grade before was in the course: no sign that it is the wrong one.
        if grade.receipt is None and (column.id, grade.learner_id) not in self._ours.missing:
            self._made.unmatched[column.id] += 1
        self._tell(column, grade, refused)

    def _tell(self, column: Gradable, grade: DueGrade, refused: RefusedError) -> None:
        self._made.problem(
            Kind.GRADE,
            column.id,
            refused.reason,
            name=column.name,
            detail=refused.detail,
            learner_id=grade.learner_id,
            value=grade.value or "",
        )

    def _compare_orphan(self, item: PublishedItem) -> None:
        """Take away what stands there for a column that we have no more, or at least our grades in it."""
        there = self._survey.columns.get(item.remote_id)
        due = self._ours.due.get(item.entity_id, ())
        if there is None or not (item.made or due):
            self._forget(item, due)
        elif not item.made or not self._delete(item, there, due):
            self._compare_grades(Gradable(item.entity_id, there.name, there.id, None, {}), due)

    def _delete(self, item: PublishedItem, there: Column, due: Sequence[DueGrade]) -> bool:
        """Plan to delete a column that we made; return whether it may be."""
        seen_index = self._survey.last_changed(there.id)  # before its grades are looked at
        refused = self._ours.refusal(Kind.COLUMN, item.entity_id, "") or self._in_use(there, due)
        if refused:
            self._made.problem(Kind.COLUMN, item.entity_id, refused.reason, name=there.name, detail=refused.detail)
            return False
        about = (Kind.COLUMN, Action.DELETE, there.name, item.entity_id)
        before, risks = {"name": there.name}, frozenset([Risk.DELETIONS])
        self._made.lines.append(Line(*about, {}, before, there.id, seen_index=seen_index, risks=risks))
        return True

    def _in_use(self, there: Column, due: Sequence[DueGrade]) -> RefusedError | None:
        """Say why a column is in use: somebody else gave a grade in it or changed one of ours, or handed in."""
        told = {}
        for grade in due:
            with suppress(RefusedError):
                told[self._survey.member(grade.learner).user_id] = grade.receipt
        try:
            grades = self._survey.all_grades(there.id).items()
        except VendorRefusedError as error:
            if error.is_for_all or not error.is_forbidden:
                raise
            return RefusedError(PublishReason.COLUMN_IN_USE, "perhaps: grades of disabled learners are not shown to us")
        is_all_ours = all(
            there.is_empty or ((receipt := told.get(user_id)) is not None and there.is_as_told(receipt))
            for user_id, there in grades
        )
        if is_all_ours and not (there.content_id and self._survey.has_attempts(there.id)):
            return None
        return RefusedError(PublishReason.COLUMN_IN_USE)

    def _forget(self, item: PublishedItem, due: Sequence[DueGrade]) -> None:
        self._made.forgotten_items.append((item.kind, item.entity_id))
        self._made.forgotten_grades += [(item.entity_id, grade.learner_id) for grade in due]
