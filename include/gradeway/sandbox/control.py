"""The control paths: how a test reads the log, asks for faults, sets the time and plays a person."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from gradeway.sandbox.faults import Fault
from gradeway.sandbox.frame import Control, Frame, Refused
from gradeway.sandbox.network import Network


class Time(BaseModel):
    """The time to stand still at; null for the real time."""

    model_config = ConfigDict(extra="forbid")

    now: AwareDatetime | None


def application(frame: Frame) -> FastAPI:
    """Return the whole application: the control paths, and the vendor's service everywhere else."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    _add_log(app, frame)
    _add_faults(app, frame)
    _add_clock(app, frame)
    _add_network(app, frame)
    for name, control in frame.vendor.controls.items():
        _add_control(app, frame, name, control)
    app.mount("/", frame)
    return app


def _add_log(app: FastAPI, frame: Frame) -> None:
    @app.get("/_sandbox/log")
    async def log(after: int = 0) -> list[dict[str, Any]]:
        return frame.journal.after(after)


def _add_faults(app: FastAPI, frame: Frame) -> None:
    @app.get("/_sandbox/faults")
    async def left() -> list[Fault]:
        return frame.faults.left

    @app.post("/_sandbox/faults")
    async def add(faults: list[Fault]) -> list[Fault]:
        unknown = {fault.body for fault in faults} - {"", *frame.vendor.shapes}
        if unknown:
            raise HTTPException(422, f"no such body: {sorted(unknown)}; there are {sorted(frame.vendor.shapes)}")
        frame.faults.left += faults
        return frame.faults.left

    @app.delete("/_sandbox/faults", status_code=204)
    async def clear() -> Response:
        frame.faults.left = []
        return Response(status_code=204)


def _add_clock(app: FastAPI, frame: Frame) -> None:
    @app.get("/_sandbox/clock")
    async def tell() -> dict[str, str]:
        return {"now": frame.clock.now().isoformat()}

    @app.post("/_sandbox/clock")
    async def move(time: Time) -> dict[str, str]:
        frame.clock.fixed = time.now
        return {"now": frame.clock.now().isoformat()}


def _add_network(app: FastAPI, frame: Frame) -> None:
    @app.get("/_sandbox/network")
    async def tell() -> Network:
        return frame.network

    @app.post("/_sandbox/network")
    async def connect(network: Network, request: Request) -> Network:
        await frame.connect(network, request.client)
        return frame.network


def _add_control(app: FastAPI, frame: Frame, name: str, control: Control) -> None:
    @app.post(f"/_sandbox/{name}", response_model=None)
    async def run(body: dict[str, Any]) -> dict[str, Any] | Response:
        try:
            done, _ = frame.vendor.documents.run(lambda: control(body, frame.clock.now()))
        except Refused as refused:
            raise HTTPException(refused.status, refused.message) from None
        return Response(done, media_type="application/octet-stream") if isinstance(done, bytes) else done
