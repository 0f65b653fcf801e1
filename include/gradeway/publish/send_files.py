"""Writing the rows of plans into flat files for an importer: schemas, then columns, then marks, then grades.

A file is staged under a hidden name; then the store says of each row that it is in that file; then the
file is placed. So the next run can tell of every file whether it has to be placed yet, whatever
ended this one: a staged file that the store knows is placed, one that it does not know is deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

from gradeway import clock
from gradeway.feeds import FEEDS
from gradeway.outcomes import Outcome
from gradeway.publish import file_intents, intents, rows
from gradeway.publish.calls import calls_today, count_calls
from gradeway.publish.file_intents import FEED, MARK, NO_COLUMN, Row
from gradeway.publish.intents import Ended
from gradeway.publish.outgoing import Outgoing, feed_of
from gradeway.publish.plan import Values
from gradeway.publish.reasons import PublishReason
from gradeway.publish.run import Progress, Sent
from gradeway.settings import Settings
from gradeway.store.engine import Store
from gradeway.store.publish import FILES, Kind, PublishIntent, State

LARGEST = 100_000  # rows of a file
GRADES = "colncval"
ORDER = ("sch", "asg", "col", "colnc", "colext", GRADES)


class FileSender:
    """Writes what was begun; ``done`` hears how it ended."""

    def __init__(self, store: Store, settings: Settings, done: Sent, progress: Progress) -> None:
        self._store, self._settings = store, settings
        self._done, self._progress = done, progress
        self._outgoing = Outgoing(folder_of(settings))

    def prepare(self) -> None:
        """See that the folder is there and the right one, and mark it.

        Raises:
            OutgoingError: it is not.
        """
        self._outgoing.prepare(is_known=file_intents.is_known(self._store))

    def send_all(self) -> None:
        """Place what was staged before, and write what is open, as far as it need not wait.

        Raises:
            OutgoingError: the folder cannot be used; what is not written stays open.
        """
        self._settle()
        self._drop_late()
        for feed in ORDER:
            if any(FEEDS[feed_of(name)].stage < FEEDS[feed].stage for name in self._waiting()):
                break
            if feed == GRADES:
                self._write_grades()
            else:
                self._write_items(feed)
        self._tell_waiting()

    def _settle(self) -> None:
        """Let the files appear that an earlier run had staged, and note those that it had placed."""
        names = file_intents.sent_files(self._store)
        self._outgoing.drop_drafts(but=names)
        for name in names:
            self._place(name)

    def _waiting(self) -> list[str]:
        """Return our files that what comes after them waits for."""
        return self._outgoing.waiting() if self._settings.publish_files_wait else []

    def _tell_waiting(self) -> None:
        if left := file_intents.count_open(self._store):
            first, *others = self._outgoing.waiting() or ["the files"]
            more = f" and {len(others)} more" if others else ""
            rows_wait = "1 row waits" if left == 1 else f"{left:,} rows wait"
            self._done.paused = f"{rows_wait} until the importer has taken {first}{more} from its folder"

    def _drop_late(self) -> None:
        """Leave to the next plan what we have changed since, or was approved too long ago, whatever it waits for."""
        hours = self._settings.publish_approval_hours
        self._drop(file_intents.drop_late_grades(self._store, hours))
        with self._store.session() as session:
            found = [intent for intent, _ in file_intents.open_items(session)]
            late = intents.too_late(session, found, hours)
        self._end(*late)

    def _drop(self, count: int) -> None:
        self._done.outcomes += Counter({Outcome.SKIPPED: count})

    # schemas and columns

    def _write_items(self, feed: str) -> None:
        """Write a feed's rows; of rows that are the same in several plans, one."""
        while chosen := self._choose(feed):
            self._write(feed, chosen)

    def _choose(self, feed: str) -> list[Row]:
        with self._store.session() as session:
            found = [each for each in file_intents.open_items(session) if _feed_of(*each) == feed]
            hindered = file_intents.hindered_items(session, self._waiting())
        chosen: dict[tuple[str, int], Row] = {}
        for intent, told in found:
            if feed == "colext" and not told:
                self._end(Ended(intent, State.DROPPED, detail=NO_COLUMN))
            elif told == told | intent.after:
                self._end(Ended(intent, State.DONE, was_there=True))
            elif intent.id not in hindered:
                chosen.setdefault((intent.kind, intent.entity_id), Row(intent.id, told | intent.after))
        return list(chosen.values())[:LARGEST]

    def _end(self, *ended: Ended) -> None:
        for each in ended:
            if each.intent.kind == Kind.GRADE:
                intents.grades_ended(self._store, FILES, [each])
            else:
                file_intents.items_ended(self._store, [each])
            self._done.hear(each)

    # grades

    def _write_grades(self) -> None:
        self._drop(file_intents.drop_lost_grades(self._store))
        while True:
            with self._store.session() as session:
                chosen = file_intents.open_grades(session, self._waiting(), LARGEST)
            if not chosen:
                return
            self._write(GRADES, chosen)

    # files

    def _write(self, feed: str, chosen: Sequence[Row]) -> None:
        refused = rows.refused(feed, [row.cells for row in chosen], self._settings)
        for intent in file_intents.get(self._store, [chosen[place].intent_id for place in refused]):
            self._end(Ended(intent, State.FAILED, reason=PublishReason.CELL_REFUSED))
        chosen = [row for place, row in enumerate(chosen) if place not in refused]
        if not chosen:
            return
        name = self._new_name(feed)
        self._outgoing.stage(name, rows.write(feed, [row.cells for row in chosen], self._settings))
        file_intents.sent(self._store, name, chosen)
        self._place(name)

    def _place(self, name: str) -> None:
        self._outgoing.place(name)
        self._done.outcomes += file_intents.written(self._store, name)
        self._progress(f"{name} was written")

    def _new_name(self, feed: str) -> str:
        """Return a name that no file had: by the time, and the number of the file on its day."""
        count_calls(self._store, FILES, 1)
        number = calls_today(self._store, FILES)
        return f"gradeway_{clock.now().astimezone(UTC):%Y%m%dT%H%M%SZ}_{number:04}.{feed}"


def _feed_of(intent: PublishIntent, told: Values) -> str:
    if intent.kind == Kind.SCHEMA:
        return "sch"
    return "colext" if intent.after == MARK else str((told | intent.after)[FEED])


def folder_of(settings: Settings) -> Path:
    """Return the folder of the files."""
    return Path(settings.publish_files_folder).expanduser().absolute()
