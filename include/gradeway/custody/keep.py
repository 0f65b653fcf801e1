"""Putting away result files whose exam has ended and was received, and letting them go when their time is over.

Source: Televic, Uploading the result files: the Offline Result Service changes the ending of such a
file to ``.bak``, and deletes it after two weeks.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from gradeway import clock
from gradeway.custody import files, ledger
from gradeway.custody.files import PUT_AWAY, ChangedError, Seen
from gradeway.settings import Settings
from gradeway.store.custody import ResultFile
from gradeway.store.engine import Store

log = logging.getLogger(__name__)

Place = Callable[[Path, ResultFile], Path]


def beside(folder: Path, file: ResultFile) -> Path:
    """Return the name of a file with the ending of one that is put away: for the exam's own computer."""
    return (folder / file.place).with_suffix(PUT_AWAY)


class Keeper:
    """Puts files away: ``place`` says where to, ``days`` after how many days they are deleted there."""

    def __init__(self, place: Place, days: Callable[[Settings], int]) -> None:
        self._place, self._days = place, days

    @classmethod
    def as_backup(cls) -> Keeper:
        """Return what does as the Offline Result Service does: another ending, in the same folder."""
        return cls(beside, lambda settings: settings.aqr_backup_days)

    @classmethod
    def as_archive(cls, archive: Path) -> Keeper:
        """Return what moves files into a folder of ours, by their digests: many have the same name."""
        return cls(
            lambda _folder, file: archive / file.sha256[:2] / f"{file.sha256}{files.ENDING}",
            lambda settings: max(settings.archive_days, settings.aqr_backup_days),
        )

    def put_away(self, store: Store, folder: Path, file: ResultFile, troubles: list[str]) -> int:
        """Put a file away, or note that a run that died already did; return whether it is put away."""
        source, target = folder / file.place, self._place(folder, file)
        spare = target.with_stem(f"{target.stem}-{file.sha256[:12]}")
        try:
            if source.exists():
                if files.digest(folder, Seen(file.place, file.size, file.modified_ns)) != file.sha256:
                    return 0
                target = _move(source, target, spare, file.sha256)
            else:
                target = next((path for path in (target, spare) if _has(path, file.sha256)), source)
        except ChangedError:
            return 0  # it is written to again; the next pass sends it
        except OSError as error:
            self._trouble(store, file, f"cannot be put away: {error.strerror}", troubles)
            return 0
        if target == source:
            ledger.gone(store, file.id, "it was received, and then taken away by somebody else")
            return 0
        ledger.kept(store, file.id, str(target))
        return 1

    def _trouble(self, store: Store, file: ResultFile, what: str, troubles: list[str]) -> None:
        if file.detail != what:
            ledger.remark(store, file.id, what)
        troubles.append(
            f"file {file.id} in {file.folder} {what}; it was received and is not sent again: let Gradeway write there"
        )

    def purge(self, store: Store, folder: Path, settings: Settings) -> int:
        """Delete the files that were put away so many days ago; return how many."""
        gone = 0
        limit = timedelta(days=self._days(settings))
        for file in ledger.to_purge(store, str(folder), clock.now() - limit):
            try:
                if is_ours := _has(Path(file.kept_as), file.sha256):
                    Path(file.kept_as).unlink()
            except OSError as error:
                log.warning("file %d cannot be deleted: %s", file.id, error.strerror)
                continue
            ledger.purged(store, file.id)
            gone += is_ours
        return gone


def _has(path: Path, sha256: str) -> bool:
    try:
        status = path.lstat()
        return files.digest(path.parent, Seen(path.name, status.st_size, status.st_mtime_ns)) == sha256
    except (FileNotFoundError, ChangedError):
        return False


def _move(source: Path, target: Path, spare: Path, sha256: str) -> Path:
    """Move a file without replacing another one; a copy of the same bytes that is there already is enough."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if _has(target, sha256) and not target.samefile(source):
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
        draft.rename(target)
        source.unlink()
    return target


class LeftAlone(Keeper):
    """Leaves files where they are, in a folder that is not ours."""

    def __init__(self) -> None:
        """Need no place."""
        super().__init__(beside, lambda settings: settings.archive_days)

    def put_away(self, store: Store, folder: Path, file: ResultFile, troubles: list[str]) -> int:
        """Do nothing."""
        return 0

    def purge(self, store: Store, folder: Path, settings: Settings) -> int:
        """Delete nothing."""
        return 0
