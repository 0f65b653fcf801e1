"""The desk: Gradeway's pages inside Airflow. Read only, for users who may read the intake's DAG.

It reads the store and the landing zone and makes nothing in either. Which file a download serves
follows from the ledger alone; a request only says which batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any, BinaryIO

from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException as AnyHttpError

from gradeway import clock, feeds
from gradeway.checks.page import body
from gradeway.checks.report import report
from gradeway.custody import expected
from gradeway.custody import overview as custody
from gradeway.errors import GradewayError, UnknownBatchError
from gradeway.orchestration import desk_gradebook
from gradeway.orchestration.connections import task_settings
from gradeway.orchestration.frame import BIGGEST_ID, TEMPLATES, Id, ReaderDep, base_of, html, reader_of
from gradeway.orchestration.reader import NothingYetError, Reader
from gradeway.reasons import Reason
from gradeway.redact import trail
from gradeway.results import board
from gradeway.results import overview as results
from gradeway.settings import Settings
from gradeway.store import browse, ledger, overview
from gradeway.store.browse import Place, Show
from gradeway.store.engine import is_away
from gradeway.store.models import Batch, BatchState

log = logging.getLogger(__name__)

INTAKE_DAG = "load_grades"
BATCHES_SHOWN = 50
GROUPS_SHOWN = 500
RECENT = timedelta(days=7)
CHUNK = 1 << 16
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STATIC = {"look.css": "text/css", "desk.css": "text/css", "desk.js": "text/javascript"}
TEXTS: dict[int, tuple[str, str]] = {
    HTTPStatus.UNAUTHORIZED: ("Please log in", "Your Airflow session has ended. Log in again, then open this page."),
    HTTPStatus.FORBIDDEN: ("Not for you", "These pages are for users who may read Gradeway's DAGs."),
    HTTPStatus.NOT_FOUND: ("No such page", "There is no page at this address."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("Read only", "These pages can only be read."),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("No such page", "This address was not understood."),
}

router = APIRouter(dependencies=[Depends(requires_access_dag("GET", param_dag_id=INTAKE_DAG))])


def build(load: Callable[[], Settings] = task_settings) -> FastAPI:
    """Return the desk as an app to be mounted in Airflow's; the settings are read when a page is."""
    app = FastAPI(title="Gradeway", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.reader = Reader(load)
    app.include_router(router)
    app.include_router(desk_gradebook.router, dependencies=router.dependencies)
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)

    @app.middleware("http")
    async def protect(request: Request, answer: Callable[[Request], Any]) -> Response:
        response: Response = await answer(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return app


Edge = Annotated[int | None, Query(ge=0, le=BIGGEST_ID)]


@router.get("/")
def batches(
    request: Request,
    reader: ReaderDep,
    state: Show | None = None,
    feed: Annotated[str | None, Query(pattern=f"^({'|'.join(feeds.FEEDS)})$")] = None,
    before: Edge = None,
    after: Edge = None,
) -> HTMLResponse:
    """Show the batches, newest first, below what the whole installation looks like."""
    place = Place(before, after)
    with reader.session() as session:
        found = browse.page(session, place, BATCHES_SHOWN, show=state, feed=feed)
        return html(
            request,
            "batches.html.j2",
            page=found,
            state=state,
            feed=feed,
            feeds=feeds.FEEDS,
            shows=list(Show),
            meanings=_meanings,
            refresh=place == Place(),
            **_cards(reader, session),
        )


def _cards(reader: Reader, session: Session) -> dict[str, Any]:
    return {
        "inbox": reader.inbox(),
        "inbox_folder": reader.zone.inbox(feeds.INBOXES[0]),
        "waiting": overview.waiting(session),
        "recent": overview.recent(session, clock.now() - RECENT),
        "attention": browse.attention(session),
        "grades": reader.grades(session),
        "parked_days": reader.settings.parked_days,
    }


def _meanings(batch: Batch) -> str:
    return "; ".join(Reason[code].meaning for code in batch.reasons or {})


@router.get("/batches/{batch_id}")
def batch_page(request: Request, reader: ReaderDep, batch_id: Id) -> HTMLResponse:
    """Show the report of a batch, as it stands now."""
    with reader.session() as session:
        batch = ledger.get(session, batch_id)
        content = report(session, batch)
        names = ("report.html", "report.json", content["reject_file"])
        there = {name for name in names if reader.has(batch, name)}
        link = f"{base_of(request)}/batches/{batch_id}/rejects" if content["reject_file"] in there else None
        shown = body(content, reader.settings) | {"reject_link": link}
        gone = not there and _should_be_there(batch)
        claimed = batch.state == BatchState.CLAIMED
        days = reader.settings.report_days
        return html(request, "batch.html.j2", there=there, gone=gone, report_days=days, refresh=claimed, **shown)


@router.get("/batches/{batch_id}/report.html")
def report_page(reader: ReaderDep, batch_id: Id) -> StreamingResponse:
    """Download the report for people."""
    return _download(reader, batch_id, lambda _: "report.html", "text/html; charset=utf-8")


@router.get("/batches/{batch_id}/report.json")
def report_data(reader: ReaderDep, batch_id: Id) -> StreamingResponse:
    """Download the report for programs."""
    return _download(reader, batch_id, lambda _: "report.json", "application/json")


@router.get("/batches/{batch_id}/rejects")
def reject_file(reader: ReaderDep, batch_id: Id) -> StreamingResponse:
    """Download the rejected rows, which hold learners' data."""
    return _download(reader, batch_id, lambda content: content["reject_file"], "text/plain; charset=utf-8")


def _download(
    reader: Reader, batch_id: int, name_in: Callable[[dict[str, Any]], str | None], media_type: str
) -> StreamingResponse:
    with reader.session() as session:
        batch = ledger.get(session, batch_id)
        name = name_in(report(session, batch))
        if name is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"Batch {batch_id} has no rejected rows, so no reject file.")
        stream = reader.open(batch, name)
        if stream is None:
            raise _missing(batch, reader.settings.report_days)
    saved_as = name if name.startswith("rejects") else f"batch-{batch_id}-{name}"
    headers = {"Content-Disposition": f'attachment; filename="{saved_as}"'}
    return StreamingResponse(_chunks(stream), media_type=media_type, headers=headers)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _should_be_there(batch: Batch) -> bool:
    return batch.state != BatchState.CLAIMED and not batch.report_due


