"""A store with its files, an importer's folder, and publishing between them; another Gradeway is the importer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from fixtures.sandboxes import Site
from gradeway.publish.files import FilesPublisher
from gradeway.publish.run import Publisher
from gradeway.store.publish import FILES
from loading.world import World
from publish.scene import Scene

NOBODY = cast("Site", None)
# What a term is in files, in their order.
TERM = [
    "sch: Letters|A=90:B=80:F=0|",
    "asg: ANA101|Project||N|N|Tasks|Y||-1|N||||50||",
    "col: ANA101|Sum|||100||",
    "colnc: ANA101|Oral||2026-12-01|20||",
    "colnc: ANA101|Essay|||100|Letters|",
    "colext: ANA101|Essay",
    "colncval: ANA101|ann|Oral|7",
    "colncval: ANA101|bob|Oral|12.5",
    "colncval: ANA101|cy|Oral|0",
    "colncval: ANA101|ann|Essay|A",
    "colncval: ANA101|bob|Essay|81",
]


class FileScene(Scene):
    """One course at a time, in a folder of its own; ``importer`` is an empty Gradeway that takes the files."""

    target = FILES

    def __init__(self, world: World, importer: World, course: str = "ANA101") -> None:
        super().__init__(world, NOBODY, course)
        self.importer = importer
        self.folder = Path(world.settings.publish_files_folder)

    @contextmanager
    def publisher(self, *_: object, **__: object) -> Iterator[Publisher]:
        """Publishing to the folder."""
        yield FilesPublisher(self.world.intake.store, self.settings, patience=0, progress=lambda _: None)

    def names(self) -> list[str]:
        """The files that wait for the importer."""
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith("."))

    def hidden(self) -> list[str]:
        """What is there beside the files and the marker."""
        return sorted(path.name for path in self.folder.iterdir() if path.name.startswith(".") and "part" in path.name)

    def lines(self) -> list[str]:
        """The rows that wait for the importer, in the order of the files, each with the ending of its file."""
        return [
            f"{name.rpartition('.')[2]}: {line}"
            for name in self.names()
            for line in (self.folder / name).read_text(encoding="utf-8").splitlines()[1:]
        ]

    def carry_away(self) -> list[str]:
        """Let somebody take the files away; return their rows."""
        lines = self.lines()
        for name in self.names():
            (self.folder / name).unlink()
        return lines

    def take(self) -> list[str]:
        """Let the importer take the files and load them, each row of which it accepts; return the rows."""
        lines = self.lines()
        for name in self.names():
            (self.folder / name).rename(self.importer.zone.inbox("grades") / name)
        before = len(self.importer.batches())
        self.importer.sweep("grades")
        for batch in self.importer.batches()[before:]:
            if batch.state == "duplicate":  # as it was before something else was; another importer would not notice
                self.importer.intake.replay(batch.duplicate_of or 0)
        self.importer.sweep("grades")
        for batch in self.importer.batches()[before:]:
            found = self.importer.codes(batch.id)
            assert batch.state in {"loaded", "duplicate"}, (batch.file_name, found)
            assert (batch.rejected, batch.parked) == (0, 0), (batch.file_name, found)
        return lines

    def publish_and_take(self) -> list[str]:
        """Publish and let the importer take what is there, until nothing is left to do; return the rows."""
        lines = []
        for _ in range(6):
            sent = self.publish()
            lines += self.take()
            if not sent.paused:
                return lines
        msg = "it does not come to an end"
        raise AssertionError(msg)

    def imported(self) -> dict[str, Any]:
        """What the importer has."""
        return self.importer.gradebook()


def land_a_term(scene: FileScene) -> None:
    """Load a term that takes every kind of file."""
    scene.schemas("Letters|A=90:B=80:F=0")
    scene.columns("{c}|Oral|20||2026-12-01", "{c}|Essay|100|Letters|")
    scene.columns("{c}|Sum|100||", suffix="col")
    scene.assignment("Project", points=50, available="Y", contentAreaName="Tasks")
    scene.land("colext", "courseId|name", "{c}|Essay")
    scene.grades(ann=7, bob="12.5", cy=0)
    scene.grades(column="Essay", ann="A", bob="81")
