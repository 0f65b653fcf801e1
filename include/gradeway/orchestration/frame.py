"""What the desk's pages share: the reader behind them, their templates, and the frame around each."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse
from jinja2 import PackageLoader

from gradeway import clock
from gradeway.checks.page import environment
from gradeway.orchestration.reader import Reader

BIGGEST_ID = 2**31 - 1
TEMPLATES = environment([PackageLoader("gradeway.orchestration")])


def reader_of(request: Request) -> Reader:
    """Return the installation that a request is about."""
    reader: Reader = request.app.state.reader
    return reader


ReaderDep = Annotated[Reader, Depends(reader_of)]
Id = Annotated[int, InPath(ge=1, le=BIGGEST_ID)]


def base_of(request: Request) -> str:
    """Return the path under which Airflow serves this app, behind whatever proxy."""
    return str(request.scope.get("root_path", ""))


def html(request: Request, template: str, **content: object) -> HTMLResponse:
    """Answer with a page."""
    base = base_of(request)

    def link(**wanted: object) -> str:
        query = urlencode({name: value for name, value in wanted.items() if value is not None})
        return f"{base}/?{query}" if query else f"{base}/"

    frame = {"base": base, "link": link, "zone": reader_of(request).settings.zone, "now": clock.now()}
    return HTMLResponse(TEMPLATES.get_template(template).render(frame | content))
