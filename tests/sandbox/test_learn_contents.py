"""Learn's contents: folders, and assignments that bring a column of attempts with them."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.sandboxes import Site
from sandbox.gradebooks import CLASSIC, LEARNER, ULTRA, Book, new_name

FOLDER = {"id": "resource/x-bb-folder"}
CHILD = "PHY300-A"


@pytest.fixture(params=[CLASSIC, ULTRA])
def book(request: pytest.FixtureRequest, site: Site) -> Book:
    return Book(site, request.param)


@pytest.fixture
def folder(book: Book) -> str:
    """The ID of a folder of the test's own, below the top."""
    return str(make_folder(book)["id"])


def make_folder(book: Book, parent: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    url = f"{book.contents}/{parent}/children" if parent else book.contents
    made: dict[str, Any] = book.site.ask(
        "POST", url, {"title": new_name("Folder"), "contentHandler": FOLDER} | more, 201
    )
    return made


def make_assignment(book: Book, parent: str, status: int = 201, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    body = {"parentId": parent, "title": new_name("Essay")} | more
    made: dict[str, Any] = book.site.ask("POST", f"{book.contents}/createAssignment", body, status)
    return made


def content(book: Book, key: str) -> dict[str, Any]:
    found: dict[str, Any] = book.site.ask("GET", f"{book.contents}/{key}")
    return found


def column(book: Book, key: str) -> dict[str, Any]:
    found: dict[str, Any] = book.site.ask("GET", f"{book.path}/columns/{key}")
    return found


def titles(book: Book, key: str, query: str = "") -> list[str]:
    return [found["title"] for found in book.site.every(f"{book.contents}/{key}/children{query}")]


def test_the_top_of_an_ultra_course_is_one_folder(site: Site) -> None:
    book = Book(site, ULTRA)
    [root] = site.every(book.contents)
    assert (root["title"], root["contentHandler"], root["hasChildren"]) == ("ROOT", FOLDER, True)
    assert "parentId" not in root
    assert content(book, "root") == root
    made = make_folder(book)
    assert made["parentId"] == root["id"]
    assert site.every(book.contents) == [root]
    assert made in site.every(f"{book.contents}/root/children?recursive=true")


def test_the_top_of_a_classic_course_holds_folders(site: Site) -> None:
    book = Book(site)
    made = make_folder(book)
    assert "parentId" not in made
    assert made in site.every(book.contents)
    document = {"title": "d", "contentHandler": {"id": "resource/x-bb-document"}}
    assert "folders only" in site.message("POST", book.contents, 400, document)
    assert "folder" in make_assignment(book, "", 400)["message"]
    site.message("GET", f"{book.contents}/root", 400)


def test_a_new_folder_is_completed(book: Book) -> None:
    end = {"adaptiveRelease": {"end": "2026-06-30T22:00:00.000Z"}}
    made = make_folder(book, description="d", availability={"available": "No", **end})
    assert made["availability"] == {"available": "No", "allowGuests": True, "allowObservers": True, **end}
    assert (made["hasChildren"], made["contentHandler"]) == (True, FOLDER)
    assert content(book, made["id"]) == made


@pytest.mark.parametrize(
    ("body", "status", "what"),
    [
        ({"contentHandler": FOLDER}, 400, "title"),
        ({"title": "", "contentHandler": FOLDER}, 400, "title"),
        ({"title": "t"}, 400, "contentHandler"),
        ({"title": "t", "contentHandler": {"id": "resource/x-bb-document"}}, 501, "document"),
        ({"title": "t", "contentHandler": FOLDER, "description": "d" * 751}, 400, "description"),
        ({"title": "t", "contentHandler": FOLDER, "availability": {"available": "Maybe"}}, 400, "available"),
        ({"title": "t", "contentHandler": FOLDER, "position": -1}, 400, "position"),
        ({"title": "t", "contentHandler": FOLDER, "created": "2026-01-01T00:00:00Z"}, 400, "created"),
    ],
)
def test_a_wrong_folder_is_refused(body: dict[str, Any], status: int, what: str, book: Book, folder: str) -> None:
    assert what in book.site.message("POST", f"{book.contents}/{folder}/children", status, body)
    assert titles(book, folder) == []


def test_folders_lie_in_folders(book: Book, folder: str) -> None:
    inner = make_folder(book, folder)
    deep = make_folder(book, inner["id"])
    assert (inner["parentId"], deep["parentId"]) == (folder, inner["id"])
    assert titles(book, folder) == [inner["title"]]
    assert titles(book, folder, "?recursive=true") == [inner["title"], deep["title"]]
    assert titles(book, folder, f"?recursive=true&title={deep['title'].upper()}") == [deep["title"]]
    assert titles(book, folder, "?contentHandler=resource/x-bb-assignment") == []
    assert titles(book, folder, "?recursive=true&contentHandler=resource/x-bb-folder&limit=1") == [
        inner["title"],
        deep["title"],
    ]
    by_body = book.site.ask("POST", book.contents, {"title": "b", "parentId": folder, "contentHandler": FOLDER}, 201)
    assert by_body["parentId"] == folder
    book.site.message("POST", book.contents, 400, {"title": "b", "parentId": "_800999_1", "contentHandler": FOLDER})


def test_items_have_places_among_each_other(book: Book, folder: str) -> None:
    for number in range(3):
        make_folder(book, folder, title=f"{number}")
    make_folder(book, folder, title="new", position=1)
    assert titles(book, folder) == ["0", "new", "1", "2"]
    last = book.site.every(f"{book.contents}/{folder}/children")[-1]
    moved = book.site.ask("PATCH", f"{book.contents}/{last['id']}", {"position": 0})
    assert moved["position"] == 0
    make_folder(book, folder, title="far", position=99)
    found = book.site.every(f"{book.contents}/{folder}/children")
    assert [(item["title"], item["position"]) for item in found] == [
        ("2", 0), ("0", 1), ("new", 2), ("1", 3), ("far", 4),
    ]  # fmt: skip


def test_an_item_is_changed_and_moved(book: Book, folder: str) -> None:
    inner, other = make_folder(book, folder), make_folder(book)
    url = f"{book.contents}/{inner['id']}"
    changes = {"title": "New", "description": "d", "availability": {"available": "PartiallyVisible"}}
    changed = book.site.ask("PATCH", url, changes)
    assert changed["availability"] == inner["availability"] | {"available": "PartiallyVisible"}
    assert (changed["title"], changed["parentId"]) == ("New", folder)
    moved = book.site.ask("PATCH", url, {"parentId": other["id"]})
    assert (moved["parentId"], titles(book, folder), titles(book, other["id"])) == (other["id"], [], ["New"])
    assert "itself" in book.site.message("PATCH", f"{book.contents}/{other['id']}", 400, {"parentId": inner["id"]})
    book.site.message("PATCH", url, 400, {"title": None})
    book.site.message("PATCH", f"{book.contents}/_800999_1", 404, {"title": "x"})


def test_an_assignment_is_a_content_item_and_a_column_of_attempts(book: Book, folder: str) -> None:
    ultra = book.course == ULTRA
    made = make_assignment(book, folder, title="Essay", instructions="<p>Do it.</p>", description="d")
    assert made.keys() == {"contentId", "gradeColumnId", "attachmentIds"} | (
        {"assessmentId", "questionIds"} if ultra else set()
    )
    item, own = content(book, made["contentId"]), column(book, made["gradeColumnId"])
    assert item["contentHandler"] == {
        "id": "resource/x-bb-asmt-test-link" if ultra else "resource/x-bb-assignment",
        "gradeColumnId": own["id"],
    }
    assert (item["title"], item["body"], item["parentId"], item["position"]) == ("Essay", "<p>Do it.</p>", folder, 0)
    assert item["hasGradebookColumns"] is True
    assert "hasChildren" not in item
    assert (own["name"], own["contentId"], own["score"]) == ("Essay", item["id"], {"possible": 100})
    assert own["grading"] == {
        "type": "Attempts",
        "attemptsAllowed": 1,
        "scoringModel": "Last",
        "schemaId": book.schema("Score"),
        "anonymousGrading": {"type": "None"},
    }
    assert book.site.every(f"{book.path}/columns?contentId={item['id']}") == [own]
    assert book.patch(own, score=70)["score"] == 70


def test_an_assignment_takes_its_settings(book: Book, folder: str) -> None:
    release = {"start": "2026-01-06T00:00:00.000Z", "end": "2026-02-01T22:59:00.000Z"}
    made = make_assignment(
        book,
        folder,
        availability={"available": "No", "adaptiveRelease": release},
        grading={"attemptsAllowed": 10, "gradeSchemaId": book.schema("Letter")},
        score={"possible": 12.5},
    )
    own = column(book, made["gradeColumnId"])
    assert own["grading"]["due"] == release["end"]
    assert (own["grading"]["attemptsAllowed"], own["grading"]["schemaId"]) == (10, book.schema("Letter"))
    assert float(own["score"]["possible"]) == 12.5
    shown = content(book, made["contentId"])["availability"]
    assert (shown["available"], shown["adaptiveRelease"]) == ("No", release)
    due = "2026-01-31T22:59:00.000Z"
    made = make_assignment(book, folder, availability={"adaptiveRelease": release}, grading={"due": due}, position=0)
    assert column(book, made["gradeColumnId"])["grading"]["due"] == due
    assert content(book, made["contentId"])["position"] == 0


def test_attempts_are_limited_in_ultra_only_unless_there_is_no_limit(book: Book, folder: str) -> None:
    status = 400 if book.course == ULTRA else 201
    answer = make_assignment(book, folder, status, grading={"attemptsAllowed": 11})
    assert ("at most 10" in answer.get("message", "")) == (status == 400)
    made = make_assignment(book, folder, grading={"attemptsAllowed": 11, "isUnlimitedAttemptsAllowed": True})
    assert column(book, made["gradeColumnId"])["grading"]["attemptsAllowed"] == 0


@pytest.mark.parametrize(
    ("body", "status", "what"),
    [
        ({"title": ""}, 400, "title"),
        ({"parentId": "_800999_1"}, 400, "parentId"),
        ({"grading": {"gradeSchemaId": "_500999_1"}}, 400, "grading.gradeSchemaId"),
        ({"grading": {"attemptsAllowed": 0}}, 400, "grading.attemptsAllowed"),
        ({"grading": {"due": "2026-01-31"}}, 400, "grading.due"),
        ({"score": {"possible": -1}}, 400, "score.possible"),
        ({"anonymous": True}, 400, "anonymous"),
        ({"fileUploadIds": ["x"]}, 501, "fileUploadIds"),
    ],
)
def test_a_wrong_assignment_is_refused_whole(
    body: dict[str, Any], status: int, what: str, book: Book, folder: str
) -> None:
    columns = len(book.site.every(f"{book.path}/columns"))
    assert what in make_assignment(book, folder, status, **body)["message"]
    assert titles(book, folder) == []
    assert len(book.site.every(f"{book.path}/columns")) == columns


def test_only_folders_have_children(book: Book, folder: str) -> None:
    made = make_assignment(book, folder)
    body = {"title": "x", "contentHandler": FOLDER}
    assert "folder" in book.site.message("POST", f"{book.contents}/{made['contentId']}/children", 400, body)
    assert "parentId" in make_assignment(book, made["contentId"], 400)["message"]


def test_deleting_an_assignment_leaves_its_grades_as_if_entered_by_hand(site: Site) -> None:
    book = Book(site)
    folder = make_folder(book)["id"]
    made = make_assignment(book, folder)
    own = column(book, made["gradeColumnId"])
    site.play(CLASSIC, "attempt", column=own["id"], user=LEARNER, score=7)
    before = book.grade(own)["changeIndex"]
    url = f"{book.contents}/{made['contentId']}"
    assert site.ask("DELETE", url, status=204) is None
    site.message("GET", url, 404)
    left = column(book, own["id"])
    assert left["grading"] == own["grading"] | {"type": "Manual"}
    assert not {"contentId", "scoreProviderHandle"} & left.keys()
    grade = book.grade(own)
    assert (grade["score"], "overridden" in grade, grade["changeIndex"] > before) == (7, True, True)
    assert titles(book, folder) == []


def test_deleting_a_folder_deletes_what_is_in_it_and_the_grades_if_asked_to(book: Book, folder: str) -> None:
    inner = make_folder(book, folder)
    made = make_assignment(book, inner["id"])
    outer = make_folder(book, folder)
    book.site.ask("DELETE", f"{book.contents}/{inner['id']}?deleteGrades=true", status=204)
    book.site.message("GET", f"{book.contents}/{made['contentId']}", 404)
    book.site.message("GET", f"{book.path}/columns/{made['gradeColumnId']}", 404)
    assert titles(book, folder) == [outer["title"]]


def test_what_cannot_be_deleted_stays(site: Site) -> None:
    ultra, classic = Book(site, ULTRA), Book(site)
    assert "Top level" in site.message("DELETE", f"{ultra.contents}/root", 400)
    assert "Top level" in site.message("DELETE", f"{classic.contents}/{make_folder(classic)['id']}", 400)
    made = make_assignment(ultra, "")
    site.play(ULTRA, "attempt", column=made["gradeColumnId"], user=LEARNER, score=7)
    assert "responses" in site.message("DELETE", f"{ultra.contents}/{made['contentId']}?deleteGrades=true", 409)
    assert content(ultra, made["contentId"])
    assert column(ultra, made["gradeColumnId"])


def test_contents_of_a_section_are_changed_on_request_only(site: Site) -> None:
    book, body = Book(site, CHILD), {"title": new_name("Folder"), "contentHandler": FOLDER}
    assert "allowChildCourseContent" in site.message("POST", book.contents, 400, body)
    made = site.ask("POST", f"{book.contents}?allowChildCourseContent=true", body, 201)
    url = f"{book.contents}/{made['id']}"
    site.message("PATCH", url, 400, {"title": "x"})
    site.ask("PATCH", f"{url}?allowChildCourseContent=true", {"title": "x"})
    site.message("POST", f"{book.contents}/createAssignment", 400, {"title": "x", "parentId": made["id"]})
    body = {"title": "x", "parentId": made["id"]}
    site.ask("POST", f"{book.contents}/createAssignment?allowChildCourseContent=true", body, 201)


def test_anonymity_of_attempts_is_set_afterwards(book: Book, folder: str) -> None:
    made = make_assignment(book, folder)
    url = f"{book.path}/columns/{made['gradeColumnId']}"
    date = {"type": "Date", "releaseAfter": "2026-03-01T00:00:00.000Z"}
    for anonymous in ({"type": "AfterAllGraded"}, date, {"type": "None"}):
        changed = book.site.ask("PATCH", url, {"grading": {"anonymousGrading": anonymous}})
        assert changed["grading"]["anonymousGrading"] == anonymous
    for wrong in ({"type": "Date"}, date | {"type": "None"}, {"type": "Always"}, {}):
        assert "anonymousGrading" in book.site.message("PATCH", url, 400, {"grading": {"anonymousGrading": wrong}})


def test_contents_are_found_by_their_dates(learn_sandbox: Site) -> None:
    book = Book(learn_sandbox)
    for hour in (8, 9):
        learn_sandbox.act("clock", {"now": f"2031-01-06T{hour:02}:00:00Z"})
        learn_sandbox.log_in()
        made = make_folder(book, title=f"{hour}")
    created = made["created"]
    assert [found["title"] for found in learn_sandbox.every(f"{book.contents}?created={created}")] == ["9"]
    before = f"{book.contents}?created={created}&createdCompare=lessThan"
    assert [found["title"] for found in learn_sandbox.every(before)] == ["8"]
