"""The part of `gradeway vendors check` that looks at the folder from which an importer takes flat files."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from gradeway.errors import OutgoingError
from gradeway.publish.outgoing import MARKER, Outgoing
from gradeway.publish.send_files import folder_of
from gradeway.settings import Settings

NAME = "GRADEWAY_PUBLISH_FILES_FOLDER"
REMEDY = f"correct {NAME}, or make the folder, for Gradeway and the importer alone"


@dataclass
class Found:
    """What a check found; ``waiting`` counts our files that the importer did not take away yet."""

    connection: str = NAME
    ok: bool = False
    folder: str = ""
    known: bool = False
    waiting: int = 0
    problems: list[dict[str, str]] = field(default_factory=list)

    def facts(self) -> list[tuple[str, object]]:
        """Return what is told of it."""
        return [
            ("publishing", "to flat files"),
            ("folder", self.folder),
            ("written to before", "yes" if self.known else "no"),
            ("files that wait", f"{self.waiting:,}"),
        ]


def check_files_folder(settings: Settings) -> Found:
    """See whether files can be put into the folder; writes nothing."""
    folder = folder_of(settings)
    found, outgoing = Found(folder=str(folder)), Outgoing(folder)
    try:
        outgoing.check(is_known=False)
        found.known, found.waiting = (folder / MARKER).exists(), len(outgoing.waiting())
    except OutgoingError as error:
        found.problems.append({"what": str(error), "remedy": REMEDY})
    else:
        if not os.access(folder, os.W_OK | os.X_OK):
            found.problems.append({"what": f"{folder} may not be written to", "remedy": "let this account write there"})
    found.ok = not found.problems
    return found
