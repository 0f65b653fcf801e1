"""Putting away result files whose exam has ended and was received, and letting them go when their time is over.

The time that counts is the server's: the clock of an exam's computer may be wrong by weeks, and put
right at any moment.
Source: Televic, Uploading the result files: the Offline Result Service changes the ending of such a
file to ``.bak``, and deletes it after two weeks.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from gradeway import clock
from gradeway.custody import files, ledger
from gradeway.custody.files import PUT_AWAY, ChangedError, Seen
from gradeway.custody.moving import give_back, move, our_name, own_name
from gradeway.settings import Settings
from gradeway.store.custody import FileState, ResultFile
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
        try:
            found = _secure(store, folder, file, self._place(folder, file))
        except (ChangedError, FileNotFoundError):
            return 0  # it is written to again, or another run is at it; the next pass looks again
        except OSError as error:
            remedy = f"it was received and is not sent again: let Gradeway write there, and in {folder}"
            tell(file, f"cannot be put away: {error.strerror}", remedy)
            return 0
        if found is None:
            ledger.gone(store, file.id)
            log.info("file %d was received, and then taken away by somebody else", file.id)
            return 0
        ledger.kept(store, file.id, str(found), now)
        return 1

    def take_up(self, store: Store, folder: Path, left: Iterable[str]) -> None:
        """Give the files that a run which died left under names of its own theirs back, unless they can be put away."""
        final = ledger.files(store, str(folder), FileState.FINAL) if left else ()
        ours = {our_name(folder / file.place, file.sha256) for file in final}
        for path in {folder / place for place in left} - ours:
            if own := own_name(path):
                with suppress(ChangedError, OSError):
                    give_back(path, own)

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


def _secure(store: Store, folder: Path, file: ResultFile, target: Path) -> Path | None:
    """Move a file to its place, or find it there; return where it is, or None if it is nowhere.

    Raises:
        ChangedError: it has other bytes than those that were received.
        OSError: it cannot be moved.
    """
    source = folder / file.place
    ours = our_name(source, file.sha256)
    spare = target.with_stem(f"{target.stem}-{file.sha256[:12]}")
    # In the order in which another run moves it, so that it is not missed in between.
    is_here = os.path.lexists(source)
    if not os.path.lexists(ours):
        if not is_here:
            return next((path for path in (target, spare) if files.has(path, file.sha256)), None)
        if files.see(folder, source) != Seen(file.place, file.size, file.modified_ns):
            raise ChangedError(file.place)
        source.rename(ours)
    seen = Seen(ours.relative_to(folder).as_posix(), file.size, file.modified_ns)
    try:
        if files.digest(folder, seen) == file.sha256:
            return move(ours, target, spare, file.sha256)
    except (ChangedError, OSError):
        give_back(ours, source)
        raise
    give_back(ours, source)
    ledger.renew(store, file, Seen(file.place, file.size, file.modified_ns))  # although nothing else tells
    raise ChangedError(file.place)


class LeftAlone(Keeper):
    """Leaves files where they are, in a folder that is not ours."""

    is_ours = False

    def __init__(self) -> None:
        """Need no place."""
        super().__init__(beside, lambda settings: settings.archive_days)

    def put_away(self, store: Store, folder: Path, file: ResultFile, now: datetime | None, tell: Tell) -> int:
        """Do nothing."""
        return 0

    def take_up(self, store: Store, folder: Path, left: Iterable[str]) -> None:
        """Do nothing."""

    def purge(self, store: Store, folder: Path, settings: Settings, time: Time) -> int:
        """Delete nothing."""
        return 0
