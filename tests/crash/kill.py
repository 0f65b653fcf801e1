"""Killing a worker at a chosen step: a forked process that ends itself with SIGKILL, as the kernel would.

The product knows nothing of it: in the forked process one named function or method is wrapped.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from gradeway.intake import Intake


@dataclass(frozen=True)
class Step:
    """A moment in a worker's life: before or after the n-th call of something in a module."""

    where: str  # module:name or module:Class.name
    when: str = "before"
    call: int = 1

    def __str__(self) -> str:
        place = self.where.removeprefix("gradeway.").replace(":", ".")
        return f"{self.when} {place}" + (f" #{self.call}" if self.call > 1 else "")

    def arm(self) -> None:
        """Wrap the function so that this process dies at its call."""
        module, _, path = self.where.partition(":")
        owner: Any = importlib.import_module(module)
        *parts, name = path.split(".")
        for part in parts:
            owner = getattr(owner, part)
        real, calls = getattr(owner, name), count(1)

        def wrapped(*args: Any, **named: Any) -> Any:  # noqa: ANN401  it stands for anything
            due = next(calls) == self.call
            if due and self.when == "before":
                die()
            if due and self.when == "halfway":
                half(*args)
            try:
                return real(*args, **named)
            finally:
                if due:
                    die()

        setattr(owner, name, wrapped)


def die() -> None:
    """End this process at once, with nothing flushed and nothing cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def half(source: Path, target: Path) -> None:
    """Copy the first half of a file, and die."""
    content = Path(source).read_bytes()
    with Path(target).open("wb") as out:
        out.write(content[: len(content) // 2])
    die()


def fork(work: Callable[[], object]) -> int:
    """Begin some work in a forked process and return its number."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001  nothing of pytest may go on in the fork
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
    return child


def in_a_process(work: Callable[[], object]) -> int:
    """Do some work in a forked process and return the signal that ended it, or 0."""
    status = os.waitpid(fork(work), 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the forked process failed"
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def at_once(workers: int, work: Callable[[], object]) -> None:
    """Do the same work in several processes that begin together, and wait for them."""
    gate, opener = os.pipe()

    def wait_and_work() -> None:
        os.close(opener)
        os.read(gate, 1)  # returns when the last opener is closed
        work()

    children = [fork(wait_and_work) for _ in range(workers)]
    os.close(opener)
    ends = [os.waitpid(child, 0)[1] for child in children]
    os.close(gate)
    assert ends == [0] * workers


def kill_at(step: Step, intake: Intake, work: Callable[[Intake], object]) -> bool:
    """Do some work in a process that is killed at a step; returns whether it came to that step."""
    intake.store.engine.dispose()  # no connection may be shared with the fork

    def worker() -> None:
        step.arm()
        work(intake)

    return in_a_process(worker) == signal.SIGKILL


def put_back(saved: Path, place: Path) -> None:
    """Make a folder what it was when it was saved."""
    with suppress(FileNotFoundError):
        shutil.rmtree(place)
    shutil.copytree(saved, place, symlinks=True)
