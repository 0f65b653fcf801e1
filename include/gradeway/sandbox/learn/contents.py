"""Contents: folders, and assignments with their grade columns.

Source: the vendor's description of its public API, and contents that real sites answered. In a
Classic course the top level holds folders only; in an Ultra course it is one folder, ROOT, which
holds the rest. Folders and assignments are all the kinds of content that this sandbox makes.
Where the sources are silent: a column that takes any number of attempts has 0 attemptsAllowed,
and the title of an assignment and the name of its column are changed one by one.
"""

from __future__ import annotations

from datetime import datetime

from gradeway.sandbox.documents import Document, Documents, Where, among
from gradeway.sandbox.frame import Refused
from gradeway.sandbox.learn import access, columns, grades, schemas
from gradeway.sandbox.learn.asked import Asked
from gradeway.sandbox.learn.bodies import ContentChange, NewAssignment, NewContent, given, read
from gradeway.sandbox.learn.forms import merged, own_key, primary, stamp
from gradeway.sandbox.learn.model import ALIVE, equals, first, is_ultra, named, next_key, of_course

FOLDER = "resource/x-bb-folder"
# By the kind of course: what an assignment is, and what gives its column the scores.
CLASSIC = ("resource/x-bb-assignment", "resource/x-bb-assignment")
ULTRA = ("resource/x-bb-asmt-test-link", "resource/x-bb-assessment")
ROOT, TOP = "ROOT", Where('"parentId" IS NULL')
MOST_ATTEMPTS = 10  # of an Ultra assignment
AVAILABILITY: Document = {"available": "Yes", "allowGuests": True, "allowObservers": True, "adaptiveRelease": {}}
ORDER = '"position", key'


def give(documents: Documents, course: Document, at: str) -> None:
    """Give a new course the content that every course has."""
    if is_ultra(course):
        _put_new(documents, course, None, {"title": ROOT, "contentHandler": {"id": FOLDER}}, at)


def list_contents(asked: Asked) -> Document:
    """List the contents at the top of a course, or all of them."""
    asked.need(*access.READ_CONTENT)
    return _page(asked, Where() if asked.flag("recursive") else TOP)


def list_children(asked: Asked) -> Document:
    """List the contents of a folder, or all below it."""
    asked.need(*access.READ_CONTENT)
    parent = _content(asked)
    below = _tree(asked.documents, parent) if asked.flag("recursive") else [parent]
    return _page(asked, among('"parentId"', [found["id"] for found in below]))


def get_content(asked: Asked) -> Document:
    """Return a content item."""
    asked.need(*access.READ_CONTENT)
    return _content(asked)


def create_content(asked: Asked) -> Document:
    """Create a folder at the top of a course."""
    _need_to_change(asked, access.CREATE_CONTENT)
    course, body = asked.course, read(NewContent, asked.body)
    if is_ultra(course) or body.parent_id:
        return _create(asked, course, _parent(asked, course, body.parent_id), body)
    if body.content_handler.id != FOLDER:
        raise Refused(400, "contentHandler: the top level of a Classic course holds folders only.")
    return _create(asked, course, None, body)


def create_child(asked: Asked) -> Document:
    """Create a folder in a folder."""
    _need_to_change(asked, access.CREATE_CONTENT)
    course, body = asked.course, read(NewContent, asked.body)
    return _create(asked, course, _folder(_content(asked), "The content item"), body)


def create_assignment(asked: Asked) -> Document:
    """Create an assignment: a content item, and its column of attempts."""
    body = read(NewAssignment, asked.body)
    _need_for_assignment(asked, body)
    course, at = asked.course, stamp(asked.now)
    parent = _parent(asked, course, body.parent_id)
    _check_assignment(course, body)
    handler, provider = ULTRA if is_ultra(course) else CLASSIC
    kept = {name: value for name, value in given(body).items() if name in {"title", "description", "position"}}
    kept |= {"body": body.instructions, "availability": given(body.availability), "hasGradebookColumns": True}
    content = _put_new(asked.documents, course, parent, kept | {"contentHandler": {"id": handler}}, at)
    column = _column(asked, course, body) | {"contentId": content["id"], "scoreProviderHandle": provider}
    column = columns.put_new(asked.documents, course, column, at)
    content["contentHandler"]["gradeColumnId"] = column["id"]
    asked.documents.put("Contents", own_key(content), content)
    made = {"contentId": content["id"], "gradeColumnId": column["id"], "attachmentIds": []}
    return made | ({"assessmentId": content["id"], "questionIds": []} if is_ultra(course) else {})


