"""The grade intake: what one sweep of the landing zone does, step by step.

The DAG's tasks and the command line call these same methods. Each can be repeated at any time by
any number of workers: what is done stays done, what was interrupted is taken up again.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from gradeway import clock, feeds
from gradeway.checks.rejects import write_rejects
from gradeway.checks.report import report, write_report
from gradeway.errors import (
    BatchFailedError,
    FileDefectError,
    GradewayError,
    LandingError,
    LostClaimError,
    ReportsDueError,
    SettingsError,
)
from gradeway.landing import claim, keep
from gradeway.landing.zone import Zone
from gradeway.loading import batch as loading
from gradeway.loading import undo as undoing
from gradeway.loading.undo import Undone
from gradeway.reasons import Finding, Reason
from gradeway.redact import trail
from gradeway.settings import Settings
from gradeway.store import ledger
from gradeway.store.engine import Store, is_away
from gradeway.store.ledger import Tally
from gradeway.store.models import Batch, BatchState

log = logging.getLogger(__name__)

Progress = Callable[[str], None]


@dataclass
class Sweep:
    """What one sweep did: the batches it finished, how many waiting rows it released, what failed."""

    batches: list[int] = field(default_factory=list)
    released: int = 0
    failed: list[GradewayError] = field(default_factory=list)


class Intake:
    """One installation's landing zone and store.

    Raises:
        LandingError: the landing zone cannot be used.
        StoreError: the store cannot be reached or is of another version.
    """

    def __init__(self, settings: Settings) -> None:
        feeds.check(settings)
        self.settings = settings
        self.store = Store(settings.database_url).ready()
        self.zone = Zone(settings.landing)
        self.zone.prepare(feeds.INBOXES)

    def sweep(self, progress: Progress = log.info, inbox: str = "") -> Sweep:
        """Take what has landed (in one inbox, if one is named), load it in stage order, write the reports."""
        done = Sweep()
        progress("looking at the inbox")
        self.claim(inbox)
        for stage in feeds.stages(inbox):
            self.release(stage, done)
            for batch_id in self.waiting(stage):
                progress(f"loading batch {batch_id}")
                try:
                    self.process(batch_id)
                except BatchFailedError as error:
                    done.failed.append(error)
            self.release(stage, done)
        progress("writing reports")
        try:
            done.batches = self.finish()
        except ReportsDueError as error:
            done.batches = error.done
            done.failed.append(error)
        return done

    def claim(self, inbox: str = "") -> list[int]:
        """Take the settled files out of the inboxes, or out of one; return their batch numbers."""
        families = [inbox] if inbox else feeds.INBOXES
        return [batch for family in families for batch in claim.claim_all(self.zone, family, self.store, self.settings)]

    def waiting(self, stage: int) -> list[int]:
        """Return the claimed batches of a stage, oldest first."""
        return ledger.open_batches(self.store, [name for name, spec in feeds.FEEDS.items() if spec.stage == stage])

    def process(self, batch_id: int) -> bool:
        """Load one claimed batch; returns False if another worker has it or had it.

        Raises:
            BatchFailedError: something unexpected happened; after as many failures as the
                settings allow, the file is refused instead.
        """
        with self.store.session() as session:
            batch = ledger.get(session, batch_id)
            folder, is_open = self.zone.root / batch.place, batch.state == BatchState.CLAIMED
        if not is_open:
            return False
        if not folder.exists():
            return self._load(batch_id, folder)  # somebody removed what was claimed: the failure is counted
        with claim.own(folder) as owned:
            return owned and self._load(batch_id, folder)

    def _load(self, batch_id: int, folder: Path) -> bool:
        def load() -> int:
            loading.load(self.store, self.settings, batch_id, claim.content(folder))
            return 1

        def refuse(what: str) -> None:
            ledger.refuse(self.store, batch_id, Finding(Reason.PROCESSING_FAILED, None, "", what))

        return bool(self._attempt(batch_id, load, refuse))

    def _attempt(self, batch_id: int, work: Callable[[], int], give_up: Callable[[str], None]) -> int:
        """Do some work on a batch and count its failures; after the last that is allowed, give up.

        Returns what the work returned, or 0 if another worker did it.

        Raises:
            BatchFailedError: it failed and may be tried again.
        """
        try:
            return work()
        except LostClaimError:
            return 0
        except SettingsError:
            raise  # it says nothing against the file
        except Exception as error:
            if isinstance(error, DBAPIError) and is_away(error):
                raise
            what = type(error).__name__
            log.error("batch %d failed: %s", batch_id, trail(error))
            # a disk or network in trouble says nothing against the file
            trouble = isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
            if trouble or ledger.note_failure(self.store, batch_id, what) < self.settings.attempts:
                raise BatchFailedError(batch_id, what) from None
            give_up(what)
            return 1

    def release(self, stage: int, done: Sweep) -> None:
        """Load the waiting rows of a stage whose parents are there now.

        A batch whose rows cannot be loaded keeps no other from loading; after as many failures as
        the settings allow its rows are rejected.
        """
        for batch_id in loading.releasable(self.store, self.settings, stage):
            try:
                done.released += self._attempt(
                    batch_id,
                    partial(loading.release, self.store, self.settings, batch_id),
                    partial(loading.give_up, self.store, self.settings, batch_id),
                )
            except BatchFailedError as error:
                done.failed.append(error)

    def finish(self) -> list[int]:
        """Keep the bytes and write the outputs of every batch that is due; return their numbers.

        Raises:
            ReportsDueError: some outputs could not be written; they stay due, the others are done.
        """
        return self._finish_all(ledger.due_reports(self.store))

    def _finish_all(self, batches: Iterable[int]) -> list[int]:
        done, troubles = [], []
        for batch_id in batches:
            try:
                done += [batch_id] if self._finish(batch_id) else []
            except Exception as error:
                if isinstance(error, DBAPIError) and is_away(error):
                    raise
                log.error("the outputs of batch %d failed: %s", batch_id, trail(error))
                troubles.append(f"batch {batch_id}: {getattr(error, 'strerror', None) or type(error).__name__}")
        if troubles:
            raise ReportsDueError(done, troubles)
        return done

    def _finish(self, batch_id: int) -> bool:
        with self.store.session() as session:
            batch = ledger.get(session, batch_id)
            session.expunge_all()
        kept = self._keep(batch)
        if kept is None:
            return False
        if batch.loaded_at and kept.is_file() and kept.stat().st_size > batch.size:
            ledger.note_growth(self.store, batch_id)
        with self.store.session() as session:
            batch = ledger.get(session, batch_id)
            content, counts = report(session, batch), ledger.outcome(batch)
            findings = ledger.findings_of(session, batch_id)
            session.expunge_all()
        folder = self.report_folder(batch)
        write_report(folder, content, self.settings)
        if content["reject_file"] and kept.is_file():
            self._write_rejects(batch, kept, folder / content["reject_file"], findings)
        place = "" if batch.undo_of else str(kept.relative_to(self.zone.root))
        ledger.reported(self.store, batch_id, place, counts)
        return True

    def _write_rejects(self, batch: Batch, kept: Path, target: Path, findings: list[Finding]) -> None:
        spec = feeds.FEEDS[batch.feed]
        try:
            write_rejects(lambda: claim.open_plain(kept, kept=True), findings, target, spec, self.settings)
        except FileDefectError as defect:
            # the settings changed since the file was read: what was written then is the best there is
            log.warning("the reject file of batch %d is not renewed: %s", batch.id, defect)

    def _keep(self, batch: Batch) -> Path | None:
        """Move a batch's bytes to where they stay, unless another worker is at it."""
        place = self.zone.root / batch.place
        if place.parent != self.zone.claimed:
            return place
        refused = batch.state == BatchState.REFUSED
        target = self.zone.kept(batch.id, batch.file_name, batch.claimed_at.date(), refused=refused)
        with claim.own(place) as owned:
            if not owned and place.exists():
                return None
            # what is not read of a file is a password, for one
            private = batch.feed in feeds.FEEDS and bool(feeds.FEEDS[batch.feed].unread)
            return keep.keep(self.zone, batch.place, target, batch.sha256, private=private)

    def report_folder(self, batch: Batch) -> Path:
        """Return the folder of a batch's report and reject file."""
        return self.zone.report(batch.id, batch.file_name, batch.claimed_at.date())

    def replay(self, batch_id: int) -> int:
        """Take a batch's kept bytes in again as a new batch; return its number.

        Raises:
            UnknownBatchError: there is no such batch.
            LandingError: its bytes are no longer kept, or were never readable.
        """
        with self.store.session() as session:
            batch = ledger.get(session, batch_id)
            session.expunge_all()
        source = self.bytes_of(batch)
        folder = self.zone.claimed / f"{feeds.FEEDS[batch.feed].inbox}-{uuid.uuid4().hex}"
        folder.mkdir()
        with claim.own(folder):
            claim.copy(source, folder / source.name)
            again = Batch(
                feed=batch.feed,
                file_name=batch.file_name,
                sha256=batch.sha256,
                size=batch.size,
                state=BatchState.CLAIMED,
                place=str(folder.relative_to(self.zone.root)),
                claimed_at=clock.now(),
                replay_of=batch.id,
            )
            return ledger.enter(self.store, again)

    def undo(self, batch_id: int, *, dry_run: bool = False) -> Undone:
        """Take a batch back; in a dry run only tell what that would do.

        The reports of the batch and of its undo are due then.

        Raises:
            UnknownBatchError: there is no such batch.
            UndoRefusedError: it cannot be undone; nothing was changed.
        """
        return undoing.undo(self.store, self.settings, batch_id, dry_run=dry_run)

    def rehearse(self, path: Path, feed: str) -> Tally:
        """Return what loading a file would do now, and change nothing.

        Raises:
            FileDefectError: the file cannot be used as a whole.
        """
        return loading.rehearse(self.store, self.settings, feeds.FEEDS[feed], path)

    def bytes_of(self, batch: Batch) -> Path:
        """Return the file with a batch's landed bytes.

        Raises:
            LandingError: their retention is over, or no feed takes them; or it is an undo, which has none.
        """
        if batch.undo_of:
            msg = (
                f"batch {batch.id} is the undo of batch {batch.undo_of} and has no bytes: replay batch {batch.undo_of}"
            )
            raise LandingError(msg)
        place = self.zone.root / batch.place
        path = claim.content(place) if place.is_dir() else place
        unread = batch.feed not in feeds.FEEDS or batch.sha256.startswith(claim.UNREAD)
        if unread or not path.is_file():
            msg = f"the bytes of batch {batch.id} cannot be read again: retention is over or no feed takes them"
            raise LandingError(msg)
        return path

    def tidy(self) -> dict[str, Any]:
        """Reject rows that waited too long, delete what is past its retention; return the counts."""
        expired = loading.expire(self.store, self.settings)
        self._finish_all(expired)  # and no others: a running sweep may still want to see them due
        from gradeway.custody import purge as custody
        from gradeway.publish import purge
        from gradeway.sessions import outbox  # brings the vendors' clients, which nothing else here needs

        before = clock.now() - timedelta(days=self.settings.report_days)
        counts = {"expired": sum(expired.values()), "intents": outbox.purge(self.store, before)}
        counts |= purge.purge(self.store, before) | custody.purge(self.store, before)
        return counts | keep.purge(self.zone, self.settings, clock.now().date())
