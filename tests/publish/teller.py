"""What a model knows of one course: who said what there, and so what may be there, and what has to be listed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from gradeway.errors import NothingToResolveError, UnknownCourseError
from gradeway.store.models import Course, Grade, GradeColumn, GradeSchema, Learner
from gradeway.store.publish import GradeConflict, GradeReceipt, Kind, PublishedItem, PublishProblem, Resolution
from publish.book import BLANK, Book, Cell, Shown, Word, read
from publish.scene import Scene

OURS = "gradeway-"  # how the identifiers of columns begin that stand for ours
SAID = ("name", "possible", "schema")  # what people change of a column here
PEOPLE = {"LEARNER_UNKNOWN", "LEARNER_DISABLED", "NOT_POPULATED"}
NO_COLUMN = {"COLUMN_GONE", "SCHEMA_WAITED_FOR", "COLUMN_AMBIGUOUS", "COLUMN_TAKEN", "COLUMN_KIND"}
GradeKey = tuple[int, str]  # our column, and the learner


@dataclass(frozen=True)
class Store:
    """What the store has of a course, and what it noted about it."""

    columns: Mapping[int, Mapping[str, Any]]
    grades: Mapping[GradeKey, str]
    schemas: Mapping[str, Mapping[str, Decimal]]
    items: Mapping[int, str]  # what stands there for our columns
    receipts: Mapping[GradeKey, GradeReceipt]
    conflicts: Mapping[GradeKey, GradeConflict]
    problems: Mapping[tuple[str, int, str], Mapping[str, str]]  # by kind, our id and learner: codes with details

    def named(self, name: str) -> list[int]:
        return [key for key, column in self.columns.items() if column["name"] == name]

    def codes(self, kind: str, entity: int, learner: str = "") -> set[str]:
        return set(self.problems.get((kind, entity, learner), ()))


def read_store(scene: Scene) -> Store:
    """Read what the store has of a course."""
    with scene.world.intake.store.session() as session:
        course = session.scalar(select(Course.id).where(Course.source_id == scene.course)) or 0
        learners = dict(session.execute(select(Learner.id, Learner.source_id)).tuples().all()) | {0: ""}
        schemas = {each.id: each for each in session.scalars(select(GradeSchema))}
        columns = {
            each.id: {
                "name": each.name,
                "possible": each.points,
                "due": each.due_date.isoformat() if each.due_date else "",
                "schema": schemas[each.schema_id].title if each.schema_id else None,
                "is_assignment": each.kind == "assignment",
            }
            for each in session.scalars(select(GradeColumn).where(GradeColumn.course_id == course))
        }
        grades = session.scalars(select(Grade).where(Grade.column_id.in_(columns)))
        of_columns = (PublishedItem.course_id == course, PublishedItem.kind == Kind.COLUMN)
        items = {each.entity_id: each.remote_id for each in session.scalars(select(PublishedItem).where(*of_columns))}
        receipts = session.scalars(select(GradeReceipt).where(GradeReceipt.column_id.in_({*columns, *items})))
        conflicts = session.scalars(select(GradeConflict).where(GradeConflict.course_id == course))
        problems: dict[tuple[str, int, str], dict[str, str]] = defaultdict(dict)
        for each in session.scalars(select(PublishProblem).where(PublishProblem.course_id == course)):
            problems[each.kind, each.entity_id, learners[each.learner_id]][each.code] = each.detail
        found = Store(
            columns,
            {(each.column_id, learners[each.learner_id]): each.value for each in grades},
            {each.title: {text or "": Decimal(low or 0) for text, low in each.symbols} for each in schemas.values()},
            items,
            {(each.column_id, learners[each.learner_id]): each for each in receipts},
            {(each.column_id, learners[each.learner_id]): each for each in conflicts},
            problems,
        )
        session.expunge_all()
    return found


class Teller:
    """Follows what happens in one course.

    ``_last`` are the words of people that nobody wrote over, ``_agreed`` what store and gradebook were once at
    one about, ``_taken`` what a person decided to write over and with what. ``_changed`` are properties of
    columns that stood for ours when a person changed them, ``_schemed`` those of which a file ever said how grades are
    shown. ``_gone`` are the names of such as a person deleted, if we have them yet.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.book = Book()
        self._read_book()
        self._said: dict[Cell, set[Word]] = defaultdict(set)
        self._last: dict[Cell, Word] = {}
        self._agreed: dict[Cell, set[Word]] = defaultdict(lambda: {Shown().word})
        self._taken: dict[Cell, tuple[Word, str | None]] = {}
        self._attempted: set[str] = set()
        self._made: set[str] = set()
        self._changed: dict[tuple[str, str], Any] = {}
        self._agreed_on: dict[tuple[str, str], set[Any]] = defaultdict(set)
        self._names: dict[str, str] = {}
        self._schemed: set[str] = set()
        self._gone: set[str] = set()
        self._ever_gone: set[str] = set()

    def _read_book(self) -> Book:
        before, self.book = self.book, read(self.scene.site, self.scene.course)
        return before

    # people

    def teach(self, which: int, do: str, more: dict[str, Any]) -> None:
        """A teacher does something with a column, or adds one."""
        columns = sorted(self.book.columns)
        if do == "add":
            self._play(do, "", more)
        elif columns and self._can(do, columns[which % len(columns)], more):
            self._play(do, columns[which % len(columns)], more)

    def _can(self, do: str, key: str, more: Mapping[str, Any]) -> bool:
        """Whether there is what a teacher wants; an assignment goes with its content, and by no play."""
        is_deletable = not self.book.columns[key]["is_assignment"]
        return more["schema"] in self.book.schemas if do == "schema" else do != "delete" or is_deletable

    def say(self, name: str, user: str, do: str, more: dict[str, Any]) -> None:
        """A teacher says something of a grade, in the first column of a name."""
        columns = sorted(self.book.named(name))
        if not columns or self._members().get(user) != "Yes":
            return
        if self.book.columns[columns[0]]["is_assignment"] and do == "grade":
            do = "attempt"
            self._attempted.add(columns[0])
            self._said[Cell(columns[0], user)].add((Decimal(more["score"]), False))
        self._play(do, columns[0], {"user": user, **more})

    def _play(self, do: str, key: str, more: dict[str, Any]) -> None:
        self.scene.site.play(self.scene.course, do, **({"column": key} if key else {}), **more)
        self._heard(self._read_book())

    def enrol(self, do: str, user: str, more: dict[str, Any]) -> None:
        """An administrator does something with a learner."""
        if (do == "enrol") != (user not in self._members()):
            return
        self.scene.site.play(self.scene.course, do, user=user, **more)
        self._read_book()

    def _members(self) -> dict[str, str]:
        return {each["user"]["userName"]: each["availability"]["available"] for each in self.scene.members()}

    def _heard(self, before: Book) -> None:
        """Remember what a person has just changed."""
        for cell in before.cells.keys() | self.book.cells.keys():
            word = self.book.cell(cell).word
            if cell.column in self.book.columns and word != before.cell(cell).word:
                self._said[cell].add(word)
                self._last[cell] = word
        gone = {self._names[key] for key in before.columns.keys() - self.book.columns if key in self._names}
        self._gone |= gone
        self._ever_gone |= gone
        for key in before.columns.keys() & self.book.columns.keys():
            for name in SAID if (before.columns[key]["external_id"] or "").startswith(OURS) else ():
                if self.book.columns[key][name] != before.columns[key][name]:
                    self._changed[key, name] = self.book.columns[key][name]

    def decide(self, name: str, user: str, resolution: Resolution) -> None:
        """A person decides about a conflict, if it is listed."""
        store = read_store(self.scene)
        for key in store.named(name):
            if (key, user) in store.conflicts and key in store.items:
                conflict, cell = store.conflicts[key, user], Cell(store.items[key], user)
                self.scene.decide(resolution, name, user)
                self._taken.pop(cell, None)
                if resolution is Resolution.TAKE:
                    self._taken[cell] = (_theirs(conflict), conflict.ours)

    def insist(self, name: str) -> None:
        """A person decides that what somebody changed or deleted of a column is brought back."""
        store = read_store(self.scene)
        try:
            self.scene.insist(name)
        except (NothingToResolveError, UnknownCourseError):
            return
        self._gone.discard(name)
        for key in store.named(name):
            for changed in SAID:
                self._changed.pop((store.items.get(key, ""), changed), None)

    # runs

    def listen(self) -> None:
        """Note where store and gradebook are at one: then what a person said there was taken in."""
        store = read_store(self.scene)
        for key, column in store.columns.items():
            if (remote := store.items.get(key, "")) in self.book.columns:
                self._listen_to_column(remote, column)
        for (key, learner), value in store.grades.items():
            cell = Cell(store.items.get(key, ""), learner)
            if self.book.cell(cell).is_value(value):
                self._agreed[cell].add(self.book.cell(cell).word)
        ours = {Cell(store.items[key], learner) for key, learner in store.grades if key in store.items}
        for cell in self._last.keys() - self.book.cells.keys() - ours:  # both have nothing
            self._agreed[cell].add(BLANK.word)
        self._gone &= {column["name"] for column in store.columns.values()}

    def _listen_to_column(self, remote: str, ours: Mapping[str, Any]) -> None:
        there = self.book.columns[remote]
        self._names[remote] = ours["name"]
        for name in SAID:
            if there[name] == ours[name]:
                self._agreed_on[remote, name].add(ours[name])
        if ours["schema"] and there["schema"] == ours["schema"]:
            self._schemed.add(remote)

    def judge(self) -> None:
        """Judge what a run changed."""
        store, before = read_store(self.scene), self._read_book()
        for key in self.book.columns.keys() - before.columns.keys():
            self._judge_new(store, key)
        for key in before.columns.keys() - self.book.columns.keys():
            self._judge_deleted(store, before, key)
        for key in before.columns.keys() & self.book.columns.keys():
            self._judge_changed(before, key)
        for cell in before.cells.keys() | self.book.cells.keys():
            if cell.column in self.book.columns and before.cell(cell).word != self.book.cell(cell).word:
                self._judge_cell(store, before.cell(cell), cell)
        self.listen()

    def _judge_new(self, store: Store, key: str) -> None:
        name = self.book.columns[key]["name"]
        assert store.named(name), f"a column {name} was made that we have not"
        assert name not in self._gone, f"the column {name} that a person deleted was made again"
        self._made.add(key)

    def _judge_deleted(self, store: Store, before: Book, key: str) -> None:
        name = before.columns[key]["name"]
        assert key in self._made, f"a teacher's column {name} was deleted"
        assert key not in self._attempted, f"a column {name} with attempts was deleted"
        assert key not in {store.items.get(each) for each in store.columns}, f"{name}, which we have, was deleted"
        kept = [shown for cell, shown in before.of_column(key).items() if self._is_kept(cell, shown)]
        assert kept == [], f"a column {name} with a person's grades was deleted"

    def _judge_changed(self, before: Book, key: str) -> None:
        for name in SAID:
            old, new = before.columns[key][name], self.book.columns[key][name]
            if old != new:
                is_word = self._changed.get((key, name), new) == old and old not in self._agreed_on[key, name]
                is_kept = is_word and (name != "schema" or key in self._schemed)
                assert not is_kept, f"{name} of a column, which a person changed, was changed from {old} to {new}"
                self._changed.pop((key, name), None)
                self._agreed_on[key, name] = {new}

    def _is_kept(self, cell: Cell, shown: Shown) -> bool:
        """Whether a grade is a person's last word, with which the store was never at one."""
        return self._last.get(cell) == shown.word and shown.word not in self._agreed[cell]

    def _judge_cell(self, store: Store, old: Shown, cell: Cell) -> None:
        new = self.book.cell(cell)
        ours = [key for key, remote in store.items.items() if remote == cell.column]
        values = [store.grades[key, cell.user] for key in ours if (key, cell.user) in store.grades]
        if values:
            assert new.is_value(values[0]), f"{new} was written, and we have {values}"
        else:
            assert new == Shown() or new.word in self._said[cell], f"{new} was written, and we have nothing"
        if self._is_kept(cell, old):
            theirs, taken = self._taken.get(cell, (None, None))
            is_taken = theirs == old.word and [taken] == (values or [None])
            assert is_taken, f"a person's {old} was written over with {new}"
        self._last.pop(cell, None)
        self._taken.pop(cell, None)
        self._agreed[cell] = {new.word}

    # the end

    def check_symbols(self) -> None:
        """Check that what we told and nobody touched is shown as we have it, where nobody changed how it is shown."""
        store = read_store(self.scene)
        for (key, user), value in store.grades.items():
            remote, receipt = store.items.get(key, ""), store.receipts.get((key, user))
            shown, there = self.book.cell(Cell(remote, user)), self.book.columns.get(remote, {})
            is_told = receipt and receipt.value == value and (receipt.score, False) == (shown.score, shown.exempt)
            is_ours = all(there.get(name) == store.columns[key][name] for name in ("possible", "schema"))
            is_touched = any((remote, name) in self._changed for name in SAID)
            if is_told and is_ours and not is_touched and (key, user) not in store.conflicts:
                assert shown.is_value(value), f"{value} in {store.columns[key]['name']} is shown as {shown}"

    def check(self) -> None:
        """Check that what is there is the store's, or a person's and listed, or that it is listed why not."""
        store, members = read_store(self.scene), self._members()
        remotes = [store.items[key] for key in store.columns if store.items.get(key) in self.book.columns]
        assert len(remotes) == len(set(remotes)), "a column there stands for several of ours"
        for key, column in store.columns.items():
            remote = store.items.get(key, "")
            if remote not in self.book.columns:
                self._check_missing(store, key)
                continue
            self._check_column(store, key, self.book.columns[remote])
            for user in sorted(
                {cell.user for cell in self.book.of_column(remote)} | {u for k, u in store.grades if k == key}
            ):
                about = (column["name"], user, self.book.cell(Cell(remote, user)), store.grades.get((key, user)))
                self._check_grade(store, key, user, members.get(user, ""), about)
        for remote in self._made & self.book.columns.keys() - set(remotes):
            self._check_left(store, remote, members)

    def _check_missing(self, store: Store, key: int) -> None:
        name = store.columns[key]["name"]
        codes = store.codes(Kind.COLUMN, key)
        assert codes & NO_COLUMN, f"the column {name} is not there, and the reason is none: {codes}"
        if "SCHEMA_WAITED_FOR" not in codes:  # which is looked for first
            assert name not in self._gone or "COLUMN_GONE" in codes, f"{name}, which a person deleted: {codes}"
        assert "COLUMN_GONE" not in codes or name in self._ever_gone, f"{name} was deleted by nobody"
        if "SCHEMA_WAITED_FOR" in codes:
            assert "Letters" not in self.book.schemas
        if codes & {"COLUMN_AMBIGUOUS", "COLUMN_TAKEN", "COLUMN_KIND"}:
            assert self.book.named(name), f"no column has the name {name}: {codes}"
        if any(of == key for of, _ in store.grades):
            assert "COLUMN_WAITED_FOR" in store.codes(Kind.GRADE, key), f"grades of {name} wait untold"

    def _check_column(self, store: Store, key: int, there: Mapping[str, Any]) -> None:
        ours, remote = store.columns[key], store.items[key]
        assert (there["external_id"] or "").startswith(OURS)
        for name in ("name", "possible", "due", "schema"):
            if there[name] == ours[name]:
                continue
            codes = store.codes(Kind.COLUMN, key)
            if "SCHEMA_WAITED_FOR" in codes or (name == "schema" and ours[name] is None and there[name] != "Letters"):
                continue  # it waits as a whole; and without a schema of ours, how grades are shown is a person's matter
            assert (remote, name) in self._changed, f"{name} of {ours['name']} is {there[name]}, not {ours[name]}"
            detail = store.problems.get((Kind.COLUMN, key, ""), {}).get("CHANGED_THERE", "")
            assert name in detail.split(", "), f"{name} of {ours['name']} differs untold: {codes}"
        title = ours["schema"]
        if title and there["schema"] == title:
            assert self.book.schemas[title] == store.schemas[title]

    def _check_grade(self, store: Store, key: int, user: str, member: str, about: object) -> None:
        cell = Cell(store.items[key], user)
        shown, value, receipt = self.book.cell(cell), store.grades.get((key, user)), store.receipts.get((key, user))
        codes, conflict = store.codes(Kind.GRADE, key, user), store.conflicts.get((key, user))
        if "SCHEMA_WAITED_FOR" in store.codes(Kind.COLUMN, key):
            return
        if value is None and receipt is None:
            assert shown == Shown() or shown.word in self._said[cell], f"{about} was left there"
        elif member != "Yes":
            assert codes & PEOPLE, f"{about} has nothing to be graded for, and that is not told: {codes}"
        elif value is not None and shown.is_value(value):
            assert receipt, f"{about} has no receipt"
            assert (receipt.value, receipt.score) == (value, shown.score), f"{about} has another receipt"
            assert not codes & PEOPLE
            assert not conflict, f"{about} is no conflict"
        elif conflict:
            assert (conflict.ours, _theirs(conflict)) == (value, shown.word), f"{about} is another conflict"
            assert shown.word in self._said[cell], f"{about} is a conflict with nobody"
        else:
            assert codes & {"NOT_POPULATED", "GRADE_REFUSED"}, f"{about} differs untold: {codes}"
            assert shown.word == Shown().word or "GRADE_REFUSED" in codes

    def _check_left(self, store: Store, remote: str, members: Mapping[str, str]) -> None:
        """Check a column of ours that we have no more."""
        keys = [key for key, item in store.items.items() if item == remote]
        name = self.book.columns[remote]["name"]
        assert len(keys) == 1, f"a column {name} that we made was forgotten"
        assert "COLUMN_IN_USE" in store.codes(Kind.COLUMN, keys[0]), f"{name} was left there untold"
        for cell, shown in self.book.of_column(remote).items():
            if members.get(cell.user) == "Yes":
                assert shown.word in self._said[cell], f"{shown} of {name} was left there"


def _theirs(conflict: GradeConflict) -> Word:
    score = conflict.theirs_score
    return None if score is None else score.normalize() + 0, "exempt" in conflict.theirs_marks
