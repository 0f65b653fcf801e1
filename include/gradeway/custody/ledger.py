"""What the store knows of result files and of their uploads; each function is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.custody.files import Seen
from gradeway.store.custody import ASSESSMENTQ, FileState, Reach, ResultFile, ResultUpload, UploadState
from gradeway.store.engine import Store

OPEN = (FileState.WAITING, FileState.SENT, FileState.REFUSED)
RECEIVED = (UploadState.IN_PROGRESS, UploadState.FINAL, UploadState.ALREADY_FINAL)
STATES = {
    UploadState.IN_PROGRESS: FileState.SENT,
    UploadState.FINAL: FileState.FINAL,
    UploadState.ALREADY_FINAL: FileState.FINAL,
    UploadState.REFUSED: FileState.REFUSED,
}


class Claim(Enum):
    """What is to be done about some bytes: send them, ask what became of them, or nothing, now or for good."""

    SEND = "send"
    ASK = "ask"
    LATER = "later"
    ENDED = "ended"


class Claimed(NamedTuple):
    """A claim, and what the server said of these bytes where it has ended."""

    claim: Claim
    upload: ResultUpload | None = None


def note(store: Store, folder: str, found: Sequence[Seen], places: Collection[str]) -> None:
    """Note what a look at a folder showed: new files, changed ones, and, by all places, those that are gone."""
    try:
        with store.writing() as session:
            _note(session, folder, found, places)
    except IntegrityError:
        note(store, folder, found, places)  # another worker noted a file first


def _note(session: Session, folder: str, found: Sequence[Seen], places: Collection[str]) -> None:
    now = clock.now()
    known = {row.place: row for row in session.scalars(_of(folder).where(ResultFile.kept_as == ""))}
    for seen in found:
        row = known.pop(seen.place, None)
        if row is None:
            session.add(ResultFile(folder=folder, place=seen.place, found_at=now, **_new(seen, now)))
        elif (row.size, row.modified_ns) != (seen.size, seen.modified_ns) or row.state == FileState.GONE:
            _set(row, **_new(seen, row.waiting_since or now))
    for row in known.values():
        if row.state in OPEN and row.place not in places:
            _set(row, state=FileState.GONE, detail="somebody took it away before its exam was known to have ended")


def _of(folder: str) -> Select[tuple[ResultFile]]:
    return select(ResultFile).where(ResultFile.folder == folder)


def _new(seen: Seen, since: datetime) -> dict[str, object]:
    return {
        "size": seen.size,
        "modified_ns": seen.modified_ns,
        "sha256": "",
        "state": FileState.WAITING,
        "detail": "",
        "waiting_since": since,
    }


def _set(row: ResultFile, **values: object) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def files(store: Store, folder: str, *states: FileState) -> list[ResultFile]:
    """Return the files of a folder in some states, those that wait longest first."""
    wanted = _of(folder).where(ResultFile.state.in_(states))
    with store.session() as session:
        return list(session.scalars(wanted.order_by(ResultFile.waiting_since, ResultFile.place)))


def claim(store: Store, file: ResultFile, sha256: str, grace: timedelta) -> Claimed:
    """Say what is to be done about the bytes of a file; to send them is said to one worker only."""
    now = clock.now()
    try:
        with store.writing() as session:
            session.add(
                ResultUpload(
                    system=ASSESSMENTQ, sha256=sha256, size=file.size, state=UploadState.SENDING, tries=1, sent_at=now
                )
            )
            session.flush()  # the upload is locked before its file, here as everywhere
            _name(session, file, sha256)
        return Claimed(Claim.SEND)
    except IntegrityError:
        return _claim_again(store, file, sha256, grace)


def _name(session: Session, file: ResultFile, sha256: str) -> None:
    """Note the digest of a file, unless another worker has found it changed."""
    same = (ResultFile.size == file.size, ResultFile.modified_ns == file.modified_ns)
    session.execute(update(ResultFile).where(ResultFile.id == file.id, *same).values(sha256=sha256))


def _claim_again(store: Store, file: ResultFile, sha256: str, grace: timedelta) -> Claimed:
    with store.writing() as session:
        upload = session.get(ResultUpload, (ASSESSMENTQ, sha256), with_for_update=True)
        _name(session, file, sha256)
        if upload is None:
            return Claimed(Claim.LATER)
        if upload.state in STATES:
            _end_file(session, file.id, UploadState(upload.state), upload)
            claimed = Claimed(Claim.ENDED, upload)
        else:
            is_over = abs(clock.now() - (upload.ended_at or upload.sent_at)) >= grace
            claimed = Claimed(Claim.ASK if is_over or upload.state == UploadState.UNKNOWN else Claim.LATER, upload)
        session.flush()
        session.expunge_all()
        return claimed


def send_again(store: Store, sha256: str, grace: timedelta) -> bool:
    """Take over an upload that had no effect in that time; return whether it is this worker's."""
    now = clock.now()
    taken = update(ResultUpload).where(
        *_upload(sha256),
        ResultUpload.state.in_([UploadState.SENDING, UploadState.UNKNOWN]),
        # A clock that was set back would have us wait until it is there again.
        or_(ResultUpload.sent_at <= now - grace, ResultUpload.sent_at >= now + grace),
    )
    values = {"state": UploadState.SENDING, "sent_at": now, "ended_at": None, "tries": ResultUpload.tries + 1}
    with store.writing() as session:
        return bool(session.execute(taken.values(values)).rowcount)  # type: ignore[attr-defined]


