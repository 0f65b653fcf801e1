"""Sending the bytes of result files: each once, whatever the network does, and what the server said of them.

Source: Televic, Uploading the result files: a file may be uploaded again and again while its exam goes
on, and not any more once it was uploaded with the exam finished.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from gradeway.custody import ledger
from gradeway.custody.files import ChangedError, Seen
from gradeway.custody.ledger import Claim
from gradeway.errors import (
    FileChangedError,
    FileRefusedError,
    UnknownOutcomeError,
    VendorAnswerError,
    VendorAwayError,
    VendorError,
    VendorRefusedError,
)
from gradeway.store.custody import ResultFile, UploadState
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import AssessmentQ, Received, ReceivedState

log = logging.getLogger(__name__)

MOST_VAIN = 3  # files in a row, after which it is the server and not a file
MOST_TRIES = 5  # of the same bytes, after which a person is told
ELSEWHERE = "ended elsewhere: the server has the finished exam, and not these bytes"
ELSEWHERE_OR_NOT = "ended elsewhere: the server has the finished exam, and cannot be asked whether with these bytes"
AGAIN = "it is tried again, less and less often"
STATES = {
    ReceivedState.IN_PROGRESS: UploadState.IN_PROGRESS,
    ReceivedState.FINAL: UploadState.FINAL,
    ReceivedState.ALREADY_FINAL: UploadState.ALREADY_FINAL,
}


@dataclass
class Pass:
    """What one pass did: how many uploads ended how, how many files were put away, and what needs a person.

    ``offline`` says why the server could not be reached, ``wait`` for how many seconds it asked to be left alone,
    ``vain`` how many tries in a row got no usable answer, ``answered`` whether any got one, and ``blamed`` the
    errors, by file, that may be those of our account or profile. ``fresh`` counts the troubles with files that
    nobody was told of before, ``moving`` the files that did not stand still between two looks, and so were left,
    ``others`` those that end otherwise, which are not sent.
    """

    online: bool = True
    offline: str = ""
    wait: float = 0
    vain: int = 0
    answered: bool = False
    blamed: dict[int, VendorError] = field(default_factory=dict)
    fresh: int = 0
    found: int = 0
    moving: int = 0
    others: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    purged: int = 0
    troubles: list[str] = field(default_factory=list)


class Beat:
    """Does something now and then while something else goes on, at most once in so many seconds."""

    def __init__(self, action: Callable[[], object], seconds: float, monotonic: Callable[[], float]) -> None:
        self._action, self._seconds, self._monotonic = action, seconds, monotonic
        self._next = monotonic() + seconds

    def __call__(self) -> None:
        """Do it if it is time."""
        if (now := self._monotonic()) >= self._next:
            self._action()
            self._next = now + self._seconds


@dataclass(frozen=True)
class Content:
    """The bytes of a file as they are sent, and where in its folder they are or were a moment ago."""

    seen: Seen
    sha256: str
    open: Callable[[], BinaryIO]


class Sender:
    """Sends the bytes of files to a system, and notes what it says; ``asks_first`` if others may have sent the same."""

    def __init__(self, store: Store, client: AssessmentQ, grace: timedelta, *, asks_first: bool) -> None:
        self._store, self._client, self._grace = store, client, grace
        self._asks_first = asks_first and client.can_ask

    def tell(self, done: Pass, file: ResultFile, what: str, remedy: str) -> None:
        """Say what a person should know of a file, here and in the store."""
        if file.detail != what:
            ledger.remark(self._store, file.id, what)
            done.fresh += 1
        done.troubles.append(f"file {file.id} {what}; {remedy}")

    def blame(self, error: VendorError, file: ResultFile, done: Pass) -> bool:
        """Note an answer that may be about the file or about all of them; return whether to try others."""
        done.blamed[file.id] = error
        ledger.put_off(self._store, file.id)
        self.tell(done, file, f"is not taken: {error}", AGAIN)
        done.vain += 1
        return done.vain < MOST_VAIN

    def send(self, file: ResultFile, content: Content, done: Pass) -> bool:
        """Send bytes if they were never sent, else ask what became of them; return whether the system can be reached.

        Raises:
            VendorAnswerError, VendorRefusedError: it is not known whether that is about the file or about all.
        """
        claimed = ledger.claim(self._store, file, content.sha256, self._grace)
        if claimed.claim is Claim.ENDED and claimed.upload:
            done.outcomes[f"{claimed.upload.state} before"] += 1
        elif claimed.claim is Claim.SEND:
            return self._send_first(file, content, done)
        elif claimed.claim is Claim.ASK:
            return self._ask(file, content, done)
        elif claimed.claim is Claim.AGAIN and (began := self._take_over(content)):
            return self._send(file, content, done, began)
        elif file.detail:
            done.troubles.append(f"file {file.id} {file.detail}; {AGAIN}")
        return True

    def _send_first(self, file: ResultFile, content: Content, done: Pass) -> bool:
        """Send bytes that we never sent, unless the server has them from somebody else.

        Raises:
            VendorError: as `send`; nothing is sent.
        """
        if not self._asks_first:
            return self._send(file, content, done)
        try:
            found = self._client.received(content.sha256)
        except VendorError as error:
            ledger.give_up(self._store, content.sha256)
            if not isinstance(error, VendorAwayError):
                raise
            return self._is_away(error, file, done)
        if found is None:  # asking may have lasted so long that another worker took us for dead
            return not ledger.is_still_ours(self._store, content.sha256) or self._send(file, content, done)
        self._end(file, content.sha256, found, done, ours=False)
        return True

    def _take_over(self, content: Content) -> int:
        return ledger.send_again(self._store, content.sha256, self._grace)

    def _ask(self, file: ResultFile, content: Content, done: Pass) -> bool:
        """Find out what became of an upload without an answer; send again what had no effect."""
        try:
            found = self._client.received(content.sha256) if self._client.can_ask else None
        except VendorAwayError as error:
            return self._is_away(error, file, done)
        if found:
            self._end(file, content.sha256, found, done)
            return True
        if began := self._take_over(content):
            return self._send(file, content, done, began)
        done.outcomes[UploadState.UNKNOWN] += 1
        return self._in_vain(file, done, "an upload got no answer")

    def _send(self, file: ResultFile, content: Content, done: Pass, began: int = 0) -> bool:
        name, sha256 = Path(content.seen.place).name, content.sha256
        every, monotonic = self._grace.total_seconds() / 4, self._client.transport.manners.monotonic
        beat = Beat(lambda: ledger.still_sending(self._store, sha256), every, monotonic)
        try:
            received = self._client.upload(content.open, name, content.seen.size, sha256, beat)
        except (ChangedError, FileChangedError):
            ledger.give_up(self._store, sha256)
            log.info("file %d changed while it was sent; the next pass looks again", file.id)
        except VendorAwayError as error:
            ledger.give_up(self._store, sha256)
            return self._is_away(error, file, done)
        except UnknownOutcomeError as error:
            return self._is_unknown(error, file, sha256, done)
        except FileRefusedError as error:
            self._refuse(error, file, sha256, done)
        except (VendorAnswerError, VendorRefusedError) as error:
            if is_for_all(error):  # it surely took nothing
                ledger.give_up(self._store, sha256)
            else:
                ledger.ended(self._store, file.id, sha256, UploadState.UNKNOWN, detail=str(error))
            raise
        else:
            return self._answered(received, file, sha256, done, began)
        return True

    def _answered(self, received: Received, file: ResultFile, sha256: str, done: Pass, began: int) -> bool:
        if received.state is ReceivedState.ALREADY_FINAL:
            return self._end_elsewhere(file, sha256, done, is_first=not began)
        self._end(file, sha256, received, done, began=began)
        return True

    def _is_unknown(self, error: UnknownOutcomeError, file: ResultFile, sha256: str, done: Pass) -> bool:
        tries = ledger.ended(self._store, file.id, sha256, UploadState.UNKNOWN, detail=str(error))
        done.outcomes[UploadState.UNKNOWN] += 1
        if tries >= MOST_TRIES:
            what = f"was sent {MOST_TRIES} times or more, and no answer came"
            self.tell(
                done, file, what, "see in assessmentQ whether it is there; it is tried again, less and less often"
            )
        return self._in_vain(file, done, str(error))

    def _refuse(self, error: FileRefusedError, file: ResultFile, sha256: str, done: Pass) -> None:
        ledger.ended(self._store, file.id, sha256, UploadState.REFUSED, detail=str(error))
        done.outcomes[UploadState.REFUSED] += 1
        done.troubles.append(f"file {file.id} is refused: {error}")
        done.fresh += 1
        done.answered, done.vain = True, 0

    def _end(
        self,
        file: ResultFile,
        sha256: str,
        received: Received,
        done: Pass,
        *,
        began: int = 0,
        ours: bool = True,
        detail: str = "",
    ) -> None:
        state = STATES[received.state]
        ledger.ended(self._store, file.id, sha256, state, received.sitting, detail, began=began, ours=ours)
        ledger.reach(self._store, online=True)
        done.outcomes[state] += 1
        done.answered, done.vain = True, 0
        if detail:
            done.troubles.append(f"file {file.id} {detail}: compare the two")
            done.fresh += 1

    def _end_elsewhere(self, file: ResultFile, sha256: str, done: Pass, *, is_first: bool) -> bool:
        """Note that the server has the finished exam; with which bytes, it is asked.

        Where it does not say, the upload stays without an answer, and is asked about by the next pass.
        """
        detail = ELSEWHERE_OR_NOT if is_first else ""  # else an earlier try may have brought them
        if self._client.can_ask:
            try:
                detail = "" if self._client.received(sha256) else ELSEWHERE
            except VendorError as error:
                ledger.ended(self._store, file.id, sha256, UploadState.UNKNOWN, detail=str(error))
                if not isinstance(error, VendorAwayError):
                    raise
                done.outcomes[UploadState.UNKNOWN] += 1
                return self._is_away(error, file, done)
        self._end(file, sha256, Received(ReceivedState.ALREADY_FINAL), done, detail=detail)
        return True

    def _is_away(self, error: VendorAwayError, file: ResultFile, done: Pass) -> bool:
        done.wait = max(done.wait, error.wait or 0)
        # A server that answers may have trouble with this file only, unless it asks to be left alone.
        if error.status is not None and not error.wait:
            return self._in_vain(file, done, str(error))
        return self.is_offline(done, str(error))

    def _in_vain(self, file: ResultFile, done: Pass, detail: str) -> bool:
        """Let other files go first from now on; return whether to go on with them."""
        ledger.put_off(self._store, file.id)
        done.vain += 1
        return done.vain < MOST_VAIN or self.is_offline(done, detail)

    def is_offline(self, done: Pass, detail: str) -> bool:
        """Note that the system cannot be reached; return that."""
        ledger.reach(self._store, online=False, detail=detail, wait=done.wait)
        done.online, done.offline = False, detail
        return False


def is_for_all(error: VendorError) -> bool:
    """Return whether any other file would end so too."""
    return isinstance(error, VendorRefusedError) and error.is_for_all


def is_no(error: VendorError) -> bool:
    """Return whether the system said that it did not take a file, and not why."""
    return error.status is not None and 400 <= error.status < 500
