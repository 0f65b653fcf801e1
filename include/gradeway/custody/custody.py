"""Custody of one folder of result files: find, send, settle, put away; one pass can be repeated at any time.

That the assessment system cannot be reached is no failure: what waits goes on waiting, and the next
pass begins where this one stopped.
Source: Televic, Uploading the result files: a file may be uploaded again and again while its exam goes
on, and not any more once it was uploaded with the exam finished.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile, gettempdir
from typing import BinaryIO, cast

from sqlalchemy.exc import SQLAlchemyError

from gradeway import clock
from gradeway.custody import files, folders, ledger, moving, order, reach
from gradeway.custody.files import ChangedError, Seen
from gradeway.custody.keep import Keeper
from gradeway.custody.sending import MOST_TRIES, Content, Pass, Sender, is_for_all, is_no
from gradeway.errors import (
    GradewayError,
    VendorAnswerError,
    VendorAwayError,
    VendorError,
    VendorRefusedError,
)
from gradeway.landing.zone import RESULT_FILES, Zone
from gradeway.settings import Settings
from gradeway.store import tenants
from gradeway.store.custody import ASSESSMENTQ, FileState, ResultFile
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import AssessmentQ

__all__ = ["Custody", "Pass"]

log = logging.getLogger(__name__)

COMPARE_EVERY = timedelta(hours=1)  # until the bytes of what was sent are compared again with those that were
LEARN_EVERY, LEARN_ANYWAY = 300.0, 86_400.0  # seconds until results are asked for again, or after a 403
LEARN_AFTER = timedelta(minutes=5)  # without a change of a file that was sent
OVERLAP = timedelta(hours=1)  # by which clocks may have gone differently
IN_MEMORY = 1 << 24  # bytes up to which a copy needs no disk


class Custody:
    """The result files of one folder, and the system they go to; ``keeper`` puts away what has ended there."""

    def __init__(self, store: Store, client: AssessmentQ, settings: Settings, folder: Path, keeper: Keeper) -> None:
        self._store, self._client, self._settings = store, client, settings
        self._folder, self._keeper = folder, keeper
        self.folder = str(folder)  # by which the store knows it
        grace = timedelta(seconds=settings.aqr_grace_seconds)
        self._sender = Sender(store, client, grace, asks_first=keeper.collects)
        self._monotonic = client.transport.manners.monotonic
        self._learn_at = self._monotonic()
        self._moving: dict[str, float] = {}  # since when files changed between any two looks
        self._restless: set[str] = set()  # those that did for so long that they are taken as they are

    @classmethod
    def of_inbox(cls, store: Store, client: AssessmentQ, settings: Settings) -> Custody:
        """Return the custody of the landing zone's inbox, whose files go to its archive."""
        zone = Zone(settings.landing)
        inbox = zone.inbox(RESULT_FILES)
        inbox.mkdir(parents=True, exist_ok=True)
        return cls(store, client, settings, inbox, Keeper.as_archive(zone.received))

    def once(self, *, sleep: Callable[[float], None] = time.sleep) -> Pass:
        """Look twice, and take what did not change between."""
        return self.go_on(self._first_look(sleep))

    def find(self, *, sleep: Callable[[float], None] = time.sleep) -> list[int]:
        """Look twice, and return what is to be sent, those written longest ago first."""
        done = self.note(self._first_look(sleep))
        for trouble in done.troubles:
            log.error("%s", trouble)
        if done.moving:
            log.warning("%d files are still being written; the next run takes them", done.moving)
        return [file.id for file in ledger.files(self._store, self.folder, FileState.WAITING)]

    def send_waiting(self, done: Pass, only: Collection[int] | None = None) -> None:
        """Send the files that wait, or only some of them, until the system cannot be reached.

        Raises:
            VendorError: the system refuses our account, or gave none of several files, or of what is
                fresh, an answer that its profile explains.
        """
        if wait := reach.quiet(self._store):
            done.online, done.wait, done.offline = False, wait, f"it asked to be left alone for {wait:.0f} seconds more"
            return
        for file in ledger.files(self._store, self.folder, FileState.WAITING):
            if (only is None or file.id in only) and not self._try(file, done):
                break
        if done.blamed and not done.answered and (len(done.blamed) > 1 or done.fresh):
            raise next(iter(done.blamed.values()))
        for number, error in done.blamed.items():
            if is_no(error):
                ledger.leave(self._store, number, MOST_TRIES)

    def _first_look(self, sleep: Callable[[float], None]) -> list[Seen]:
        first = files.look(self._folder)
        if self._is_news(first):
            sleep(self._settings.aqr_settle_seconds)
        return first

    def go_on(self, before: Sequence[Seen]) -> Pass:
        """Take what is as it was at an earlier look.

        Raises:
            CustodyError: the folder cannot be read.
            VendorError: the system refuses our account, or answers what its profile does not explain.
        """
        done = self.note(before)
        try:
            self.send_waiting(done)
            self.send_waiting(done, order.overtaken(self._store) if done.online else ())
            self._learn_ends(done)
        finally:
            self.put_away(done)
        return done

    def note(self, before: Sequence[Seen]) -> Pass:
        """Note what is there, and did not change since an earlier look."""
        self._hold()
        aside = files.Aside()
        now = files.look(self._folder, aside)
        hidden = tuple(f"{place}/" for place in aside.unreadable)
        left = {moving.own_name(Path(place)) for place in aside.left}
        places = {seen.place for seen in now} | {own.as_posix() for own in left if own}

        def is_gone(place: str) -> bool:
            return self._keeper.is_ours and place not in places and not place.startswith(hidden)

        still = self._to_note(before, now)
        ledger.note(self._store, self.folder, still, is_gone)
        folders.saw(self._store, self.folder, aside.unreadable)
        self._keeper.take_up(self._store, self._folder, aside.left)
        if folders.is_to_compare(self._store, self.folder, COMPARE_EVERY):
            self._compare()
        return Pass(found=len(now), moving=len(now) - len(still), others=aside.others)

    def _to_note(self, before: Sequence[Seen], now: Sequence[Seen]) -> list[Seen]:
        """Return what stood still since an earlier look, and what did not for so long that it is taken as it is."""
        still, moment = set(before), self._monotonic()
        self._moving = {seen.place: self._moving.get(seen.place, moment) for seen in now if seen not in still}
        limit = moment - self._settings.aqr_restless_seconds
        self._restless = {place for place, since in self._moving.items() if since <= limit}
        return [seen for seen in now if seen in still or seen.place in self._restless]

    def _compare(self) -> None:
        """Find what was sent and has other bytes by now, although neither its size nor its date tell."""
        for file in ledger.files(self._store, self.folder, FileState.SENT):
            seen = Seen(file.place, file.size, file.modified_ns)
            with suppress(ChangedError, OSError):
                if files.digest(self._folder, seen) != file.sha256:
                    ledger.renew(self._store, file, seen)

    def _hold(self) -> None:
        tenants.hold(self._store, ASSESSMENTQ, self._client.transport.endpoint.url)

    @contextmanager
    def _alone(self, file: ResultFile, done: Pass) -> Iterator[None]:
        """Let what is wrong with one file be no matter of the others."""
        try:
            yield
        except (GradewayError, SQLAlchemyError):
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the other files can be sent
            ledger.put_off(self._store, file.id)
            self._sender.tell(done, file, f"cannot be dealt with: {type(error).__name__}", "the next pass tries again")

    def _try(self, file: ResultFile, done: Pass) -> bool:
        """Send a file; return whether to go on with others, although this one may have failed."""
        is_reached = True
        try:
            with self._alone(file, done):
                is_reached = self.send(file, done)
        except (VendorAnswerError, VendorRefusedError) as error:
            if is_for_all(error):
                ledger.reach(self._store, online=True, detail=str(error))
                raise
            return self._sender.blame(error, file, done)
        return is_reached

    def _learn_ends(self, done: Pass) -> None:
        """Ask now and then for results: an upload's answer may not tell the end, or another route have brought it."""
        # What was sent a moment ago may be of an exam that goes on, and all its computers would ask at once.
        before = clock.now() - LEARN_AFTER
        sent = ledger.files(self._store, self.folder, FileState.SENT, FileState.GONE)
        sent = [file for file in sent if file.sitting and file.sent_at and file.sent_at <= before]
        # What was taken away is no loss any more once its exam has ended.
        sent = [file for file in sent if file.state == FileState.SENT or file.detail]
        if not sent or not done.online or self._monotonic() < self._learn_at:
            return
        pause = LEARN_EVERY
        try:
            ended = {result.sitting for result in self._client.results(self._since(sent)) if result.is_final}
        except VendorAwayError as error:
            self._sender.is_offline(done, str(error))
            return
        except VendorError as error:
            if isinstance(error, VendorRefusedError) and error.is_forbidden:
                pause = LEARN_ANYWAY  # such an account may only upload
            done.troubles.append(f"the results cannot be read: {error}; until then what has ended is not put away")
        else:
            ledger.reach(self._store, online=True)
            ledger.sittings_ended(self._store, ended)
        self._learn_at = self._monotonic() + pause

    def _since(self, sent: Sequence[ResultFile]) -> datetime | None:
        """Return by the server's clock since when the end of what was sent can be known; None for always."""
        now, passed = self._client.service_time, clock.now() - min(file.sent_at or clock.now() for file in sent)
        return now - passed - OVERLAP if now and passed >= timedelta(0) else None

    def send(self, file: ResultFile, done: Pass) -> bool:
        """Send a file if its bytes were never sent; return whether the system can be reached."""
        if not file.size:
            if (self._folder / file.place).exists():
                self._sender.tell(done, file, "is empty", "look at the exam's own computer, and what was done there")
            return True
        with ExitStack() as held:
            try:
                content = self._content(file, held)
            except ChangedError:
                log.info("file %d changed or went away; the next pass looks again", file.id)
                return True
            except OSError as error:
                self._tell_of_unread(error, file, done)
                return True
            self._hold()  # somebody may have forgotten it since the last file
            return self._sender.send(file, content, done)

    def _content(self, file: ResultFile, held: ExitStack) -> Content:
        """Return the bytes of a file; a copy of them if it does not stand still, or its exam's player may replace it.

        Sending may last longer than the player leaves it alone, and what is open cannot be replaced everywhere.
        Where there is no room for a copy, what stands still is sent from the file itself.
        """
        seen, is_restless = Seen(file.place, file.size, file.modified_ns), file.place in self._restless
        if self._keeper.collects and not is_restless:
            return self._itself(seen)
        copy = held.enter_context(SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115  it is closed by whoever holds it
        try:
            if is_restless:
                seen, sha256 = files.copy(self._folder, file.place, copy)
                ledger.renew(self._store, file, seen)
                self._moving[file.place] = self._monotonic()  # the next copy is made after as long a time
            else:
                sha256 = files.digest(self._folder, seen, copy)
        except OSError as error:
            with suppress(OSError):  # it writes what it still has
                copy.close()
            if is_restless or error.errno != errno.ENOSPC:
                raise
            return self._itself(seen)
        copy.seek(0)
        return Content(seen, sha256, lambda: cast("BinaryIO", copy))

    def _itself(self, seen: Seen) -> Content:
        return Content(seen, files.digest(self._folder, seen), partial(files.open_file, self._folder / seen.place))

    def _tell_of_unread(self, error: OSError, file: ResultFile, done: Pass) -> None:
        what, remedy = f"cannot be read: {error.strerror}", "the next pass tries again"
        if error.errno == errno.ENOSPC:
            what, remedy = f"finds no room for a copy in {gettempdir()}", "make room there"
        self._sender.tell(done, file, what, remedy)

    def _time(self) -> datetime | None:
        """Return the server's time; where it does not tell it, ours, and None if it cannot be asked."""
        if self._client.service_time is None:
            try:
                self._client.probe()
            except VendorError:
                return None
        return self._client.service_time or clock.now()

    def put_away(self, done: Pass) -> None:
        """Put away what the server knows to have ended, and delete what was put away long enough ago."""
        now, tell = self._client.service_time, partial(self._sender.tell, done)
        ledger.results_ended(self._store)
        order.overtaken(self._store)
        for file in order.replaced(self._store, self.folder):
            self._sender.tell(done, file, order.REPLACED, f"have it sent from {file.folder} again")
        for file in folders.lost(self._store, self.folder):
            self._sender.tell(done, file, "was never sent and is gone", "look for a copy of it")
        self._tell_of_unreadable(done)
        self._tell_of_endless(done)
        for file in ledger.files(self._store, self.folder, FileState.FINAL):
            with self._alone(file, done):
                done.kept += self._keeper.put_away(self._store, self._folder, file, now, tell)
        done.purged = self._keeper.purge(self._store, self._folder, self._settings, self._time)

    def _tell_of_unreadable(self, done: Pass) -> None:
        count, is_fresh = folders.unreadable(self._store, self.folder)
        done.fresh += is_fresh
        if count:
            what = f"{count} folders in {self.folder} cannot be read, and what is in them is not sent"
            done.troubles.append(f"{what}: let Gradeway read them, or take them away")

    def _tell_of_endless(self, done: Pass) -> None:
        days = self._settings.aqr_alert_days
        limit = clock.now() - timedelta(days=days)
        for file in ledger.files(self._store, self.folder, FileState.SENT):
            if file.sent_at and file.sent_at < limit and not file.dismissed_at:
                what = f"was sent more than {days} days ago, and nobody knows its exam to have ended"
                self._sender.tell(done, file, what, "look at the sitting in assessmentQ, and for a newer file")

    def _is_news(self, found: Sequence[Seen]) -> bool:
        known = {
            (row.place, row.size, row.modified_ns)
            for row in ledger.files(self._store, self.folder, FileState.SENT, FileState.REFUSED, FileState.FINAL)
        }
        return any((seen.place, seen.size, seen.modified_ns) not in known for seen in found)
