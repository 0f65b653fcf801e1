"""Telling of failures without telling what the data was.

Messages of database drivers and parsers quote the row they failed on. Logs, alerts and task
results therefore get the kind of an error and the places it went through, never its text.
"""

from __future__ import annotations

import traceback
from pathlib import Path

DEPTH = 4


def trail(error: BaseException) -> str:
    """Return an error's class and the innermost places it came through, without its message."""
    frames = traceback.extract_tb(error.__traceback__)[-DEPTH:]
    places = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__} at {places}" if places else type(error).__name__
