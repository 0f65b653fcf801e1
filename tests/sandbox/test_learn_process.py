"""The process of the sandbox of Learn: what it keeps, how it starts, what it writes down, what it stands."""

from __future__ import annotations

import json
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from fixtures.learn_api import Contract
from fixtures.sandboxes import Site, running_site
from gradeway.cli import main
from gradeway.demo.samples import SAMPLES
from gradeway.demo.term import Term, value_rows
from gradeway.sandbox.documents import Documents
from gradeway.sandbox.frame import Call
from gradeway.sandbox.learn.model import COLLECTIONS
from gradeway.sandbox.learn.service import ROOT, TOKEN, Learn
from gradeway.sandbox.learn.start import courses, load
from sandbox.gradebooks import CLASSIC, LEARNER, MANUAL, ULTRA, Book, new_name

NOON = datetime.fromisoformat("2026-03-03T12:00:00+00:00")

FOLDER = {"title": "Folder", "contentHandler": {"id": "resource/x-bb-folder"}}
SECRET, FEEDBACK = "correct-horse", "do not write me down"


def everything(site: Site) -> dict[str, Any]:
    """Return what a client can see of the two courses."""
    found: dict[str, Any] = {}
    for book in (Book(site), Book(site, ULTRA)):
        lists = ("columns", "columns/finalGrade/users")
        paths = [book.schemas, f"{book.contents}?recursive=true", *(f"{book.path}/{name}" for name in lists)]
        found |= {path: site.every(path) for path in paths}
        for column in found[f"{book.path}/columns"]:
            found[column["id"]] = book.grades(column, "?includeDisabledMemberships=true")
    return found


def test_what_was_answered_outlives_the_process(learn_sandbox: Site) -> None:
    site, book = learn_sandbox, Book(learn_sandbox)
    column = book.column("Letter", externalId="ext")
    book.patch(column, score=70, feedback="f")
    site.play(CLASSIC, "grade", column=column["id"], user="a.okafor00", score=80)
    site.play(CLASSIC, "disable", user="a.okafor00")
    site.ask("POST", book.contents, FOLDER, 201)
    made = site.ask("POST", f"{Book(site, ULTRA).contents}/createAssignment", {"title": "Essay"}, 201)
    site.play(ULTRA, "attempt", column=made["gradeColumnId"], user=LEARNER, score=7)
    gone = book.column()
    site.ask("DELETE", f"{book.path}/columns/{gone['id']}", status=204)
    before, url = everything(site), site.url
    for number, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)):
        assert site.stop(number) == status
        site.start()
        assert site.url == url
        assert everything(site) == before
    assert book.column()["id"] not in {gone["id"], column["id"]}
    assert book.patch(column, score=71)["changeIndex"] == 4


def test_a_kill_in_the_middle_of_writes_leaves_each_whole_or_undone(learn_sandbox: Site) -> None:
    site, chance = learn_sandbox, random.Random(4)
    column = Book(site).column()
    learners = [member["userId"] for member in site.every(f"v1/courses/courseId:{CLASSIC}/users?role=Student")][:4]
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(keep_grading, site, column["id"], learner) for learner in learners]
            time.sleep(chance.uniform(0.1, 0.4))
            site.kill()
            answered = {
                learner: last for learner, found in zip(learners, waiting, strict=True) if (last := found.result())
            }
        site.start()
        assert answered
        kept = {grade["userId"]: grade for grade in Book(site).grades(column)}
        assert answered.keys() <= kept.keys()
        for learner, last in answered.items():
            # one more than what was answered may be there: its answer was cut off
            assert last["score"] <= kept[learner]["score"] <= last["score"] + 1
            assert (kept[learner]["score"] > last["score"]) == (kept[learner]["changeIndex"] > last["changeIndex"])
        indexes = [grade["changeIndex"] for grade in kept.values()]
        assert len(set(indexes)) == len(indexes)


def keep_grading(site: Site, column: str, learner: str) -> dict[str, Any]:
    """Write one score after the other until nobody answers; return the last that was answered."""
    url = f"{site.url}{Book(site).path}/columns/{column}/users/{learner}"
    last: dict[str, Any] = {}
    with requests.Session() as session, suppress(requests.RequestException):
        for score in count(1):
            answer = session.patch(url, json={"score": score}, headers=site.session.headers, timeout=5)
            assert answer.status_code == 200
            last = answer.json()
    return last


