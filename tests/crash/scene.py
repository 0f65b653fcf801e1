"""A day at an installation, with everything that can happen to a row, to be interrupted anywhere."""

from __future__ import annotations

import os
from pathlib import Path

from loading.world import World

VALUES = "courseId|userId|name|value"
COLUMNS = "courseId|name|points|gradeSchema"
BEFORE = {
    "old.colnc": (COLUMNS, "C1|X|100|"),
    "old.colncval": (VALUES, "C1|u1|X|80", "C1|u2|X|70", "C1|u3|Y|A", "C1|u4|Never|1"),
    "old.colext": ("courseId|name", "C1|Y"),
}
# named so that the order of arrival is not the order of loading
DROPPED = {
    "1.colncval": (VALUES, "C1|u1|X|85", "C1|u2|X|70", "C1|u5|X|bad", "C1|u6|Y|A", "C1|u7|Nowhere|1"),
    "2.colnc": (COLUMNS, "C1|X|50|", "C1|Y|100|S", "C1|Z|100|Missing", "C1|Bad|many|"),
    "3.sch": ("title|symbols", "S|A=90:F=0"),
    "4.foo": ("not ours",),
    "5.asg": ("courseId|nothing", "C1|X"),
    "6.colnc": BEFORE["old.colnc"],
}


def prepare(world: World) -> None:
    """Bring an installation to the evening before, and drop the files of the day."""
    for name, lines in BEFORE.items():
        world.land(name, *lines)
    for place, (name, lines) in enumerate(DROPPED.items()):
        path = world.drop(name, *lines)
        os.utime(path, (1_700_000_000 + place, 1_700_000_000 + place))


def digests(world: World) -> set[str]:
    """Return the digests of all bytes in the landing zone, but for the reports."""
    return {digest for path, digest in world.files().items() if not path.startswith("reports")}


def litter(root: Path) -> list[str]:
    """Return what an interrupted worker left in the folders that are its own."""
    claimed = [str(path.relative_to(root)) for path in (root / "claimed").iterdir()]
    return claimed + [str(path.relative_to(root)) for path in (root / "inbox").rglob(".*")]
