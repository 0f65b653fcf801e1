"""What the store knows of result files and of their uploads; each function is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gradeway import clock
from gradeway.custody import order
from gradeway.custody.files import Seen
from gradeway.store.custody import ASSESSMENTQ, FileState, Reach, ResultFile, ResultUpload, UploadState
from gradeway.store.engine import Store
from gradeway.store.exams import Attempt

LONGEST_ASKED = 3600.0  # seconds for which a server is left alone at most
LONGEST_PAUSE = timedelta(hours=6)  # between two tries of bytes that got no answer
TAKEN_AWAY = "somebody took it away before its exam was known to have ended"
OPEN = (FileState.WAITING, FileState.SENT, FileState.REFUSED)
STATES = {
    UploadState.IN_PROGRESS: FileState.SENT,
    UploadState.FINAL: FileState.FINAL,
    UploadState.ALREADY_FINAL: FileState.FINAL,
    UploadState.REFUSED: FileState.REFUSED,
}


class Claim(Enum):
    """What is to be done about some bytes.

    Send them, send them again after an older copy, ask what became of them, or nothing, now or for good.
    """

    SEND = "send"
    AGAIN = "again"
    ASK = "ask"
    LATER = "later"
    ENDED = "ended"


class Claimed(NamedTuple):
    """A claim, and what the server said of these bytes where it has ended."""

    claim: Claim
    upload: ResultUpload | None = None


def note(store: Store, folder: str, found: Sequence[Seen], is_gone: Callable[[str], bool]) -> None:
    """Note what a look at a folder showed: new files, changed ones, and those whose places say that they are gone."""
    try:
        with store.writing() as session:
            _note(session, folder, found, is_gone)
    except IntegrityError:
        note(store, folder, found, is_gone)  # another worker noted a file first


def _note(session: Session, folder: str, found: Sequence[Seen], is_gone: Callable[[str], bool]) -> None:
    now = clock.now()
    known = {row.place: row for row in session.scalars(_of(folder).where(ResultFile.kept_as == ""))}
    for seen in found:
        row = known.pop(seen.place, None)
        if row is None:
            session.add(ResultFile(folder=folder, place=seen.place, found_at=now, **_new(seen, now)))
        elif (row.size, row.modified_ns) != (seen.size, seen.modified_ns) or row.state == FileState.GONE:
            _set(row, **_new(seen, row.waiting_since or now))
    for row in known.values():
        if row.state in OPEN and is_gone(row.place):
            _set(row, state=FileState.GONE, detail="" if _is_lost(session, row) else TAKEN_AWAY)


def _is_lost(session: Session, row: ResultFile) -> bool:
    """Return whether the bytes of a file that is gone were never sent: that is told when files are put away."""
    return row.state == FileState.WAITING and not session.get(ResultUpload, (ASSESSMENTQ, row.sha256))


def renew(store: Store, file: ResultFile, seen: Seen) -> None:
    """Note that a file has other bytes than it had, which wait to be sent."""
    file.size, file.modified_ns = seen.size, seen.modified_ns
    _change(store, file.id, **_new(seen, file.waiting_since or clock.now()))


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
        "tried_at": None,
        "dismissed_at": None,
    }


def _set(row: ResultFile, **values: object) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def files(store: Store, folder: str, *states: FileState) -> list[ResultFile]:
    """Return the files of a folder in some states: those written longest ago first, after them those tried in vain.

    So of two copies of one exam the newer one is sent last, and is what the server has in the end.
    """
    order = (ResultFile.tried_at.nulls_first(), ResultFile.modified_ns, ResultFile.place)
    with store.session() as session:
        return list(session.scalars(_of(folder).where(ResultFile.state.in_(states)).order_by(*order)))


def claim(store: Store, file: ResultFile, sha256: str, grace: timedelta) -> Claimed:
    """Say what is to be done about the bytes of a file; to send them is said to one worker only."""
    now = clock.now()
    try:
        with store.writing() as session:
            session.add(
                ResultUpload(
                    system=ASSESSMENTQ,
                    sha256=sha256,
                    size=file.size,
                    modified_ns=file.modified_ns,
                    state=UploadState.SENDING,
                    tries=1,
                    sent_at=now,
                    began=order.tick(session),
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
        upload.modified_ns = min(upload.modified_ns, file.modified_ns)  # a copy may have got the date of its making
        if upload.state in STATES:
            _end_file(session, file.id, UploadState(upload.state), upload)
            claimed = Claimed(Claim.ENDED, upload)
        else:
            claimed = Claimed(_next(upload, grace), upload)
        session.flush()
        session.expunge_all()
        return claimed


def _next(upload: ResultUpload, grace: timedelta) -> Claim:
    """Say what is to be done about an upload without an answer, or one that was overtaken."""
    if upload.state == UploadState.OVERTAKEN:
        return Claim.AGAIN
    # By its amount: a clock that was set back would have us wait until it is there again.
    passed = abs(clock.now() - upload.sent_at)
    if upload.state == UploadState.SENDING:
        return Claim.ASK if passed >= grace else Claim.LATER
    return Claim.LATER if grace <= passed < _pause(upload, grace) else Claim.ASK


def _pause(upload: ResultUpload, grace: timedelta) -> timedelta:
    """Return how long bytes without an answer are not sent again: twice as long after each try, up to some hours."""
    return min(grace * (1 << min(max(upload.tries - 1, 0), 20)), max(grace, LONGEST_PAUSE))


def send_again(store: Store, sha256: str, grace: timedelta) -> int:
    """Take over an upload that had no effect in that time, or was overtaken.

    Return when it begins, by the store's count; 0 if it is not this worker's.
    """
    now = clock.now()
    with store.writing() as session:
        upload = session.get(ResultUpload, (ASSESSMENTQ, sha256), with_for_update=True)
        if upload is None or upload.state not in {UploadState.SENDING, UploadState.UNKNOWN, UploadState.OVERTAKEN}:
            return 0
        at_once = upload.state == UploadState.OVERTAKEN and upload.tries <= 1
        if not at_once and abs(now - upload.sent_at) < _pause(upload, grace):
            return 0
        upload.state, upload.sent_at = UploadState.SENDING, now
        upload.tries += 1
        return order.tick(session)


def still_sending(store: Store, sha256: str) -> None:
    """Note that an upload goes on, so that nobody takes it for one that was left behind."""
    sending = (*_upload(sha256), ResultUpload.state == UploadState.SENDING)
    with store.writing() as session:
        session.execute(update(ResultUpload).where(*sending).values(sent_at=clock.now()))


def is_still_ours(store: Store, sha256: str) -> bool:
    """Return whether bytes that were claimed first, and not sent yet, were taken over by nobody; they are ours anew."""
    first = (*_upload(sha256), ResultUpload.state == UploadState.SENDING, ResultUpload.tries == 1)
    with store.writing() as session:
        done = session.execute(update(ResultUpload).where(*first).values(sent_at=clock.now()))
        return bool(done.rowcount)  # type: ignore[attr-defined]


def put_off(store: Store, file_id: int) -> None:
    """Note that a file was tried in vain: others get their turn first."""
    _change(store, file_id, tried_at=clock.now())


def give_up(store: Store, sha256: str) -> None:
    """Take back a try that surely had no effect: what became of those before it is known no better than it was."""
    with store.writing() as session:
        upload = session.get(ResultUpload, (ASSESSMENTQ, sha256), with_for_update=True)
        if upload is None:
            return
        if upload.tries <= 1:
            session.delete(upload)
            return
        upload.state, upload.tries = UploadState.UNKNOWN, upload.tries - 1
        upload.sent_at = upload.ended_at or upload.sent_at


def ended(
    store: Store,
    file_id: int,
    sha256: str,
    state: UploadState,
    sitting: str = "",
    detail: str = "",
    *,
    began: int = 0,
    ours: bool = True,
) -> int:
    """Note what the server said of an upload, and where that leaves its file; return how often it was tried.

    ``began`` is when the try that it answered began, if that was not the first or it only was asked;
    ``ours`` tells whether we sent these bytes at all.
    """
    with store.writing() as session:
        upload = session.get(ResultUpload, (ASSESSMENTQ, sha256), with_for_update=True)
        if upload is None:
            return 0
        upload.state, upload.ended_at, upload.detail = state, clock.now(), detail
        upload.sitting = sitting or upload.sitting
        upload.ended, upload.began = order.tick(session), began or upload.began
        if not ours:
            upload.tries, upload.began = 0, order.earliest(session, upload.modified_ns)
        if state in STATES:
            _end_file(session, file_id, state, upload)
        if state is UploadState.IN_PROGRESS:
            session.flush()
            order.put_back(session, upload)
        if state is UploadState.FINAL and upload.sitting:
            _end_sitting(session, upload.sitting)
        return upload.tries


def leave(store: Store, file_id: int, tries: int) -> None:
    """Leave to a person a file that the server did not take so many times."""
    with store.writing() as session:
        sha256 = session.scalar(select(ResultFile.sha256).where(ResultFile.id == file_id))
        upload = session.get(ResultUpload, (ASSESSMENTQ, sha256), with_for_update=True)
        if upload and upload.state == UploadState.UNKNOWN and upload.tries >= tries:
            upload.state = UploadState.REFUSED
            _end_file(session, file_id, UploadState.REFUSED, upload)


def _upload(sha256: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return ResultUpload.system == ASSESSMENTQ, ResultUpload.sha256 == sha256


def _end_file(session: Session, file_id: int, state: UploadState, upload: ResultUpload) -> None:
    """Bring a file to where its upload is, unless it has other bytes by now."""
    row = session.get(ResultFile, file_id, with_for_update=True)
    if row is None or row.sha256 != upload.sha256:
        return
    now = clock.now()
    _set(row, state=STATES[state], detail=upload.detail, sitting=upload.sitting or row.sitting, waiting_since=None)
    if row.state != FileState.REFUSED:
        row.sent_at = now
    if row.state == FileState.FINAL:
        row.final_at = now


def sittings_ended(store: Store, sittings: Iterable[str]) -> int:
    """Note that the server knows some sittings' exams to have ended; return how many sent files that makes final."""
    with store.writing() as session:
        return sum(_end_sitting(session, sitting) for sitting in sorted(sittings))


