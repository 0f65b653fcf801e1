"""Putting away result files whose exam has ended and was received, and letting them go when their time is over.

The time that counts is the server's: the clock of an exam's computer may be wrong by weeks, and put
right at any moment.
Source: Televic, Uploading the result files: the Offline Result Service changes the ending of such a
file to ``.bak``, and deletes it after two weeks.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from gradeway import clock
from gradeway.custody import files, ledger
from gradeway.custody.files import PUT_AWAY, ChangedError, Seen
from gradeway.landing.zone import sync
from gradeway.settings import Settings
from gradeway.store.custody import ResultFile
from gradeway.store.engine import Store

log = logging.getLogger(__name__)

Place = Callable[[Path, ResultFile], Path]
Time = Callable[[], datetime | None]
Tell = Callable[[ResultFile, str, str], None]


def beside(folder: Path, file: ResultFile) -> Path:
    """Return the name of a file with the ending of one that is put away: for the exam's own computer."""
    return (folder / file.place).with_suffix(PUT_AWAY)


class Keeper:
    """Puts files away: ``place`` says where to, ``days`` after how many days they are deleted there.

    ``is_ours`` tells whether a file that is not in its folder any more was taken away from us,
    ``collects`` whether others may have sent the same files.
    """

    is_ours = True
    collects = True

    def __init__(self, place: Place, days: Callable[[Settings], int]) -> None:
        self._place, self._days = place, days

    @classmethod
    def as_backup(cls) -> Keeper:
        """Return what does as the Offline Result Service does: another ending, in the same folder."""
        made = cls(beside, lambda settings: settings.aqr_backup_days)
        made.collects = False
        return made

    @classmethod
    def as_archive(cls, archive: Path) -> Keeper:
        """Return what moves files into a folder of ours, by their digests: many have the same name."""
        return cls(
            lambda _folder, file: archive / file.sha256[:2] / f"{file.sha256}{files.ENDING}",
            lambda settings: max(settings.archive_days, settings.aqr_backup_days),
        )

    def put_away(self, store: Store, folder: Path, file: ResultFile, now: datetime | None, tell: Tell) -> int:
        """Put a file away, or note that a run that died already did; return whether it is put away.

        Where the time is not known now, that of the file begins with the next purge. ``tell`` is told
        what stands in its way, and what to do.
        """
        source, target = folder / file.place, self._place(folder, file)
        spare = target.with_stem(f"{target.stem}-{file.sha256[:12]}")
        try:
            if source.exists():
                if files.digest(folder, Seen(file.place, file.size, file.modified_ns)) != file.sha256:
                    return 0
                target = _move(source, target, spare, file.sha256)
            else:
                target = next((path for path in (target, spare) if files.has(path, file.sha256)), source)
        except ChangedError:
            return 0  # it is written to again; the next pass sends it
        except OSError as error:
            remedy = f"it was received and is not sent again: let Gradeway write there, and in {folder}"
            tell(file, f"cannot be put away: {error.strerror}", remedy)
            return 0
        if target == source:
            ledger.gone(store, file.id)
            log.info("file %d was received, and then taken away by somebody else", file.id)
            return 0
        ledger.kept(store, file.id, str(target), now)
        return 1

    def purge(self, store: Store, folder: Path, settings: Settings, time: Time) -> int:
        """Delete the files that were put away so many days ago; return how many.

        ``time`` is asked only when there seems to be something to delete; None spares all files.
        """
        limit = timedelta(days=self._days(settings))
        over = ledger.to_purge(store, str(folder), clock.now() - limit)
        now = time() if over else None
        if now is None:
            return 0
        gone = 0
        for file in over:
            if file.kept_at is None:
                ledger.kept(store, file.id, file.kept_as, now)
            if file.kept_at is None or now - file.kept_at <= limit:
                continue
            path = Path(file.kept_as)
            if not path.parent.is_dir():  # its disk may not be mounted
                continue
            try:
                if is_ours := files.has(path, file.sha256):
                    path.unlink()
            except OSError as error:
                log.warning("file %d cannot be deleted: %s", file.id, error.strerror)
                continue
            ledger.purged(store, file.id)
            gone += is_ours
        return gone


def _move(source: Path, target: Path, spare: Path, sha256: str) -> Path:
    """Move a file without replacing another one; a copy of the same bytes that is there already is enough."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if files.has(target, sha256) and not target.samefile(source):
        source.unlink()
        return target
    target = spare if os.path.lexists(target) else target
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        draft = target.with_suffix(".part")
        shutil.copy2(source, draft)
        if not files.has(draft, sha256):
            raise OSError(errno.EIO, "the copy has other bytes") from None
        _rename(draft, target)
        source.unlink()
    return target


def _rename(draft: Path, target: Path) -> None:
    """Give a copy its name so that both outlive a power cut."""
    if os.name == "nt":  # has neither of the two for what is only read
        draft.rename(target)
        return
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    draft.rename(target)
    sync(target.parent)


class LeftAlone(Keeper):
    """Leaves files where they are, in a folder that is not ours."""

    is_ours = False

    def __init__(self) -> None:
        """Need no place."""
        super().__init__(beside, lambda settings: settings.archive_days)

    def put_away(self, store: Store, folder: Path, file: ResultFile, now: datetime | None, tell: Tell) -> int:
        """Do nothing."""
        return 0

    def purge(self, store: Store, folder: Path, settings: Settings, time: Time) -> int:
        """Delete nothing."""
        return 0