def _missing(batch: Batch, days: int) -> HTTPException:
    if _should_be_there(batch):
        text = f"The files of batch {batch.id} were removed; reports are kept for {days} days."
        return HTTPException(HTTPStatus.GONE, text)
    return HTTPException(HTTPStatus.NOT_FOUND, f"The files of batch {batch.id} are not written yet. Look again soon.")


@router.get("/parked")
def parked(request: Request, reader: ReaderDep) -> HTMLResponse:
    """Show the rows that wait, by what they wait for."""
    with reader.session() as session:
        waiting = overview.waiting(session)
        groups = waiting[:GROUPS_SHOWN]
        return html(
            request,
            "parked.html.j2",
            groups=groups,
            hidden=len(waiting) - len(groups),
            rows=sum(group.rows for group in waiting),
            senders=browse.senders(session, groups),
            parked_days=reader.settings.parked_days,
            refresh=False,
        )


@router.get("/sessions")
def sessions(request: Request, reader: ReaderDep) -> HTMLResponse:
    """Show the exam sessions, and how many learners are done with each."""
    with reader.session() as session:
        found, total = board.board(session, reader.settings, GROUPS_SHOWN), board.count(session)
        return html(request, "sessions.html.j2", sessions=found, total=total, hidden=total - len(found), refresh=False)


@router.get("/sessions/{schedule}")
def session_page(request: Request, reader: ReaderDep, schedule: Id) -> HTMLResponse:
    """Show the attempts on a session's schedule."""
    with reader.session() as session:
        named = results.schedules(session, schedule=schedule)
        if not named:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"No session has schedule {schedule}.")
        lines = list(results.lines(session, reader.settings, schedule=schedule, limit=GROUPS_SHOWN))
        hidden = results.attempts_on(session, schedule) - len(lines)
        shown = {"name": named[0][0], "schedule": schedule, "lines": lines}
        return html(request, "session.html.j2", hidden=hidden, refresh=False, **shown)


