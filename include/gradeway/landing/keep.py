"""Keeping a batch's bytes after its work is done, and letting them go when their time is over."""

from __future__ import annotations

import logging
import os
import shutil
from datetime import date, timedelta
from pathlib import Path

from gradeway.landing.claim import content
from gradeway.landing.zone import Zone, sync
from gradeway.settings import Settings

log = logging.getLogger(__name__)


def keep(zone: Zone, place: str, target: Path, sha256: str, *, private: bool = False) -> Path:
    """Move a claimed file to where it is kept and return that place; does nothing the second time.

    A file that is there already, of another store that used this landing zone, is never replaced.
    A ``private`` one can be read by its owner only.
    """
    folder = zone.root / place
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{sha256[:12]}-{target.name}")
    if os.path.lexists(beside):
        target = beside
    try:
        path = content(folder)
        if private:
            path.chmod(0o600)
        target = beside if os.path.lexists(target) else target
        path.rename(target)
    except FileNotFoundError:
        if not os.path.lexists(target):
            log.error("the bytes of %s are gone: somebody removed them from %s", target.name, place)
    sync(target.parent)
    if folder.exists():
        folder.rmdir()
    return target


def purge(zone: Zone, settings: Settings, today: date) -> dict[str, int]:
    """Delete the day folders whose retention is over; return how many files went, by kind."""
    limits = {
        "archive": settings.archive_days,
        "quarantine": settings.quarantine_days,
        "reports": settings.report_days,
    }
    return {kind: _purge_days(zone.root / kind, today - timedelta(days=days)) for kind, days in limits.items()}


def _purge_days(folder: Path, before: date) -> int:
    gone = 0
    for day in sorted(folder.iterdir()) if folder.exists() else ():
        try:
            old = date.fromisoformat(day.name) < before
        except ValueError:
            continue
        if old:
            gone += sum(1 for path in day.rglob("*") if not path.is_dir())
            shutil.rmtree(day)
    return gone
