"""Small tools for starting and ending processes on this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import psutil

HOST = "127.0.0.1"
# Births are computed from the time of boot, which moves when the clock is set.
CLOCK_DRIFT = 5.0


def free_port(preferred: int = 0) -> int:
    """Return a loopback port nobody listens on: the preferred one, else any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, preferred))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def write_private(path: Path, content: object) -> None:
    """Write JSON that only its owner can read, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(content, file)
    part.replace(path)


def born(pid: int) -> float:
    """Return when a process began (epoch seconds), 0.0 if there is none; tells a reused id apart."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def kill_sessions(leaders: Mapping[int, float]) -> None:
    """Kill what is left of the sessions of ``leaders`` (id to birth).

    A session is known by the id of its leader, also after the leader itself has ended.
    """
    ours = {pid for pid, birth in leaders.items() if (now := born(pid)) == 0.0 or abs(now - birth) < CLOCK_DRIFT}
    victims = [process for process in psutil.process_iter() if _session(process.pid) in ours]
    for process in victims:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(victims, timeout=1)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def signals_as_exit() -> Callable[[], None]:
    """Let SIGTERM and SIGHUP unwind the stack like Ctrl-C does; return what undoes it.

    Without this they end Python at once and leave the started processes behind. Does nothing
    outside of the main thread, nor about a signal that the caller ignores (nohup).
    """
    before: dict[signal.Signals, Any] = {}
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _exit)
    except ValueError:
        return lambda: None

    def undo() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return undo


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