def change_content(asked: Asked) -> Document:
    """Change a content item, or move it."""
    _need_to_change(asked, access.CHANGE_CONTENT)
    course, content, body = asked.course, _content(asked), read(ContentChange, asked.body)
    changes = given(body)
    if body.parent_id:
        parent = _parent(asked, course, body.parent_id)
        if parent["id"] in {found["id"] for found in _tree(asked.documents, content)}:
            raise Refused(400, "parentId: a folder cannot be moved into itself.")
        changes["parentId"] = parent["id"]
    changed = merged(content, changes) | {"modified": stamp(asked.now)}
    if {"parentId", "position"} & changes.keys():
        changed = _placed(asked.documents, changed, changes.get("position"))
    return asked.documents.put("Contents", own_key(content), changed)


def delete_content(asked: Asked) -> None:
    """Delete a content item and what is below it; columns go with it, or become manual ones."""
    _need_to_change(asked, access.DELETE_CONTENT)
    course, content, with_grades = asked.course, _content(asked), asked.flag("deleteGrades")
    if "parentId" not in content:
        raise Refused(400, "Top level content folders cannot be deleted.")
    tree = _tree(asked.documents, content)
    found = [column for item in tree if (column := _column_of(asked.documents, course, item))]
    if is_ultra(course) and any(asked.documents.count("Attempts", columns.within(column)) for column in found):
        raise Refused(409, "An assessment with responses cannot be deleted.")
    for column in found:
        if with_grades:
            columns.delete(asked.documents, column)
        else:
            _detach(asked.documents, column, asked.now)
    for item in tree:
        asked.documents.put("Contents", own_key(item), item | {"_deleted": 1})


def _page(asked: Asked, where: Where) -> Document:
    where = where & of_course(asked.course) & ALIVE & asked.like("title")
    where = where & asked.since("created") & asked.since("modified")
    if "contentHandler" in asked.query:
        where = where & equals("_handler", asked.query["contentHandler"])
    return asked.page("Contents", where, order=ORDER)


def _need_to_change(asked: Asked, entitlement: str) -> None:
    asked.need_to_change(entitlement)
    allowed = asked.flag("allowChildCourseContent")
    if asked.course.get("parentId") and not allowed:
        raise Refused(400, "The contents of a child course are changed with allowChildCourseContent only.")


def _content(asked: Asked) -> Document:
    return _item(asked.documents, asked.course, asked.ids["content"])


def _item(documents: Documents, course: Document, text: str) -> Document:
    if text == "root" and is_ultra(course):
        text = (first(documents, "Contents", of_course(course) & TOP) or {})["id"]
    return named(documents, "Contents", text, {}, of_course(course) & ALIVE)


def _parent(asked: Asked, course: Document, text: str) -> Document:
    """Return the folder that a body names; ROOT if it names none in an Ultra course."""
    if not text and not is_ultra(course):
        raise Refused(400, "parentId: an item of a Classic course is in a folder.")
    try:
        found = _item(asked.documents, course, text or "root")
    except Refused as refused:
        raise Refused(400, f"parentId: {refused.message}") from None
    return _folder(found, "parentId")


def _folder(content: Document, what: str) -> Document:
    if content["contentHandler"]["id"] != FOLDER:
        raise Refused(400, f"{what}: only a folder has children.")
    return content


def _children(documents: Documents, course: int, parent_id: str | None) -> list[Document]:
    where = equals("parentId", parent_id) if parent_id else TOP
    return documents.find("Contents", equals("_course", course) & ALIVE & where, order=ORDER)


