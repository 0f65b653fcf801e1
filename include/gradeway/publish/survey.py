"""What a course of a Blackboard Learn site has: the other half of every comparison, read as far as it is asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from gradeway.feeds.cells import NUMBER
from gradeway.publish.reasons import PublishReason
from gradeway.publish.wanted import RefusedError, plain, rounded
from gradeway.settings import Settings
from gradeway.store.publish import GradeReceipt
from gradeway.vendors.learn import Learn
from gradeway.vendors.learn_records import Column, Content, Course, DisplayGrade, Grade, Membership, Schema
from gradeway.vendors.learn_values import ColumnKey, CourseKey

STUDENT, DISABLED = "Student", "Disabled"
LOGIN = "userName"  # the setting by which learners are named as they log in
ROOT = "ROOT"  # the folder in which an Ultra course has all its contents
SCORE, PERCENT = "Score", "Percent"  # scale types
NOTHING = {None, "", "-"}  # texts of a grade that nobody gave
EXEMPT, NOTATION = "exempt", "notation"  # as the client takes them away


@dataclass(frozen=True)
class There:
    """A grade as it stands in the gradebook: what was set, or where nothing was set, what an attempt got.

    ``marks`` are what else a person can have set: that it is exempt, or a grade notation.
    ``from_attempt``: nothing was set, so that a later attempt can still change it.
    """

    score: Decimal | None = None
    text: str | None = None
    marks: tuple[str, ...] = ()
    change_index: int = 0
    from_attempt: bool = False

    @classmethod
    def of(cls, grade: Grade | None) -> There:
        """Return a grade as it stands there; None is one that nobody ever gave."""
        if grade is None:
            return cls()
        shown = grade.display_grade
        score = _shown_score(shown) if grade.score is None and shown else grade.score
        text = shown.text if grade.text in NOTHING and shown else grade.text
        marks = [EXEMPT] if grade.exempt else []
        marks += [NOTATION] if grade.grade_notation_id else []
        text = None if text in NOTHING else text
        from_attempt = grade.score is None and grade.text in NOTHING and (score, text) != (None, None)
        return cls(score, text, tuple(marks), grade.change_index, from_attempt)

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> There:
        """Return a grade as a plan has it."""
        score = values.get("score")
        score, marks = None if score is None else Decimal(score), tuple(values.get("marks", ()))
        return cls(score, values.get("text"), marks, from_attempt=bool(values.get("attempt")))

    @property
    def values(self) -> dict[str, Any]:
        """What is there, as plans have it."""
        score = None if self.score is None else plain(self.score)
        marks, attempt = list(self.marks) or None, self.from_attempt or None
        found = {"score": score, "text": self.text, "marks": marks, "attempt": attempt}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def is_empty(self) -> bool:
        """Whether nobody has given anything."""
        return self.score is None and self.text is None and not self.marks

    @property
    def is_set(self) -> bool:
        """Whether somebody has set something, other than by grading an attempt."""
        return not self.is_empty and (not self.from_attempt or bool(self.marks))

    @property
    def as_set(self) -> There:
        """What has to be set to have the same again: nothing, where an attempt speaks for itself."""
        return There() if self.from_attempt else There(self.score, self.text)

    def shows(self, value: str) -> bool:
        """Return whether it is just a value of ours."""
        if self.marks:
            return False
        if NUMBER.fullmatch(value):
            return self.score is not None and rounded(self.score) == rounded(Decimal(value))
        return self.text == value

    def is_as_told(self, receipt: GradeReceipt) -> bool:
        """Return whether it is what it was when it was last told, whatever was done meanwhile.

        Where there is a score, a text only follows from it by the column's schema, which can change.
        """
        if self.marks:
            return False
        if receipt.score is not None:
            return _same_score(self.score, receipt.score)
        return self.score is None and self.text == receipt.text

    def is_same(self, before: There) -> bool:
        """Return whether nothing was set since an earlier look."""
        if self.marks != before.marks:
            return False
        if self.score is None or before.score is None:
            return (self.score, self.text) == (before.score, before.text)
        return _same_score(self.score, before.score)


def _shown_score(shown: DisplayGrade) -> Decimal | None:
    """Return the score that is shown, in points."""
    if shown.scale_type != PERCENT or shown.score is None:
        return shown.score
    return None if shown.possible is None else shown.score * shown.possible / 100


def _same_score(one: Decimal | None, other: Decimal | None) -> bool:
    if one is None or other is None:
        return one is other
    return rounded(one) == rounded(other)


def ungradable(member: Membership | None) -> PublishReason | None:
    """Return why somebody cannot be graded in a course, if so."""
    if member is None:
        return PublishReason.LEARNER_UNKNOWN
    if member.available == DISABLED:
        return PublishReason.LEARNER_DISABLED
    return None if member.course_role_id == STUDENT else PublishReason.LEARNER_ROLE


class Survey:
    """One course, by the identifier that the files use; what is read is read once.

    A course that is cross-listed under another keeps its grades there: ``course`` is that other one,
    and ``section`` says whose learners are meant.
    """

    def __init__(self, client: Learn, course: Course, section: str | None, settings: Settings) -> None:
        self.course, self.section = course, section
        self.key = CourseKey("id", course.id)
        self._client, self._settings = client, settings
        self._grades: dict[str, dict[str, There]] = {}
        self._read: dict[str | None, list[Content]] = {}

    @classmethod
    def of(cls, client: Learn, source_id: str, settings: Settings) -> Survey:
        """Find a course.

        Raises:
            RefusedError: there is none, or it can be neither read nor changed.
            VendorError: Learn could not be asked.
        """
        found = client.course(CourseKey(settings.publish_course_id, source_id))
        if found is None:
            raise RefusedError(PublishReason.COURSE_UNKNOWN)
        if found.ultra_status is None:  # shown only to those who may see all of a course, its parent too
            raise RefusedError(PublishReason.COURSE_HIDDEN)
        course = client.course(CourseKey("id", found.parent_id)) if found.parent_id else found
        if course is None or course.ultra_status is None:
            raise RefusedError(PublishReason.COURSE_HIDDEN, "it is cross-listed under another")
        if course.closed_complete:
            raise RefusedError(PublishReason.COURSE_CLOSED)
        return cls(client, course, found.id if course is not found else None, settings)

    @classmethod
    def again(cls, client: Learn, remote_id: str, *, is_ultra: bool, settings: Settings) -> Survey:
        """Return a course that was found before."""
        status = "Ultra" if is_ultra else "Classic"
        return cls(client, Course(id=remote_id, course_id="", ultra_status=status), None, settings)

    def afresh(self) -> Survey:
        """Return the same course with nothing read yet."""
        return Survey(self._client, self.course, self.section, self._settings)

    @property
    def is_ultra(self) -> bool:
        """Whether it is an Ultra course."""
        return self.course.is_ultra

    @property
    def name(self) -> str:
        """What it is called by those who made it."""
        return self.course.external_id or self.course.course_id

    @cached_property
    def schemas(self) -> Mapping[str, Schema]:
        """Its grade schemas, by their ids."""
        return {schema.id: schema for schema in self._client.schemas(self.key)}

    @property
    def schema_titles(self) -> dict[str, str | None]:
        """The titles of its schemas, by their ids; None of the one that shows scores as they are."""
        return {key: None if each.scale_type == SCORE else each.title for key, each in self.schemas.items()}

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """Its columns, by their ids."""
        return {column.id: column for column in self._client.columns(self.key)}

    def folder(self, path: Sequence[str]) -> str | None:
        """Return the id of a folder by the titles that lead to it, or None if there is none.

        Without any title it is the top, which has an id in an Ultra course only.

        Raises:
            RefusedError: several folders have that path.
        """
        parent: str | None = None
        for title in [ROOT, *path] if self.is_ultra else path:
            found = [
                each.id for each in self._contents(parent) if each.is_folder and (each.title or "").strip() == title
            ]
            if len(found) > 1:
                raise RefusedError(PublishReason.FOLDER_AMBIGUOUS, "/".join(path))
            if not found:
                return None
            [parent] = found
        return parent

    def _contents(self, parent: str | None) -> Sequence[Content]:
        if parent not in self._read:
            self._read[parent] = list(self._client.contents(self.key, parent))
        return self._read[parent]

    def grades(self, column: str) -> Mapping[str, There]:
        """Return the grades of a column, by the ids of the learners."""
        if column not in self._grades:
            found = self._client.grades(self.key, ColumnKey("id", column))
            self._grades[column] = {grade.user_id: There.of(grade) for grade in found}
        return self._grades[column]

    def all_grades(self, column: str) -> Mapping[str, There]:
        """Return the grades of a column, with those of disabled memberships.

        Raises:
            VendorRefusedError: forbidden if there are such memberships, and the account may not see their grades.
        """
        if all(member.available != DISABLED for member in self._everybody):
            return self.grades(column)
        found = self._client.grades(self.key, ColumnKey("id", column), include_disabled=True)
        return {grade.user_id: There.of(grade) for grade in found}

    def last_changed(self, column: str) -> int:
        """Return the highest change index of a column, of what nobody may see too."""
        return self._client.last_changed(self.key, ColumnKey("id", column))

    def has_attempts(self, column: str) -> bool:
        """Return whether learners have begun to hand something in."""
        return self._client.has_attempts(self.key, ColumnKey("id", column))

    @cached_property
    def _everybody(self) -> Sequence[Membership]:
        return list(self._client.memberships(self.key))

    @cached_property
    def _members(self) -> Mapping[str, list[Membership]]:
        by_name: dict[str, list[Membership]] = defaultdict(list)
        for member in self._everybody:
            if self.section in {None, member.child_course_id}:
                by_name[self.folded(self._name_of(member))].append(member)
        return by_name

    def _in_two_sections(self, folded: str) -> list[Membership]:
        """Return who is called that and is in the section too, though the parent names another one of theirs."""
        named = [each for each in self._everybody if self.section and self.folded(self._name_of(each)) == folded]
        return [each for each in named if each.user_id in self._enrolled]

    @cached_property
    def _enrolled(self) -> Collection[str]:
        """The ids of those who are in the section."""
        return {each.user_id for each in self._client.memberships(CourseKey("id", self.section or ""))}

    def folded(self, name: str) -> str:
        """Return what a learner's name is compared by: of a login the case means nothing, of a batch UID it does."""
        return name.casefold() if self._settings.publish_learner_id == LOGIN else name

    def _name_of(self, member: Membership) -> str:
        by_login = self._settings.publish_learner_id == LOGIN
        return (member.user_name if by_login else member.external_id) or ""

    def name_of(self, user_id: str) -> str:
        """Return what somebody in the course is called, or nothing if they are not in it."""
        everybody = (each for some in self._members.values() for each in some)
        return next((self._name_of(each) for each in everybody if each.user_id == user_id), "")

    def user(self, learner: str) -> str:
        """Return the id of a learner.

        Raises:
            RefusedError: nobody in the course is called that, or who is cannot be graded.
        """
        member = self.member(learner)
        if reason := ungradable(member):
            raise RefusedError(reason)
        return member.user_id

    def member(self, learner: str) -> Membership:
        """Return how a learner is in the course.

        Raises:
            RefusedError: nobody in the course is called that, or more than one.
        """
        found = self._members.get(self.folded(learner)) or self._in_two_sections(self.folded(learner))
        found = [member for member in found if self._name_of(member) == learner] or found
        if not found:
            raise RefusedError(PublishReason.LEARNER_UNKNOWN)
        if len(found) > 1:
            raise RefusedError(PublishReason.LEARNER_AMBIGUOUS)
        return found[0]
