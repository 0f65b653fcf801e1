"""Learn's grades: how a value is taken and shown, whose it is, and the index that grows with every change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from fixtures.sandboxes import Site, running_site
from gradeway.sandbox.learn.start import courses
from gradeway.sandbox.names import person
from sandbox.gradebooks import CLASSIC, DISABLED, FRESH, LEARNER, ULTRA, Book, new_name

NOON = datetime.fromisoformat("2026-03-03T12:00:00+00:00")
OTHER = "a.okafor00"


@pytest.fixture
def book(site: Site) -> Book:
    return Book(site)


def values(grade: dict[str, Any]) -> tuple[Any, ...]:
    """Return score and text of a grade, and score and text as they are shown."""
    shown = grade.get("displayGrade", {})
    return grade.get("score"), grade.get("text"), shown.get("score"), shown.get("text")


def test_a_grade_is_answered_as_real_sites_answer_it(book: Book) -> None:
    column = book.column("Letter")
    book.site.act("clock", {"now": NOON.isoformat()})
    book.site.log_in()
    done = book.patch(column, score=70)
    at = "2026-03-03T12:00:00.000Z"
    assert done == {
        "userId": done["userId"],
        "columnId": column["id"],
        "status": "Graded",
        "displayGrade": {"scaleType": "Tabular", "score": 70, "possible": 100, "text": "C-"},
        "text": "C-",
        "score": 70,
        "overridden": at,
        "exempt": False,
        "changeIndex": done["changeIndex"],
        "firstRelevantDate": at,
        "lastRelevantDate": at,
    }
    assert book.grade(column) == done
    assert '"score":70.00000' in book.site.call("GET", book.url(column)).text


# Schema, points, what is sent; then score and text, and score and text as shown.
TAKEN: list[tuple[str, float, dict[str, Any], tuple[Any, ...]]] = [
    ("Score", 100, {"score": 87.5}, ("87.5", "87.5", "87.5", None)),
    ("Score", 20, {"score": 17}, ("17", "17", "17", None)),
    ("Score", 20, {"text": "17.25"}, ("17.25", "17.25", "17.25", None)),
    ("Score", 20, {"score": 25}, ("25", "25", "25", None)),
    ("Score", 20, {"score": -3}, ("-3", "-3", "-3", None)),
    ("Score", 20, {"score": 0}, ("0", "0", "0", None)),
    ("Percent", 20, {"score": 17}, ("17", "85", "85", None)),
    ("Percent", 30, {"score": 10}, ("10", "33.33333", "33.33333", None)),
    ("Percent", 20, {"text": "85"}, ("17", "85", "85", None)),
    ("Percent", 0, {"score": 3}, ("3", "3", None, None)),
    ("Letter", 100, {"score": 97}, ("97", "A+", "97", "A+")),
    ("Letter", 100, {"score": 96.99999}, ("96.99999", "A", "96.99999", "A")),
    ("Letter", 100, {"score": 94}, ("94", "A", "94", "A")),
    ("Letter", 100, {"score": 59.99999}, ("59.99999", "F", "59.99999", "F")),
    ("Letter", 100, {"score": 0}, ("0", "F", "0", "F")),
    ("Letter", 100, {"score": -1}, ("-1", "F", "-1", "F")),
    ("Letter", 100, {"score": 100}, ("100", "A+", "100", "A+")),
    ("Letter", 100, {"score": 130}, ("130", "A+", "130", "A+")),
    ("Letter", 30, {"score": 29.1}, ("29.1", "A+", "29.1", "A+")),
    ("Letter", 20, {"text": "B+"}, ("17.7", "B+", "17.7", "B+")),
    ("Letter", 100, {"text": "A+"}, ("98.5", "A+", "98.5", "A+")),
    ("Letter", 0, {"score": 5}, ("5", None, "5", None)),
    ("Text", 100, {"text": "très bien"}, (None, "très bien", None, "très bien")),
    ("Text", 100, {"text": "85"}, (None, "85", None, "85")),
    ("Text", 100, {"score": 85}, ("85", "85", "85", "85")),
    ("Complete", 10, {"score": 0.5}, ("0.5", "Complete", "0.5", "Complete")),
    ("Complete", 10, {"text": "Complete"}, ("10", "Complete", "10", "Complete")),
    ("Complete", 10, {"text": "Incomplete"}, ("0", "Incomplete", "0", "Incomplete")),
]
TITLES = {"Percent": "Percentage", "Complete": "Complete/Incomplete"}


@pytest.mark.parametrize(("kind", "points", "body", "expected"), TAKEN)
def test_a_value_is_taken_and_shown_by_the_schema_of_the_column(
    kind: str, points: float, body: dict[str, Any], expected: tuple[Any, ...], book: Book
) -> None:
    column = book.column(TITLES.get(kind, kind), points)
    score, text, shown_score, shown_text = expected
    done = book.patch(column, **body)
    exact = [None if number is None else Decimal(number) for number in (score, shown_score)]
    assert values(done) == (exact[0], text, exact[1], shown_text)
    assert done["displayGrade"]["possible"] == Decimal(str(points))
    assert book.grade(column) == done


def test_scores_keep_five_decimals_and_no_float_touches_them(book: Book) -> None:
    column = book.column("Score", 1_000_000_000)
    headers = {**book.site.session.headers, "Content-Type": "application/json"}
    for sent, kept in (
        ("123456789.12345", "123456789.12345"),
        ("0.1", "0.10000"),
        ("0.000005", "0.00001"),
        ("0.0000049", "0.00000"),
        ("33.333335", "33.33334"),
        ("1e2", "100.00000"),
        ("7", "7.00000"),
        ("99999999999.99999", "99999999999.99999"),
    ):
        body = f'{{"score": {sent}}}'
        answer = requests.patch(book.site.url + book.url(column), data=body, headers=headers, timeout=5)
        assert f'"score":{kept}' in answer.text


# Schema, what is sent, and what is said of it.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("Letter", {"text": "a+"}, "is not a value"),
    ("Letter", {"text": "Z"}, "is not a value"),
    ("Letter", {"text": "95"}, "is not a value"),
    ("Letter", {"text": " A"}, "is not a value"),
    ("Score", {"text": "A"}, "is not a number"),
    ("Score", {"text": "NaN"}, "is not a number"),
    ("Score", {"text": "Infinity"}, "is not a number"),
    ("Percentage", {"text": "85%"}, "is not a number"),
    ("Percentage", {"text": "85,5"}, "is not a number"),
    ("Complete/Incomplete", {"text": "X"}, "is not a value"),
    ("Score", {"score": "87"}, "score"),
    ("Score", {"score": True}, "score"),
    ("Score", {"score": 1e12}, "score"),
    ("Score", {"score": [1]}, "score"),
    ("Text", {"text": 87}, "text"),
    ("Letter", {"score": 95, "text": "A"}, "one of score and text"),
    ("Letter", {"score": None, "text": "A"}, "one of score and text"),
    ("Letter", {"score": 95, "text": "-"}, "one of score and text"),
    ("Letter", {"exempt": None}, "exempt"),
    ("Letter", {"exempt": "true"}, "exempt"),
    ("Letter", {"gradeNotationId": "_400999_1"}, "gradeNotationId"),
    ("Letter", {"changeIndex": 1}, "changeIndex"),
    ("Letter", {"grade": 1}, "grade"),
]


@pytest.mark.parametrize(("title", "body", "what"), REFUSED)
def test_a_wrong_value_is_refused_and_changes_nothing(title: str, body: dict[str, Any], what: str, book: Book) -> None:
    column = book.column(title)
    before = book.patch(column, notes="n")
    assert what in book.site.message("PATCH", book.url(column), 400, body)
    assert book.grade(column) == before


@pytest.mark.parametrize(
    "body", [{"score": None}, {"text": None}, {"text": ""}, {"text": "-"}, {"score": None, "text": None}]
)
@pytest.mark.parametrize("title", ["Letter", "Text"])
def test_a_value_is_cleared(body: dict[str, Any], title: str, book: Book) -> None:
    column = book.column(title)
    before = book.patch(column, text="A", feedback="f")
    cleared = book.patch(column, **body)
    assert cleared == {
        "userId": before["userId"],
        "columnId": column["id"],
        "exempt": False,
        "feedback": "f",
        "changeIndex": cleared["changeIndex"],
    }
    assert cleared["changeIndex"] > before["changeIndex"]
    assert book.grades(column) == [cleared]


def test_what_is_not_named_stays(book: Book) -> None:
    column = book.column()
    book.patch(column, score=5, notes="n", feedback="f", exempt=True)
    done = book.patch(column, feedback=None)
    assert (done["score"], done["notes"], done["exempt"]) == (5, "n", True)
    assert "feedback" not in done
    assert book.patch(column, exempt=False)["score"] == 5
    assert book.patch(column)["changeIndex"] > done["changeIndex"]


def test_a_notation_stands_in_place_of_the_text(tmp_path: Path) -> None:
    seed = courses({"N": "Classic"}, {"N": ["u"]})
    seed["Notations"] = [{"courseId": "N", "code": "AB", "description": "absent with leave"}]
    with running_site(tmp_path, seed) as site:
        book = Book(site, "N")
        [notation] = site.every("v1/courses/courseId:N/gradebook/gradeNotations")
        assert (notation["code"], notation["description"]) == ("AB", "absent with leave")
        column = book.column("Letter")
        done = book.patch(column, "u", score=0, gradeNotationId=notation["id"])
        assert (done["text"], done["displayGrade"]["text"]) == ("F", "absent with leave")
        assert book.patch(column, "u", gradeNotationId=None)["displayGrade"]["text"] == "F"


def test_who_was_never_graded_is_not_in_the_list(book: Book) -> None:
    column = book.column()
    ungraded = book.grade(column)
    assert ungraded.keys() == {"userId", "columnId"}
    assert book.grades(column) == []
    assert book.site.ask("GET", f"{book.path}/columns/{column['id']}/users/lastChanged") == {}
    done = book.patch(column, score=1)
    assert done["userId"] == ungraded["userId"]
    assert book.grades(column) == [done]


def test_the_change_index_grows_over_all_columns_and_tells_what_changed_since(book: Book) -> None:
    first, second = book.column(), book.column()
    indexes = [
        book.patch(first, score=1)["changeIndex"],
        book.patch(second, OTHER, score=1)["changeIndex"],
        book.patch(first, OTHER, score=1)["changeIndex"],
        book.site.play(CLASSIC, "grade", column=first["name"], user=LEARNER, score=2)["changeIndex"],
        book.patch(first, score=2)["changeIndex"],
    ]
    assert indexes == sorted(set(indexes))
    last = f"{book.path}/columns/{first['id']}/users/lastChanged"
    assert book.site.ask("GET", last) == book.grade(first)
    assert len(book.grades(first, f"?changeIndex={indexes[0]}")) == 2
    assert book.grades(first, f"?changeIndex={indexes[2]}") == [book.grade(first)]
    assert book.grades(first, f"?changeIndex={indexes[4]}") == []


def test_a_disabled_learner_is_hidden_and_cannot_be_graded(book: Book) -> None:
    name = new_name("leaver").replace(" ", "-")
    book.site.play(CLASSIC, "enrol", user=name)
    column = book.column()
    done = book.patch(column, name, score=1)
    assert book.grades(column) == [done]
    book.site.play(CLASSIC, "disable", user=name)
    assert book.grades(column) == book.grades(column, "?includeDisabledMemberships=false") == []
    assert book.grades(column, "?includeDisabledMemberships=true&includeUnpostedGrades=true") == [done]
    assert book.site.ask("GET", f"{book.path}/columns/{column['id']}/users/lastChanged") == done
    for method, body in (("GET", None), ("PATCH", {"score": 2})):
        book.site.message(method, book.url(column, name), 404, body)
    book.site.message("GET", f"{book.path}/columns/{column['id']}/users?includeDisabledMemberships=yes", 400)
    book.site.play(CLASSIC, "enable", user=name)
    assert book.grade(column, name) == done


@pytest.mark.parametrize("user", [DISABLED, "t.brandt", "nobody", person(29).login])
def test_nobody_else_has_grades(user: str, book: Book) -> None:
    column = book.column()
    for method, path, body in (
        ("GET", book.url(column, user), None),
        ("PATCH", book.url(column, user), {"score": 1}),
        ("GET", f"{book.path}/users/userName:{user}", None),
    ):
        assert user in book.site.message(method, path, 404, body)


def test_somebody_unavailable_is_graded_all_the_same(book: Book) -> None:
    name = new_name("barred").replace(" ", "-")
    book.site.play(CLASSIC, "enrol", user=name, available="No")
    assert book.patch(book.column(), name, score=1)["score"] == 1


def test_a_fresh_learner_cannot_be_graded_until_there_are_rows(book: Book) -> None:
    name = new_name("fresh").replace(" ", "-")
    column = book.column()
    book.site.play(CLASSIC, "enrol", user=name, populated=False)
    for user in (name, FRESH):
        assert "populated" in book.site.message("PATCH", book.url(column, user), 404, {"score": 1})
        assert book.grade(column, user).keys() == {"userId", "columnId"}
    book.site.play(CLASSIC, "populate", user=name)
    assert book.patch(column, name, score=1)["score"] == 1


def test_grades_are_of_the_course_that_is_named(site: Site) -> None:
    parent, section, learner = Book(site, "PHY300"), Book(site, "PHY300-A"), OTHER
    above, below = parent.column(), section.column()
    parent.patch(above, learner, score=1)
    section.patch(below, learner, score=2)
    assert [found["score"] for found in parent.grades(above)] == [1]
    assert [found["score"] for found in section.grades(below)] == [2]


def test_what_a_person_does_to_grades_is_seen_like_any_change(book: Book) -> None:
    column = book.column("Letter", 50)
    mine = book.patch(column, score=40)

    def done(do: str, **more: object) -> dict[str, Any]:
        index = book.site.play(CLASSIC, do, column=column["name"], user=LEARNER, **more)["changeIndex"]
        found = book.grade(column)
        assert found["changeIndex"] == index > mine["changeIndex"]
        return found

    assert values(done("grade", score=44.5))[:2] == (Decimal("44.5"), "B+")
    assert values(done("grade", text="C"))[:2] == (Decimal("37.75"), "C")
    assert done("feedback", text="well done")["feedback"] == "well done"
    assert done("exempt")["exempt"] is True
    assert done("exempt", exempt=False)["exempt"] is False
    assert "displayGrade" not in done("clear")


@pytest.mark.parametrize(
    ("body", "code", "what"),
    [
        ({"do": "grade"}, 422, "needs column, user"),
        ({"do": "dance"}, 422, "do: must be one of"),
        ({"do": "grade", "column": "Total", "user": LEARNER, "points": 1}, 422, "points"),
        ({"do": "grade", "column": "Total", "user": LEARNER, "score": "much"}, 422, "score"),
        ({"do": "grade", "column": "None such", "user": LEARNER, "score": 1}, 400, "None such"),
        ({"do": "grade", "column": "Total", "user": "nobody", "score": 1}, 400, "nobody"),
        ({"do": "grade", "column": "Total", "user": "t.brandt", "score": 1}, 409, "t.brandt"),
        ({"do": "grade", "column": "Total", "user": person(29).login, "score": 1}, 404, person(29).login),
        ({"do": "schema", "column": "Total", "schema": "Nope"}, 404, "Nope"),
        ({"do": "attempt", "column": "Total", "user": LEARNER, "score": 1}, 409, "attempts"),
        ({"do": "add", "name": ""}, 422, "name"),
    ],
)
def test_a_wrong_play_is_told(body: dict[str, Any], code: int, what: str, site: Site) -> None:
    assert what in site.act("play", {"course": CLASSIC} | body, status=code)["detail"]
    assert "detail" in site.act("play", {"do": "clear"}, status=422)


def test_points_that_change_change_what_is_shown(book: Book) -> None:
    column = book.column("Letter", 100)
    book.patch(column, score=45)
    book.site.play(CLASSIC, "points", column=column["id"], possible=50)
    assert values(book.grade(column)) == (45, "A-", 45, "A-")
    book.site.play(CLASSIC, "schema", column=column["id"], schema="Percentage")
    assert values(book.grade(column)) == (45, "90", 90, None)


@pytest.fixture(scope="module")
def class_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    seed = courses({"S": "Classic", "U": "Ultra"}, {"S": [f"s{number:03}" for number in range(230)], "U": ["s000"]})
    with running_site(tmp_path_factory.mktemp("class"), seed) as site:
        yield site


def test_grades_come_in_pages_of_at_most_100(class_site: Site) -> None:
    book = Book(class_site, "S")
    column = book.column()
    for number in reversed(range(230)):
        book.patch(column, f"s{number:03}", score=number)
    first = class_site.ask("GET", f"{book.path}/columns/{column['id']}/users?changeIndex=0")
    assert len(first["results"]) == 100
    assert [found["score"] for found in book.grades(column)] == list(range(230))
    assert [found["score"] for found in book.grades(column, "?limit=90&fields=score")] == list(range(230))
    assert "100" in class_site.message("GET", f"{book.path}/columns/{column['id']}/users?limit=101", 400)


def test_a_total_adds_up_what_counts(class_site: Site) -> None:
    book, learner = Book(class_site, "U"), "s000"
    total = class_site.ask("GET", f"{book.path}/columns/finalGrade")
    assert book.grades(total) == []
    assert book.grade(total, learner).keys() == {"userId", "columnId"}
    for possible, score in ((20, 15), (30, 10), (50, 50)):
        column = book.column(possible=possible)
        book.patch(column, learner, score=score, exempt=score == 50)
    expected = {
        "userId": book.grade(column, learner)["userId"],
        "columnId": total["id"],
        "displayGrade": {"scaleType": "Percent", "score": 50, "possible": 50},
        "exempt": False,
        "changeIndex": 0,
    }
    assert book.grades(total) == [expected]
    assert book.grade(total, learner) == expected
    assert class_site.ask("GET", f"{book.path}/columns/{total['id']}/users/lastChanged") == {}
    assert "calculated" in class_site.message("PATCH", book.url(total, learner), 400, {"score": 1})
    everything = class_site.every(f"{book.path}/users/userName:{learner}")
    assert everything[0] == expected
    assert sorted(found["score"] for found in everything[1:]) == [10, 15, 50]
    assert len(class_site.every(f"{book.path}/users/userName:{learner}?fields=score&limit=1")) == 4


# Scoring model, scores of the attempts, and the grade that they make.
MODELS: list[tuple[str, list[float], str]] = [
    ("Last", [7, 9, 8], "8"),
    ("First", [7, 9, 8], "7"),
    ("Highest", [7, 9, 8], "9"),
    ("Lowest", [9, 7, 8], "7"),
    ("Average", [7, 9, 8.5], "8.16667"),
]


@pytest.mark.parametrize(("model", "scores", "grade"), MODELS)
def test_graded_attempts_make_a_grade_that_an_override_covers(
    model: str, scores: list[float], grade: str, site: Site
) -> None:
    book = Book(site, ULTRA)
    made = site.ask("POST", f"{book.contents}/createAssignment", {"title": new_name("Essay")}, 201)
    column = site.ask("PATCH", f"{book.path}/columns/{made['gradeColumnId']}", {"grading": {"scoringModel": model}})
    for score in scores:
        site.play(ULTRA, "attempt", column=column["id"], user=LEARNER, score=score)
    found = book.grade(column)
    assert (found["displayGrade"]["score"], found.get("score"), "overridden" in found) == (Decimal(grade), None, False)
    overridden = book.patch(column, score=3)
    assert (overridden["displayGrade"]["score"], overridden["score"], "overridden" in overridden) == (3, 3, True)
    assert book.patch(column, score=None)["displayGrade"]["score"] == Decimal(grade)


def test_attempts_are_read(site: Site) -> None:
    book = Book(site, ULTRA)
    made = site.ask("POST", f"{book.contents}/createAssignment", {"title": new_name("Essay")}, 201)
    url = f"{book.path}/columns/{made['gradeColumnId']}/attempts"
    assert site.every(url) == []
    for user, score in ((LEARNER, 7), ("b.tanaka11", 6), (LEARNER, 8)):
        site.play(ULTRA, "attempt", column=made["gradeColumnId"], user=user, score=score)
    attempts = site.every(url)
    assert [(found["score"], found["status"]) for found in attempts] == [
        (7, "Completed"),
        (6, "Completed"),
        (8, "Completed"),
    ]
    assert attempts[0]["displayGrade"] == {"scaleType": "Score", "score": 7, "possible": 100}
    assert site.ask("GET", f"{url}/{attempts[1]['id']}") == attempts[1]
    assert [found["score"] for found in site.every(f"{url}?userId={attempts[0]['userId']}")] == [7, 8]
    assert [found["score"] for found in site.every(f"{url}?userId=userName:{LEARNER}&limit=1")] == [7, 8]
    assert len(site.every(f"{url}?attemptStatuses=Completed")) == 3
    assert site.every(f"{url}?attemptStatuses=NeedsGrading") == []
    site.message("GET", f"{url}?attemptStatuses=Done", 400)
    site.message("GET", f"{url}/_700999_1", 404)
    other = Book(site, ULTRA).column()
    site.message("GET", f"{book.path}/columns/{other['id']}/attempts/{attempts[0]['id']}", 404)


def test_dates_are_those_of_the_override(book: Book) -> None:
    column = book.column()
    for hours in (1, 2):
        book.site.act("clock", {"now": (NOON + timedelta(hours=hours)).isoformat()})
        book.site.log_in()
        done = book.patch(column, score=hours)
    assert done["overridden"] == done["lastRelevantDate"] == "2026-03-03T14:00:00.000Z"
    book.site.act("clock", {"now": (NOON + timedelta(hours=2, minutes=30)).isoformat()})
    assert book.patch(column, notes="n")["overridden"] == "2026-03-03T14:00:00.000Z"