def _end_sitting(session: Session, sitting: str) -> int:
    overtaken = order.end(session, sitting)  # uploads are locked before their files, here as everywhere
    of_it = update(ResultFile).where(ResultFile.sitting == sitting)
    # What was taken away can be no loss any more.
    session.execute(of_it.where(ResultFile.state == FileState.GONE).values(detail="", waiting_since=None))
    waits = and_(ResultFile.state == FileState.WAITING, ResultFile.sha256.in_(overtaken))
    sent = of_it.where(or_(ResultFile.state == FileState.SENT, waits))
    done = session.execute(sent.values(state=FileState.FINAL, final_at=clock.now(), waiting_since=None, detail=""))
    return int(done.rowcount)  # type: ignore[attr-defined]


def results_ended(store: Store) -> int:
    """Note which sittings' exams have ended by the results that came in; return how many sent files that makes final.

    A run that died after it had read the results may not have noted it.
    """
    results = select(Attempt.sitting).where(Attempt.system == ASSESSMENTQ, Attempt.exported != "")
    open_ones = (ResultFile.sitting != "", ResultFile.state.in_([FileState.SENT, FileState.GONE]))
    wanted = select(ResultFile.sitting).where(*open_ones, ResultFile.sitting.in_(results)).distinct()
    with store.session() as session:
        sittings = list(session.scalars(wanted))
    return sittings_ended(store, sittings) if sittings else 0


