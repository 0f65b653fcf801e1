"""The process of a sandbox: it listens on loopback only, says when it is ready, and ends on SIGTERM."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from gradeway.errors import SettingsError
from gradeway.sandbox.control import application
from gradeway.sandbox.frame import Frame

HOST = "127.0.0.1"
# Connections that a fault holds would otherwise keep the process from ending.
GRACE_SECONDS = 1


class _Server(uvicorn.Server):
    """A server that tells its origin once it really listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell."""
        await super().startup(sockets)
        self._ready()

    def hang_up(self, client: Any) -> None:  # noqa: ANN401  (as ASGI has it)
        """Drop the connection of a client."""
        for connection in list(self.server_state.connections):
            if client and getattr(connection, "client", None) == tuple(client):
                connection.transport.abort()


def serve(frame: Frame, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; ``ready`` is called with the origin once the port listens.

    Raises:
        SettingsError: the port cannot be used.
    """
    listening = _listen(port)
    origin = f"http://{HOST}:{listening.getsockname()[1]}"
    config = uvicorn.Config(
        application(frame), lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS
    )
    server = _Server(config, lambda: ready(origin))
    frame.hang_up = server.hang_up
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    with listening:
        server.run([listening])


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        msg = f"port {port} cannot be used: {error.strerror}"
        raise SettingsError(msg) from None
    return listening


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
