"""Custody of one folder of result files: find, send, settle, put away; one pass can be repeated at any time.

That the assessment system cannot be reached is no failure: what waits goes on waiting, and the next
pass begins where this one stopped.
Source: Televic, Uploading the result files: a file may be uploaded again and again while its exam goes
on, and not any more once it was uploaded with the exam finished.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from gradeway.custody import files, ledger
from gradeway.custody.files import ChangedError, Seen
from gradeway.custody.keep import Keeper
from gradeway.custody.ledger import Claim
from gradeway.errors import (
    FileChangedError,
    FileRefusedError,
    UnknownOutcomeError,
    VendorAnswerError,
    VendorAwayError,
    VendorRefusedError,
)
from gradeway.settings import Settings
from gradeway.store import tenants
from gradeway.store.custody import ASSESSMENTQ, FileState, ResultFile, UploadState
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import AssessmentQ, Received, ReceivedState

log = logging.getLogger(__name__)

STATES = {
    ReceivedState.IN_PROGRESS: UploadState.IN_PROGRESS,
    ReceivedState.FINAL: UploadState.FINAL,
    ReceivedState.ALREADY_FINAL: UploadState.ALREADY_FINAL,
}


@dataclass
class Pass:
    """What one pass did: how many uploads ended how, how many files were put away, and what needs a person."""

    online: bool = True
    found: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    purged: int = 0
    troubles: list[str] = field(default_factory=list)


class Custody:
    """The result files of one folder, and the system they go to; ``keeper`` puts away what has ended there."""

    def __init__(self, store: Store, client: AssessmentQ, settings: Settings, folder: Path, keeper: Keeper) -> None:
        self._store, self._client, self._settings = store, client, settings
        self._folder, self._keeper = folder, keeper
        self._name = str(folder)
        self._grace = timedelta(seconds=settings.aqr_grace_seconds)

    def once(self, *, sleep: Callable[[float], None] = time.sleep) -> Pass:
        """Look twice, and take what did not change between."""
        return self.go_on(self._first_look(sleep))

    def find(self, *, sleep: Callable[[float], None] = time.sleep) -> list[int]:
        """Look twice, and return what is to be sent, those that wait longest first."""
        self.note(self._first_look(sleep), Pass())
        return [file.id for file in ledger.files(self._store, self._name, FileState.WAITING)]

    def send_some(self, ids: Collection[int]) -> Pass:
        """Send some of the files that wait, and leave putting away to who sent them all."""
        done = Pass()
        for file in ledger.files(self._store, self._name, FileState.WAITING):
            if file.id in ids and not self.send(file, done):
                break
        return done

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
        done = Pass()
        self.note(before, done)
        for file in ledger.files(self._store, self._name, FileState.WAITING):
            if not self.send(file, done):
                break
        self.put_away(done)
        return done

    def note(self, before: Sequence[Seen], done: Pass) -> None:
        """Note what is there, and did not change since an earlier look."""
        tenants.hold(self._store, ASSESSMENTQ, self._client.transport.endpoint.url)
        now = files.look(self._folder)
        done.found = len(now)
        still = {seen for seen in before if seen.size}  # an empty file is one that is about to be written
        ledger.note(self._store, self._name, [seen for seen in now if seen in still], {seen.place for seen in now})

    def send(self, file: ResultFile, done: Pass) -> bool:
        """Send a file if its bytes were never sent; return whether the system can be reached."""
        seen = Seen(file.place, file.size, file.modified_ns)
        try:
            sha256 = files.digest(self._folder, seen)
        except ChangedError:
            log.info("file %d changed or went away; the next pass looks again", file.id)
            return True
        except OSError as error:
            done.troubles.append(f"file {file.id} cannot be read: {error.strerror}; the next pass tries again")
            return True
        claimed = ledger.claim(self._store, file, sha256, self._grace)
        if claimed.claim is Claim.ENDED and claimed.upload:
            done.outcomes[f"{claimed.upload.state} before"] += 1
        elif claimed.claim is Claim.SEND:
            return self._send(file, seen, sha256, done)
        elif claimed.claim is Claim.ASK:
            return self._ask(file, seen, sha256, done)
        return True

    def _ask(self, file: ResultFile, seen: Seen, sha256: str, done: Pass) -> bool:
        """Find out what became of an upload without an answer; send again what had no effect."""
        try:
            found = self._client.received(sha256) if self._client.can_ask else None
        except VendorAwayError as error:
            return self._is_away(error, done)
        if found:
            self._end(file, sha256, found, done)
            return True
        if ledger.send_again(self._store, sha256, self._grace):
            return self._send(file, seen, sha256, done)
        done.outcomes[UploadState.UNKNOWN] += 1
        return True

    def _send(self, file: ResultFile, seen: Seen, sha256: str, done: Pass) -> bool:
        path = self._folder / seen.place
        try:
            received = self._client.upload(partial(files.open_file, path), path.name, seen.size, sha256)
        except (ChangedError, FileChangedError):
            ledger.give_up(self._store, sha256)
            log.info("file %d changed while it was sent; the next pass looks again", file.id)
        except VendorAwayError as error:
            ledger.give_up(self._store, sha256)
            return self._is_away(error, done)
        except UnknownOutcomeError as error:
            ledger.ended(self._store, file.id, sha256, UploadState.UNKNOWN, detail=str(error))
            done.outcomes[UploadState.UNKNOWN] += 1
        except VendorAnswerError as error:  # the file may have been taken, and the next would get the same answer
            ledger.ended(self._store, file.id, sha256, UploadState.UNKNOWN, detail=str(error))
            raise
        except FileRefusedError as error:
            ledger.ended(self._store, file.id, sha256, UploadState.REFUSED, detail=str(error))
            done.outcomes[UploadState.REFUSED] += 1
            done.troubles.append(f"file {file.id} is refused: {error}")
        except VendorRefusedError:  # of our account: it surely took nothing
            ledger.give_up(self._store, sha256)
            raise
        else:
            self._end(file, sha256, received, done)
        return True

    def _end(self, file: ResultFile, sha256: str, received: Received, done: Pass) -> None:
        state = STATES[received.state]
        ledger.ended(self._store, file.id, sha256, state, received.sitting)
        ledger.reach(self._store, online=True)
        done.outcomes[state] += 1

    def _is_away(self, error: VendorAwayError, done: Pass) -> bool:
        ledger.reach(self._store, online=False, detail=str(error))
        done.online = False
        return False

    def put_away(self, done: Pass) -> None:
        """Put away what the server knows to have ended, and delete what was put away long enough ago."""
        for file in ledger.files(self._store, self._name, FileState.FINAL):
            done.kept += self._keeper.put_away(self._store, self._folder, file, done.troubles)
        done.purged = self._keeper.purge(self._store, self._folder, self._settings)

    def _is_news(self, found: Sequence[Seen]) -> bool:
        known = {
            (row.place, row.size, row.modified_ns)
            for row in ledger.files(self._store, self._name, FileState.SENT, FileState.REFUSED, FileState.FINAL)
        }
        return any(seen.size and (seen.place, seen.size, seen.modified_ns) not in known for seen in found)