def kept(store: Store, file_id: int, kept_as: str, at: datetime | None) -> None:
    """Note where a file was put away, and when, if that is known; what its upload told of it stays."""
    of_file = (ResultUpload.system == ASSESSMENTQ, ResultUpload.sha256 == ResultFile.sha256)
    detail = select(ResultUpload.detail).where(*of_file).correlate(ResultFile).scalar_subquery()
    told = func.coalesce(detail, "")
    _change(store, file_id, state=FileState.KEPT, kept_as=kept_as, kept_at=at, detail=told)


def gone(store: Store, file_id: int) -> None:
    """Note that a file that was received is not there any more."""
    _change(store, file_id, state=FileState.GONE, detail="")


def dismiss(store: Store, file_id: int, *, again: bool) -> bool:
    """Note that a person has looked at a file, which may be sent ``again``; return whether there is such a file."""
    with store.writing() as session:
        sha256 = session.scalar(select(ResultFile.sha256).where(ResultFile.id == file_id))
        upload = session.get(ResultUpload, (ASSESSMENTQ, sha256), with_for_update=True) if sha256 else None
        row = session.get(ResultFile, file_id, with_for_update=True)
        if row is None:
            return False
        row.detail, row.dismissed_at = "", clock.now()
        if again and row.state in {FileState.WAITING, FileState.REFUSED}:
            _set(row, state=FileState.WAITING, waiting_since=row.waiting_since or clock.now(), tried_at=None)
            if upload and upload.state in {UploadState.UNKNOWN, UploadState.REFUSED}:
                session.delete(upload)
        elif row.state == FileState.WAITING:  # if it is still there, the next look finds it again
            _set(row, state=FileState.GONE, waiting_since=None)
        elif upload and upload.state == UploadState.ALREADY_FINAL:
            upload.detail = ""
        return True


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
    """Return the files of a folder that may be deleted by our clock, if that of the server agrees.

    Their exams were known to have ended before an instant, they were put away before it or nobody knows
    when, are still there, and need nobody to look at them.
    """
    is_kept = (ResultFile.state == FileState.KEPT, ResultFile.purged_at.is_(None), ResultFile.detail == "")
    since = or_(ResultFile.kept_at < before, ResultFile.kept_at.is_(None))
    over = (*is_kept, or_(ResultFile.final_at < before, ResultFile.final_at.is_(None)), since)
    with store.session() as session:
        return list(session.scalars(_of(folder).where(*over).order_by(ResultFile.id)))


def reach(store: Store, *, online: bool, detail: str = "", wait: float = 0) -> None:
    """Note whether the system can be reached, and for how many seconds it asked to be left alone."""
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
            row.quiet_until = now + timedelta(seconds=min(wait, LONGEST_ASKED)) if wait else None
    except IntegrityError:
        reach(store, online=online, detail=detail, wait=wait)  # another worker was the first to note it
