"""People, files and faults around publishing, and a model of what all of that means.

The model knows nothing of plans, receipts and intents. It knows what the store says, what people did and
decided in each gradebook, and what stands there before and after each run: whatever a run changed is ours, and
has to follow from the store and to be allowed by what was said there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from crash.kill import in_a_process
from gradeway.errors import GradewayError, UndoRefusedError
from gradeway.publish import outbox, overview
from gradeway.publish.calls import calls_today
from gradeway.publish.run import Publisher
from gradeway.store.publish import LEARN, PublishIntent, Resolution
from loading.world import World
from publish import term
from publish.scene import WRITES, Scene
from publish.teller import Teller
from publish.trouble import Doom, heal
from sessions.exams import Clock

ROUNDS = 12
Trouble = tuple[str, Any]  # its kind, and what of it


class Story:
    """A store with some courses, and what happens to them; each event is a method."""

    def __init__(self, scenes: Sequence[Scene], passing: Clock) -> None:
        self._passing, self._files = passing, 0
        self._told: list[tuple[int, str, str]] = []  # batch, course and column
        self._tellers = [Teller(scene) for scene in scenes]
        self._scene: Scene = scenes[0]  # where it is not about one course
        self._digests: list[str] = []

    @property
    def _world(self) -> World:
        return self._scene.world

    def tell(self, events: Sequence[tuple[Any, ...]]) -> None:
        """Let events happen one after the other."""
        for name, *details in events:
            getattr(self, name)(*details)

    # files

    def schema(self, symbols: str) -> None:
        self._land("sch", "title|symbols", f"Letters|{symbols}")

    def column(self, place: int, name: str, points: int, schema: str, due: str) -> None:
        self._land(
            "colnc", "courseId|name|points|gradeSchema|duedate", f"{self._of(place)}|{name}|{points}|{schema}|{due}"
        )

    def assignment(self, place: int, points: int) -> None:
        self._land("asg", "courseId|name|points", f"{self._of(place)}|Project|{points}")

    def grades(self, place: int, column: str, values: dict[str, str]) -> None:
        rows = [f"{self._of(place)}|{learner}|{column}|{value}" for learner, value in values.items()]
        self._land("colncval", "courseId|userId|name|value", *rows)

    def withdraw(self, place: int, name: str) -> None:
        """All is undone that files said of a column, and so the column itself."""
        for batch in [batch for batch, course, column in self._told if (course, column) == (self._of(place), name)][
            ::-1
        ]:
            with suppress(UndoRefusedError):
                self._world.undo(batch)

    def _of(self, place: int) -> str:
        return self._teller(place).scene.course

    def _land(self, feed: str, header: str, *rows: str) -> None:
        self._files += 1  # and so many times is the last row said: the same bytes would not be taken again
        batch = self._world.land(f"{self._files}.{feed}", header, *rows, *rows[-1:] * self._files)
        cells = dict(zip(header.split("|"), rows[0].split("|"), strict=True))
        self._told.append((batch.id, cells.get("courseId", ""), cells.get("name", "")))

    def undo(self, which: int) -> None:
        loaded = [batch.id for batch in self._world.batches() if batch.state == "loaded" and not batch.undo_of]
        if loaded:
            with suppress(UndoRefusedError):
                self._world.undo(loaded[which % len(loaded)])

    # people

    def teach(self, place: int, which: int, do: str, more: dict[str, Any]) -> None:
        """A teacher does something with a column, or adds one."""
        self._teller(place).teach(which, do, more)

    def say(self, place: int, column: str, user: str, said: tuple[str, dict[str, Any]]) -> None:
        """A teacher says something of a grade."""
        self._teller(place).say(column, user, *said)

    def enrol(self, place: int, do: str, user: str, more: dict[str, Any]) -> None:
        """An administrator does something with a learner."""
        self._teller(place).enrol(do, user, more)

    def insist(self, place: int, name: str) -> None:
        self._teller(place).insist(name)

    def _teller(self, place: int) -> Teller:
        return self._tellers[place % len(self._tellers)]

    def approve(self, which: int) -> None:
        if held := self._held():
            self._scene.approve(held[which % len(held)])

    def wait(self, seconds: int) -> None:
        self._passing.pass_by(seconds)

    def _held(self) -> list[str]:
        with self._world.intake.store.session() as session:
            return [each.digest for each in overview.waiting(session, LEARN, self._scene.settings)]

    # runs

    def plan(self, how: str) -> None:
        def work(publisher: Publisher) -> None:
            for planned in publisher.plan(**({how: True} if how else {})).planned:
                self._digests += [part.digest for part in (planned.free, planned.held) if part.lines]

        self._run(work)

    def apply(self, which: int) -> None:
        """A plan of any age is applied."""
        if self._digests:
            self._run(lambda publisher: publisher.apply(self._digests[which % len(self._digests)]))

    def clash(self, place: int, user: str, value: str, person: tuple[Any, ...], how: str) -> None:
        """A file gives a grade, and a person says something of the same between plan and send."""
        self.grades(place, "Oral", {user: value})
        self.plan(how)
        self.say(place, "Oral", user, person)
        self._run(lambda publisher: publisher.apply_free())

    def dispute(self, place: int, user: str, person: tuple[Any, ...], resolution: str, after: tuple[Any, ...]) -> None:
        """A person says something else than we, somebody decides about it, and perhaps somebody says more."""
        self.say(place, "Oral", user, person)
        self.publish("everything", ("none", None))
        self._teller(place).decide("Oral", user, Resolution(resolution))
        if after[0] == "file":
            self.grades(place, "Oral", {user: after[1]})
        elif after[0]:
            self.say(place, "Oral", user, after)
        self.publish("", ("none", None))

    def publish(self, how: str, trouble: Trouble) -> None:
        def work(publisher: Publisher) -> None:
            publisher.plan(**({how: True} if how else {}))
            publisher.apply_free()

        self._run(work, trouble)

    def _run(self, work: Callable[[Publisher], object], trouble: Trouble = ("none", None)) -> None:
        with self._judged():
            kind, what = trouble
            extra = {}
            if kind == "budget":
                extra = {"daily_calls": calls_today(self._world.intake.store, LEARN) + what + 2, "reserve": 1}
            if kind in {"faults", "limit"}:
                self._scene.site.act(kind, what)
            if kind == "kill":
                self._world.intake.store.engine.dispose()  # no connection may be shared with the fork
                in_a_process(lambda: self._work(work, Doom(what).arm))
            else:
                self._work(work, lambda: None, **extra)
            self._scene.site.act("limit", {})
            heal(self._scene)

    def _work(self, work: Callable[[Publisher], object], prepare: Callable[[], None], **extra: object) -> None:
        prepare()
        with self._scene.publisher(term.QUICK, **extra) as publisher, suppress(GradewayError):
            work(publisher)

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """Let a run do something, and judge what it did."""
        for teller in self._tellers:
            teller.listen()
        yield
        for teller in self._tellers:
            teller.judge()

    # the end

    def end(self) -> None:
        """Publish until nothing is left to do, and check what is there then."""
        for _ in range(ROUNDS):
            since = self._scene.mark()
            self._allow_and_publish()
            if not self._effects(since) and not self._held() and not term.under_way(self._scene):
                break
            self._passing.pass_by(term.GRACE)
        else:
            intents = [
                (each.kind, each.name, each.action, each.state, each.detail) for each in self._scene.rows(PublishIntent)
            ]
            raise AssertionError(["it does not come to an end", intents[-6:]])
        for teller in self._tellers:
            teller.check_symbols()  # before all is looked at, which would put them right
        self._passing.pass_by(1)  # what was looked at in this second is not looked at again
        since = self._scene.mark()
        self._run(lambda publisher: (publisher.plan(everything=True), publisher.apply_free()))
        assert self._effects(since) == []
        assert self._held() == []
        for teller in self._tellers:
            teller.check()
        assert self._scene.due() == []

    def _effects(self, since: int) -> list[str]:
        """The writes that had an effect; what was refused is tried again by each such run."""
        log = self._scene.site.act(f"log?after={since}", method="GET")
        return [
            each["path"]
            for each in log
            if each["method"] in WRITES and each["took_effect"] and "oauth2" not in each["path"]
        ]

    def _allow_and_publish(self) -> None:
        def work(publisher: Publisher) -> None:
            publisher.plan(again=True)
            for digest in self._held():
                outbox.approve(self._world.intake.store, LEARN, digest, "Eva", "is right")
            publisher.apply_free()

        self._run(work)
