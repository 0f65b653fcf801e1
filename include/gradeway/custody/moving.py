"""Moving a file of which others may think that it is theirs: under a name of our own, so that its bytes stay the same.

Whoever writes to a file, or puts another one in its place, does so by its name. What a run that died
left under a name of ours is taken up by the next one.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from gradeway.custody import files
from gradeway.custody.files import ChangedError
from gradeway.landing.zone import sync

OURS = re.compile(rf"\.(.+)\.[0-9a-f]{{12}}{re.escape(files.DRAFT)}")


def our_name(source: Path, sha256: str) -> Path:
    """Return the name that a file with these bytes has while it is moved; no look takes it for a result file."""
    return source.with_name(f".{source.name}.{sha256[:12]}{files.DRAFT}")


def own_name(ours: Path) -> Path | None:
    """Return the name that a file had before it got one of ours; None if that is none of ours."""
    found = OURS.fullmatch(ours.name)
    return ours.with_name(found[1]) if found else None


def give_back(ours: Path, source: Path) -> None:
    """Give a file its name back, or, if another one has that by now, a name beside it; nothing is replaced.

    Raises:
        ChangedError: it is no file.
        OSError: it cannot be renamed.
    """
    with suppress(FileNotFoundError):  # another run has moved it
        _rename_new(ours, source) or _rename_new(ours, _beside(ours, source))


def _beside(ours: Path, source: Path) -> Path:
    seen = files.see(ours.parent, ours)
    if seen is None:
        raise ChangedError(ours.name)
    return source.with_stem(f"{source.stem}-{files.digest(ours.parent, seen)[:12]}")


def _rename_new(source: Path, target: Path) -> bool:
    """Rename a file unless there is one of that name; return whether it has that name now."""
    try:
        os.link(source, target)
    except FileExistsError:
        if not target.samefile(source):  # else a run died between the two steps
            return False
    except FileNotFoundError:
        raise
    except OSError:  # not every file system has links, nor do folders
        if os.path.lexists(target):
            return False
        source.rename(target)
        return True
    source.unlink()
    return True


def move(source: Path, target: Path, spare: Path, sha256: str) -> Path:
    """Move a file without replacing another one; a copy of the same bytes that is there already is enough.

    Raises:
        OSError: it cannot be moved.
    """
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
        draft = target.with_suffix(files.DRAFT)
        shutil.copy2(source, draft)
        if not files.has(draft, sha256):
            raise OSError(errno.EIO, "the copy has other bytes") from None
        _rename_copy(draft, target)
        source.unlink()
    return target


def _rename_copy(draft: Path, target: Path) -> None:
    """Give a copy its name so that both outlive a power cut."""
    if os.name == "nt":  # has neither of the two for what is only read
        draft.rename(target)
        return
    with draft.open("rb") as stream:
        os.fsync(stream.fileno())
    draft.rename(target)
    sync(target.parent)
