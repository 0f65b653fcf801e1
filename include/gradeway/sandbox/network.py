"""The network between a sandbox and its clients: up or down, and how fast."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field


class Network(BaseModel):
    """The state of the network; what is not said is as usual.

    ``online``: whether anybody gets through. ``bytes_per_second``: what each connection carries.
    """

    model_config = ConfigDict(extra="forbid")

    online: bool = True
    bytes_per_second: int | None = Field(None, ge=1)

    async def carry(self, size: int) -> None:
        """Wait for as long as some bytes take."""
        if self.bytes_per_second:
            await asyncio.sleep(size / self.bytes_per_second)


class Line(Protocol):
    """What a server can do to its connections; clients are named as ASGI names them."""

    def hang_up(self, client: Any) -> None:  # noqa: ANN401
        """Drop the connection of a client."""

    def unplug(self, spared: Any) -> None:  # noqa: ANN401
        """Drop all connections but one, and refuse new ones."""

    async def plug_in(self) -> None:
        """Take connections again."""
