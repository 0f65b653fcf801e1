"""The desk's pages on courses: their grades, what of them is published, and the life of each grade."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse

from gradeway.orchestration.frame import BIGGEST_ID, Id, ReaderDep, html
from gradeway.publish import overview
from gradeway.publish.why import life_of
from gradeway.store import gradebook
from gradeway.store.models import Course, GradeColumn, Learner

LEARNERS_SHOWN = 200
LINES_SHOWN = 200

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
Start = Annotated[int, Query(ge=0, le=BIGGEST_ID)]

router = APIRouter()


@router.get("/gradebook")
def courses(request: Request, reader: ReaderDep) -> HTMLResponse:
    """Show how publishing stands, and every course."""
    with reader.session() as session:
        return html(
            request,
            "gradebook.html.j2",
            standing=overview.standing(session, reader.settings.publish_target, reader.settings),
            courses=overview.courses(session, reader.settings.publish_target),
            conflicts=overview.conflicts(session, reader.settings.publish_target, limit=LINES_SHOWN),
            refresh=False,
        )


@router.get("/gradebook/{course_id}")
def course_page(
    request: Request,
    reader: ReaderDep,
    course_id: Id,
    learner: Annotated[str | None, Query(max_length=333)] = None,
) -> HTMLResponse:
    """Show the grades of a course, and what is in the way of publishing them."""
    with reader.session() as session:
        course = session.get(Course, course_id)
        book = gradebook.gradebook(session, course.source_id, learner=learner or None) if course else None
        if course is None or book is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no course {course_id}.")
        names = list(book.learners)[:LEARNERS_SHOWN]
        return html(
            request,
            "course.html.j2",
            course=course,
            book=book,
            learners={name: book.learners[name] for name in names},
            ids=overview.learner_ids(session, names),
            hidden=len(book.learners) - len(names),
            asked=learner,
            problems=overview.problems(session, reader.settings.publish_target, course.source_id, LINES_SHOWN),
            conflicts=overview.conflicts(session, reader.settings.publish_target, course.source_id, limit=LINES_SHOWN),
            refresh=False,
        )


@router.get("/gradebook/plans/{digest}")
def plan_page(request: Request, reader: ReaderDep, digest: Digest, start: Start = 0) -> HTMLResponse:
    """Show the calls of a plan, each with what is there before and after it."""
    with reader.session() as session:
        found = overview.plan_page(session, reader.settings.publish_target, digest, start, LINES_SHOWN)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such plan: by now other calls would be made.")
        shown = start + len(found.calls)
        return html(request, "plan.html.j2", plan=found, first=start + 1, last=shown, size=LINES_SHOWN, refresh=False)


@router.get("/gradebook/{course_id}/{column_id}/{learner_id}")
def grade_page(request: Request, reader: ReaderDep, course_id: Id, column_id: Id, learner_id: Id) -> HTMLResponse:
    """Show why a learner has a grade: the life of it."""
    with reader.session() as session:
        column, learner = session.get(GradeColumn, column_id), session.get(Learner, learner_id)
        if column is None or learner is None or column.course_id != course_id:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such grade.")
        found = life_of(session, reader.settings.publish_target, column, learner)
        return html(request, "grade.html.j2", life=found, course_id=course_id, refresh=False)