@pytest.mark.parametrize(
    ("kind", "effect"), [("timeout_before", False), ("timeout_after", True), ("drop", False), ("drop_after", True)]
)
def test_no_answer(kind: str, effect: bool, site: Site) -> None:
    book = Book(site)
    column = book.column()
    site.act("faults", [{"match": "PATCH */columns/*/users/*", "kind": kind}])
    with pytest.raises((requests.ConnectionError, requests.ReadTimeout)):
        site.call("PATCH", book.url(column), {"score": 5}, timeout=0.5)
    deadline = time.monotonic() + 10
    while not (lost := [entry for entry in site.log() if entry["fault"] == kind]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (lost[-1]["status"], lost[-1]["took_effect"]) == (None, effect)
    assert ("score" in book.grade(column)) == effect


def test_an_error_after_a_creation_is_found_by_its_external_id(site: Site) -> None:
    book = Book(site)
    name = new_name("ext").replace(" ", "-")
    site.act("faults", [{"match": "POST */columns", "kind": "status_after", "status": 500}])
    assert book.column(externalId=name, status=500)["status"] == 500
    assert site.ask("GET", f"{book.path}/columns/externalId:{name}")["externalId"] == name
    book.column(externalId=name, status=409)


# Pattern of each operation that is asked for, how, and with what.
OPERATIONS: list[tuple[str, str, str, object]] = [
    ("POST */oauth2/token", "POST", "v1/oauth2/token", None),
    ("GET */v3/courses/*", "GET", f"v3/courses/courseId:{CLASSIC}", None),
    ("GET */v1/users/*", "GET", f"v1/users/userName:{LEARNER}", None),
    ("GET */users", "GET", f"v1/courses/courseId:{CLASSIC}/users", None),
    ("GET */users/*", "GET", f"v1/courses/courseId:{CLASSIC}/users/userName:{LEARNER}", None),
    ("POST */contents", "POST", f"v1/courses/courseId:{CLASSIC}/contents", FOLDER),
    ("POST */createAssignment", "POST", f"v1/courses/courseId:{ULTRA}/contents/createAssignment", {"title": "x"}),
    ("GET */schemas", "GET", f"v1/courses/courseId:{CLASSIC}/gradebook/schemas", None),
    ("GET */columns", "GET", f"v2/courses/courseId:{CLASSIC}/gradebook/columns", None),
    ("GET */lastChanged", "GET", f"v2/courses/courseId:{CLASSIC}/gradebook/columns/finalGrade/users/lastChanged", None),
]


@pytest.mark.parametrize(("pattern", "method", "path", "body"), OPERATIONS)
def test_every_operation_can_be_spoiled(pattern: str, method: str, path: str, body: object, site: Site) -> None:
    fault = {"match": pattern, "kind": "status", "status": 503, "retry_after": 7, "code": "bb-busy", "message": "m"}
    site.act("faults", [fault])
    answer = site.call(method, path, body)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    shown = answer.json()
    assert len(shown.pop("extraInfo")) == 32
    assert shown == {"status": 503, "code": "bb-busy", "message": "m", "developerMessage": "Service Unavailable"}


@pytest.mark.parametrize(
    ("shape", "kind", "text"),
    [
        ("rest_text", "application/json", '"status":"503"'),
        ("oauth", "application/json", '{"error":"Odd","error_description":"m"}'),
        ("html", "text/html", "<html>"),
        ("empty", "text/plain", ""),
    ],
)
def test_errors_in_other_shapes(shape: str, kind: str, text: str, site: Site, contract: Contract) -> None:
    site.act("faults", [{"match": "GET *", "kind": "status", "body": shape, "message": "m", "code": "Odd"}])
    with contract.paused():
        answer = site.call("GET", f"v3/courses/courseId:{CLASSIC}")
    assert answer.headers["Content-Type"].split(";")[0] == kind
    assert text in answer.text
    assert bool(answer.text) == bool(text)


def test_the_log_tells_every_request_and_no_value(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    with running_site(tmp_path, log=file) as site:
        site.stop()
        site.arguments = (*site.arguments, "--secret", SECRET)
        site.login = ("sandbox", SECRET)
        site.start()
        book = Book(site)
        column = book.column()
        book.patch(column, score=77.77, feedback=FEEDBACK)
        site.message("PATCH", book.url(column), 400, {"nonsense": FEEDBACK})
        site.every(f"{book.path}/columns?name=Column")
        lines = [json.loads(line) for line in file.read_text().splitlines()][1:]
        assert site.log() == lines
        token = site.session.headers["Authorization"]
    root = "/learn/api/public/"
    told = [(line["method"], line["path"], line["query"], line["status"], line["took_effect"]) for line in lines]
    assert told == [
        ("POST", f"{root}v1/oauth2/token", "", 200, False),
        ("GET", f"{root}{book.schemas}", "", 200, False),
        ("POST", f"{root}{book.path}/columns", "", 201, True),
        ("PATCH", f"{root}{book.url(column)}", "", 200, True),
        ("PATCH", f"{root}{book.url(column)}", "", 400, False),
        ("GET", f"{root}{book.path}/columns", "name=Column", 200, False),
    ]
    assert [line["properties"] for line in lines[2:4]] == [["grading", "name", "score"], ["feedback", "score"]]
    for secret in (SECRET, FEEDBACK, "77.77", str(token).removeprefix("Bearer "), "Basic"):
        assert secret not in file.read_text()


def test_a_seed_makes_courses_of_plain_lists(tmp_path: Path) -> None:
    term = Term(courses=3, learners=20)
    learners: dict[str, set[str]] = {}
    for chunk in value_rows(term):
        for line in chunk.splitlines():
            course, learner, *_ = line.split("|")
            learners.setdefault(course, set()).add(learner)
    sample, learner, *_ = SAMPLES["term2023_01.colncval"].splitlines()[1].split("|")
    kinds = dict.fromkeys(term.course_ids, "Classic") | {sample: "Ultra"}
    with running_site(tmp_path, courses(kinds, learners | {sample: [learner]})) as site:
        for course in term.course_ids:
            found = site.every(f"v1/courses/externalId:{course}/users?expand=user&fields=user.userName")
            assert {member["user"]["userName"] for member in found} == learners[course]
        assert site.ask("GET", f"v3/courses/externalId:{sample}")["ultraStatus"] == "Ultra"
        assert site.ask("GET", f"v1/courses/externalId:{sample}/users/externalId:{learner}")


def test_a_seed_is_for_an_empty_folder_only(tmp_path: Path) -> None:
    with running_site(tmp_path, courses({"OLD": "Classic"}, {})) as site:
        site.stop()
        site.seed = courses({"NEW": "Classic"}, {})
        site.start()
        site.ask("GET", "v3/courses/courseId:OLD")
        site.message("GET", "v3/courses/courseId:NEW", 404)


def refused(tmp_path: Path, *arguments: object) -> str:
    """Start a sandbox that must not start; return the one line it says."""
    words = ["sandbox", "learn", "--port", "0", "--data", str(tmp_path / "data"), *map(str, arguments)]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    return line


COURSE, USER = {"courseId": "C"}, {"userName": "u"}
BAD_SEEDS: list[tuple[object, str]] = [
    ([], "lists of entities"),
    ({"Rooms": []}, "Rooms"),
    ({"Courses": [{}]}, "Courses[1].courseId"),
    ({"Courses": [{"courseId": ""}]}, "Courses[1].courseId"),
    ({"Courses": [COURSE | {"ultraStatus": "UltraPreview"}]}, "Courses[1].ultraStatus"),
    ({"Courses": [COURSE | {"colour": "red"}]}, "Courses[1].colour"),
    ({"Courses": [COURSE, COURSE]}, "Courses[2] is there twice"),
    ({"Courses": [COURSE | {"parentId": "P"}, {"courseId": "P"}]}, "Courses[1] leads to 'P'"),
    ({"Users": [USER, USER]}, "Users[2] is there twice"),
    ({"Courses": [COURSE], "Memberships": [{"courseId": "C", "userName": "u"}]}, "Memberships[1] leads to 'u'"),
    ({"Users": [USER], "Memberships": [{"courseId": "C", "userName": "u"}]}, "Memberships[1] leads to 'C'"),
    (courses({"C": "Classic"}, {"C": ["u", "u"]}), "'u' is a member of 'C' already"),
    ({"Notations": [{"courseId": "C", "code": "x", "description": ""}]}, "Notations[1] leads to 'C'"),
    ({"Accounts": [{"entitlements": ["course.gradebook.modify"]}]}, "Accounts[1].entitlements.0"),
    ({"Accounts": [{}, {}]}, "one account"),
]


@pytest.mark.parametrize(("seed", "reason"), BAD_SEEDS)
def test_a_wrong_seed_is_named_and_leaves_the_folder_empty(seed: object, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "seed.json"
    file.write_text(json.dumps(seed))
    assert reason in refused(tmp_path, "--seed", file)
    if reason == "one account":
        with running_site(tmp_path, arguments=("--data", str(tmp_path / "data"))) as site:
            site.ask("GET", f"v3/courses/courseId:{CLASSIC}")


def test_what_cannot_be_used_is_named(tmp_path: Path, learn_sandbox: Site) -> None:
    port = learn_sandbox.control.split("/")[2].split(":")[1]
    assert f"port {port}" in refused(tmp_path / "other", "--port", port)
    assert "another sandbox" in refused(tmp_path, "--data", learn_sandbox.data)
    assert "cannot be read" in refused(tmp_path / "third", "--seed", tmp_path / "none")


def test_the_ready_line_names_the_site(tmp_path: Path) -> None:
    with running_site(tmp_path) as site:
        assert site.url == site.control.replace("_sandbox/", "learn/api/public/")


class Desk:
    """A site in this process, which tells how much SQLite does for a request."""

    def __init__(self, folder: Path, learners: int, columns: int) -> None:
        documents = Documents(folder / f"{learners}-{columns}.db", COLLECTIONS)
        names = [f"u{number:05}" for number in range(learners)]
        documents.run(lambda: load(documents, courses({"C": "Classic"}, {"C": names}), NOON))
        self.documents, self.site, self.authorization = documents, Learn(documents, "k", "s"), "Basic azpz"
        grant = self.ask("POST", f"{ROOT}{TOKEN}?grant_type=client_credentials")
        self.authorization = f"Bearer {grant['access_token']}"
        for number in range(columns):
            self.ask("POST", BOOK, {"name": "c", "externalId": f"c{number}", "grading": MANUAL})
            for name in names:
                self.ask("PATCH", f"{BOOK}/externalId:c{number}/users/userName:{name}", {"score": 1})

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        headers = {"content-type": "application/json", "authorization": self.authorization}
        path, _, query = path.partition("?")
        call = Call(method, path, path, query, headers, json.dumps(body).encode(), "http://x", NOON)
        return json.loads(self.documents.run(lambda: self.site.answer(call))[0].body)

    def cost(self, method: str, path: str, body: object) -> int:
        """Return how many steps SQLite takes for a request, in tens, and one more."""
        done: list[int] = [1]
        self.documents._db.set_progress_handler(lambda: done.append(1), 10)
        assert self.ask(method, f"{BOOK}/{path}", body)
        self.documents._db.set_progress_handler(None, 0)
        return len(done)


BOOK = f"{ROOT}v2/courses/courseId:C/gradebook/columns"
# What is asked, and whether it may cost more when the course has more learners.
REQUESTS: list[tuple[str, str, object, bool]] = [
    ("PATCH", "externalId:c1/users/userName:u00049", {"score": 2}, False),
    ("GET", "externalId:c1/users/userName:u00000", None, False),
    ("GET", "externalId:c1/users?limit=20", None, False),
    ("GET", "externalId:c1/users?changeIndex=1", None, True),
    ("GET", "externalId:c1/users/lastChanged", None, True),
]


def test_a_request_does_not_cost_more_because_the_gradebook_is_large(tmp_path: Path) -> None:
    small, wide, long = (Desk(tmp_path, *size) for size in ((50, 2), (50, 30), (1000, 2)))
    for method, path, body, may_grow in REQUESTS:
        cost = small.cost(method, path, body)
        assert wide.cost(method, path, body) < 3 * cost, path
        assert may_grow or long.cost(method, path, body) < 3 * cost, path
