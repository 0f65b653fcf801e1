"""The process of a sandbox: it listens on loopback only, says when it is ready, and ends on SIGTERM."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Any

import uvicorn

from gradeway.errors import SettingsError
from gradeway.sandbox.control import application
from gradeway.sandbox.frame import Frame

HOST = "127.0.0.1"
# Connections that a fault holds would otherwise keep the process from ending.
GRACE_SECONDS = 1

# Called with the origins of the vendor's paths and of the control paths.
Ready = Callable[[str, str], None]


class _Server(uvicorn.Server):
    """A server that tells its origins once it really listens, and whose first port can go away."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], *, can_refuse: bool) -> None:
        super().__init__(config)
        self._ready = ready
        self._can_refuse = can_refuse
        self._bound: socket.socket | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell."""
        await super().startup(sockets)
        self._ready()

    def hang_up(self, client: Any) -> None:  # noqa: ANN401
        """Drop the connection of a client."""
        for connection in self._connections():
            if client and connection.client == tuple(client):
                connection.transport.abort()

    def unplug(self, spared: Any) -> None:  # noqa: ANN401
        """Drop all connections to the first port but one, and refuse new ones if there is another port."""
        address = self.servers[0].sockets[0].getsockname()
        if self._can_refuse:
            self.servers.pop(0).close()
            # Bound without listening, the port stays ours, and whoever connects is refused.
            self._bound = _bind(address[1], listen=False)
        for connection in self._connections():
            if connection.server == address and connection.client != (tuple(spared) if spared else None):
                connection.transport.abort()

    async def plug_in(self) -> None:
        """Take connections again."""
        if self._bound:
            bound, self._bound, others = self._bound, None, self.servers
            await super().startup([bound])
            self.servers += others

    def _connections(self) -> list[Any]:
        return [found for found in self.server_state.connections if getattr(found, "client", None)]


def serve(frame: Frame, port: int, ready: Ready, control_port: int | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; ``ready`` is called once the ports listen.

    With a control port the sandbox can be reached there when it is offline.

    Raises:
        SettingsError: a port cannot be used.
    """
    with ExitStack() as stack:
        ports = [port] if control_port is None else [port, control_port]
        listening = [stack.enter_context(_bind(number)) for number in ports]
        origins = [f"http://{HOST}:{found.getsockname()[1]}" for found in listening]
        server = _Server(_config(frame), lambda: ready(origins[0], origins[-1]), can_refuse=len(ports) > 1)
        frame.line = server
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        server.run(listening)


def _config(frame: Frame) -> uvicorn.Config:
    return uvicorn.Config(
        application(frame),
        loop="asyncio",  # it stops listening at once when it is told to
        lifespan="off",
        log_config=None,
        access_log=False,
        date_header=False,  # the frame says its own time
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _bind(port: int, *, listen: bool = True) -> socket.socket:
    # of a protocol that is named, so that small answers are sent at once
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
        if listen:
            bound.listen()
    except OSError as error:
        bound.close()
        remedy = "end what uses it, as another sandbox or `make run`, or choose another port"
        msg = f"port {port} cannot be used: {error.strerror}; {remedy}"
        raise SettingsError(msg) from None
    return bound


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