def give_up(store: Store, sha256: str) -> None:
    """Forget an upload that surely had no effect."""
    with store.writing() as session:
        session.execute(delete(ResultUpload).where(*_upload(sha256)))


def ended(store: Store, file_id: int, sha256: str, state: UploadState, sitting: str = "", detail: str = "") -> None:
    """Note what the server said of an upload, and where that leaves its file."""
    with store.writing() as session:
        upload = session.get(ResultUpload, (ASSESSMENTQ, sha256), with_for_update=True)
        if upload is None:
            return
        upload.state, upload.ended_at, upload.detail = state, clock.now(), detail
        upload.sitting = sitting or upload.sitting
        if state in STATES:
            _end_file(session, file_id, state, upload)


def _upload(sha256: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return ResultUpload.system == ASSESSMENTQ, ResultUpload.sha256 == sha256


def _end_file(session: Session, file_id: int, state: UploadState, upload: ResultUpload) -> None:
    """Bring a file to where its upload is, unless it has other bytes by now."""
    row = session.get(ResultFile, file_id, with_for_update=True)
    if row is None or row.sha256 != upload.sha256:
        return
    now = clock.now()
    _set(row, state=STATES[state], detail=upload.detail, sitting=upload.sitting or row.sitting, waiting_since=None)
    if state in RECEIVED:
        row.sent_at = row.sent_at if row.sent_at and row.state == FileState.SENT else now
    if row.state == FileState.FINAL:
        row.final_at = now


def sittings_ended(store: Store, sittings: Iterable[str]) -> int:
    """Note that the server knows some sittings' exams to have ended; return how many sent files that makes final."""
    made = 0
    with store.writing() as session:
        for sitting in sittings:
            sent = update(ResultFile).where(ResultFile.sitting == sitting, ResultFile.state == FileState.SENT)
            done = session.execute(sent.values(state=FileState.FINAL, final_at=clock.now()))
            made += done.rowcount  # type: ignore[attr-defined]
    return made


def kept(store: Store, file_id: int, kept_as: str) -> None:
    """Note where a file was put away."""
    _change(store, file_id, state=FileState.KEPT, kept_as=kept_as, kept_at=clock.now(), detail="")


def gone(store: Store, file_id: int, detail: str) -> None:
    """Note that a file is not there any more."""
    _change(store, file_id, state=FileState.GONE, detail=detail)


def remark(store: Store, file_id: int, detail: str) -> None:
    """Note what stands in a file's way."""
    _change(store, file_id, detail=detail)


def purged(store: Store, file_id: int) -> None:
    """Note that a file that was put away was deleted, its time being over."""
    _change(store, file_id, purged_at=clock.now())


def _change(store: Store, file_id: int, **values: object) -> None:
    with store.writing() as session:
        session.execute(update(ResultFile).where(ResultFile.id == file_id).values(values))


def to_purge(store: Store, folder: str, before: datetime) -> list[ResultFile]:
    """Return the files of a folder that were put away before an instant, and are not deleted yet."""
    over = (ResultFile.state == FileState.KEPT, ResultFile.purged_at.is_(None), ResultFile.kept_at < before)
    with store.session() as session:
        return list(session.scalars(_of(folder).where(*over).order_by(ResultFile.id)))


def reach(store: Store, *, online: bool, detail: str = "") -> None:
    """Note whether the system can be reached."""
    now = clock.now()
    try:
        with store.writing() as session:
            row = session.get(Reach, ASSESSMENTQ)
            if row is None:
                row = Reach(system=ASSESSMENTQ, online=online, since=now)
                session.add(row)
            if row.online != online:
                row.since = now
            row.online, row.seen_at, row.detail = online, now, detail
    except IntegrityError:
        reach(store, online=online, detail=detail)  # another worker was the first to note it