@router.get("/offline")
def offline(request: Request, reader: ReaderDep) -> HTMLResponse:
    """Show where the result files of offline exams stand, and whose results are missing."""
    with reader.session() as session:
        standing = custody.standing(session, reader.settings)
        lacking = expected.lacking(session, reader.settings, GROUPS_SHOWN)
        return html(
            request,
            "offline.html.j2",
            standing=standing,
            lacking=lacking,
            hidden=sum(standing.expected[state] for state in expected.LACKING) - len(lacking),
            alert_days=reader.settings.aqr_alert_days,
            shown=GROUPS_SHOWN,
            refresh=False,
        )


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Serve a style sheet or script of these pages."""
    if name not in STATIC or TEMPLATES.loader is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return Response(TEMPLATES.loader.get_source(TEMPLATES, name)[0], media_type=STATIC[name])


def _message(request: Request, status: int, title: str, text: str) -> HTMLResponse:
    again = status == HTTPStatus.SERVICE_UNAVAILABLE
    content = {"base": base_of(request), "title": title, "text": text, "refresh": again}
    return HTMLResponse(TEMPLATES.get_template("message.html.j2").render(content), int(status), HEADERS)


def _refuse(request: Request, error: Exception) -> HTMLResponse:
    """Answer an HTTP error as a page; the texts of this module say more than Airflow's."""
    status, detail = (error.status_code, error.detail) if isinstance(error, AnyHttpError) else (500, "")
    title, text = TEXTS.get(status, (HTTPStatus(status).phrase, ""))
    own = status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE} and detail != HTTPStatus(status).phrase
    return _message(request, status, title, detail if own else text)


def _misunderstand(request: Request, _error: Exception) -> HTMLResponse:
    return _message(request, HTTPStatus.UNPROCESSABLE_ENTITY, *TEXTS[HTTPStatus.UNPROCESSABLE_ENTITY])


def _unknown(request: Request, error: Exception) -> HTMLResponse:
    return _message(request, HTTPStatus.NOT_FOUND, "No such batch", f"{str(error).partition(';')[0].capitalize()}.")


def _begin(request: Request, _error: Exception) -> HTMLResponse:
    """Answer while the store has no tables: say how to begin."""
    reader = reader_of(request)
    content = {"inbox_folder": reader.zone.inbox(feeds.INBOXES[0]), "inbox": reader.inbox(), "refresh": True}
    return html(request, "begin.html.j2", **content)


def _apologise(request: Request, error: Exception) -> HTMLResponse:
    """Answer a failure that Gradeway raised on purpose; its texts are fit to be shown."""
    log.error("the desk cannot answer: %s", error)
    return _message(request, HTTPStatus.SERVICE_UNAVAILABLE, "Gradeway cannot answer now", f"{error}.")


def _blame_database(request: Request, error: Exception) -> HTMLResponse:
    """Answer a failure of the database; its own words can hold an address or data and are not shown."""
    log.error("the store failed: %s", trail(error))
    if not (isinstance(error, DBAPIError) and is_away(error)):
        return _fail(request, error)
    text = "The store cannot be reached. Nothing that landed is lost meanwhile. This page tries again by itself."
    return _message(request, HTTPStatus.SERVICE_UNAVAILABLE, "The database is away", text)


def _fail(request: Request, _error: Exception) -> HTMLResponse:
    """Answer a defect; the server logs it with its traceback after this."""
    text = "Something unexpected happened. The log of Airflow's API server says what."
    return _message(request, HTTPStatus.INTERNAL_SERVER_ERROR, "This page failed", text)


HANDLERS: dict[type[Exception], Callable[[Request, Exception], HTMLResponse]] = {
    AnyHttpError: _refuse,
    RequestValidationError: _misunderstand,
    UnknownBatchError: _unknown,
    NothingYetError: _begin,
    GradewayError: _apologise,
    SQLAlchemyError: _blame_database,
    Exception: _fail,
}