def _tree(documents: Documents, content: Document) -> list[Document]:
    """Return a content item and all that is below it, parents before children."""
    found = [content]
    for item in found:
        found += _children(documents, content["_course"], item["id"])
    return found


def _create(asked: Asked, course: Document, parent: Document | None, body: NewContent) -> Document:
    if body.content_handler.id != FOLDER:
        raise Refused(501, f"{body.content_handler.id} is documented, but not part of this sandbox.")
    return _put_new(asked.documents, course, parent, given(body), stamp(asked.now))


def _put_new(documents: Documents, course: Document, parent: Document | None, content: Document, at: str) -> Document:
    key = next_key(documents, "Contents")
    handler = content["contentHandler"]["id"]
    least = {
        "id": primary(key),
        "created": at,
        "modified": at,
        "hasChildren": True if handler == FOLDER else None,
        "launchInNewWindow": False,
        "reviewable": False,
        "availability": AVAILABILITY,
        "_course": own_key(course),
        "_handler": handler,
    }
    made = merged(least, content) | ({"parentId": parent["id"]} if parent else {})
    return documents.put("Contents", key, _placed(documents, made, content.get("position")))


def _placed(documents: Documents, content: Document, position: int | None) -> Document:
    """Return a content item with its place among its siblings, the last one if none is named; they make room."""
    siblings = _children(documents, content["_course"], content.get("parentId"))
    others = [sibling for sibling in siblings if sibling["id"] != content["id"]]
    place = len(others) if position is None else min(position, len(others))
    for number, other in enumerate(others):
        documents.put("Contents", own_key(other), other | {"position": number + (number >= place)})
    return content | {"position": place}


def _need_for_assignment(asked: Asked, body: NewAssignment) -> None:
    _need_to_change(asked, access.CREATE_CONTENT)
    needed = [access.GRADEBOOK]
    if is_ultra(asked.course):
        needed += access.CREATE_ASSESSMENT
        needed += [access.CHANGE_ASSESSMENT] if body.instructions or body.file_upload_ids else []
    elif body.file_upload_ids:
        needed += [access.CHANGE_CONTENT]
    for name in needed:
        asked.need(name)


def _check_assignment(course: Document, body: NewAssignment) -> None:
    if body.file_upload_ids:
        raise Refused(501, "fileUploadIds is documented, but not part of this sandbox.")
    grading = body.grading
    most = MOST_ATTEMPTS if is_ultra(course) and not grading.is_unlimited_attempts_allowed else grading.attempts_allowed
    if grading.attempts_allowed > most:
        raise Refused(400, f"grading.attemptsAllowed: an Ultra assignment takes at most {MOST_ATTEMPTS}.")


def _column(asked: Asked, course: Document, body: NewAssignment) -> Document:
    grading = body.grading
    if grading.grade_schema_id:
        schema_id = columns.schema_id(asked, course, grading.grade_schema_id, "grading.gradeSchemaId")
    else:
        schema_id = schemas.titled(asked.documents, course, schemas.SCORE)["id"]
    return {
        "name": body.title,
        "score": {"possible": body.score.possible},
        "grading": {
            "type": "Attempts",
            "due": grading.due or body.availability.adaptive_release.end,
            "attemptsAllowed": 0 if grading.is_unlimited_attempts_allowed else grading.attempts_allowed,
            "scoringModel": "Last",
            "schemaId": schema_id,
        },
    }


def _column_of(documents: Documents, course: Document, content: Document) -> Document | None:
    return first(documents, "Columns", of_course(course) & ALIVE & equals("contentId", content["id"]))


def _detach(documents: Documents, column: Document, now: datetime) -> None:
    """Make a column of attempts a manual one; what the attempts made of a grade is as if entered by a person."""
    for grade in grades.grades_of(documents, column):
        score = grades.score_of(grade)
        if score is not None:
            grades.put_grade(documents, column, grade["userId"], {"score": score, "_attempted": None}, now)
    manual = merged(column, {"contentId": None, "scoreProviderHandle": None, "grading": {"type": "Manual"}})
    documents.put("Columns", own_key(column), manual)
