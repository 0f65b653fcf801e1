"""Each kind of call goes wrong in each way: that is told, nothing is sent blindly again, and the next runs end well."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gradeway.errors import VendorError
from gradeway.store.publish import PublishIntent
from publish import term
from publish.scene import MakeScene, Scene
from sessions.exams import Clock

TRIES = 2
HASTY = replace(term.QUICK, read=0.3, tries=TRIES)
COURSE = "*/courses/{id}"
BOOK = f"{COURSE}/gradebook"
COLUMN = f"{BOOK}/columns/_??????_1"
# What is called, as the sandbox matches it, and how many such calls go well before.
FIRST_LOOKS = {
    "the token": ("POST */oauth2/token", 0),
    "the course": ("GET */v3/courses/*:{name}", 0),
    "the columns": (f"GET {BOOK}/columns", 0),
    "the learners": (f"GET {COURSE}/users", 0),
    "the schemas": (f"GET {BOOK}/schemas", 0),
    "the contents": (f"GET {COURSE}/contents", 0),
    "a new column": (f"GET {COLUMN}", 0),
    "its grades": (f"GET {COLUMN}/users", 0),
}
FIRST_WRITES = {
    "a new schema": (f"POST {BOOK}/schemas", 0),
    "a new folder": (f"POST {COURSE}/contents", 0),
    "a new column": (f"POST {BOOK}/columns", 0),
    "a new assignment": (f"POST {COURSE}/contents/createAssignment", 0),
    "a change of a new column": (f"PATCH {COLUMN}", 0),
    "a new grade": (f"PATCH {COLUMN}/users/*", 0),
}
SECOND_LOOKS = {
    "grades, to compare them": (f"GET {COLUMN}/users", 0),
    "grades, to send others": (f"GET {COLUMN}/users", 3),
    "the last change": (f"GET {COLUMN}/users/lastChanged", 0),
    "one learner": (f"GET {COURSE}/users/*", 0),
}
SECOND_WRITES = {
    "a changed schema": (f"PATCH {BOOK}/schemas/*", 0),
    "a changed column": (f"PATCH {COLUMN}", 0),
    "a deletion": (f"DELETE {COLUMN}", 0),
    "a changed grade": (f"PATCH {COLUMN}/users/*", 0),
}
FAULTS = {
    "no answer, not done": {"kind": "timeout_before"},
    "no answer, but done": {"kind": "timeout_after"},
    "dropped": {"kind": "drop"},
    "dropped when done": {"kind": "drop_after"},
    "500": {"kind": "status", "status": 500},
    "500 when done": {"kind": "status_after", "status": 500},
    "503": {"kind": "status", "status": 503},
    "429": {"kind": "status", "status": 429, "retry_after": 1},
}
NOT_DONE = {"no answer, not done", "dropped", "500", "503"}
# What the client may ask twice by itself: what only reads.
ASKED_TWICE = re.compile("GET|POST .*token")

any_fault = pytest.mark.parametrize("fault", FAULTS)


def spoil(scene: Scene, calls: Iterable[tuple[str, int]], fault: dict[str, Any]) -> None:
    """Let calls go wrong, and all tries of them that the client makes by itself."""
    course = term.remote_course(scene)
    matches = {match.format(id=course, name=scene.course): after for match, after in calls}
    times = {match: TRIES if ASKED_TWICE.match(match) and fault.get("status") != 429 else 1 for match in matches}
    faults = [{"match": match, "after": after, "times": times[match]} | fault for match, after in matches.items()]
    scene.site.act("faults", faults)


def run(scene: Scene) -> None:
    """Publish while calls go wrong: what stops it says where, and of nobody."""
    told = "gradeway_learn: GET all/is/{well}: "
    with scene.publisher(HASTY) as publisher:
        try:
            term.publish(publisher, scene)
        except VendorError as error:
            told = str(error)
    assert re.match(r"gradeway_learn: [A-Z]+ [a-z0-9A-Z/{}]+: ", told)
    assert not re.search("_[0-9]+_1|" + "|".join(term.LEARNERS), told)


def is_met(scene: Scene) -> bool:
    """Whether all that was to go wrong did."""
    return scene.site.act("faults", method="GET") == []


def check_nothing_is_sent_blindly(scene: Scene, *, is_lost: bool) -> None:
    """What may be on its way yet stays so as long as it may."""
    lost = {each.id for each in term.under_way(scene) if each.state != "open"}
    term.run(scene)
    assert {each.state for each in scene.rows(PublishIntent) if each.id in lost} == ({"unknown"} if is_lost else set())


@dataclass(frozen=True)
class Day:
    """A day of the term, which is spoilt."""

    scene: Scene
    passing: Clock
    since: int
    there: dict[str, dict[str, str]]
    writes: dict[str, int]

    def spoil_a_write(self, call: tuple[str, int], fault: str) -> None:
        spoil(self.scene, [call], FAULTS[fault])
        run(self.scene)
        assert is_met(self.scene)
        check_nothing_is_sent_blindly(self.scene, is_lost=fault in NOT_DONE)
        self.check()

    def spoil_all_looks(self, calls: Iterable[tuple[str, int]], fault: str) -> None:
        spoil(self.scene, calls, FAULTS[fault])
        for _ in range(20):
            run(self.scene)
            if is_met(self.scene):
                break
        assert is_met(self.scene)
        self.check()

    def check(self) -> None:
        term.end_well(self.scene, self.passing)
        term.check(self.scene, self.there)
        assert term.effects(self.scene, self.since) == self.writes


def first_day(scene: Scene, passing: Clock) -> Day:
    term.begin(scene)
    return Day(scene, passing, scene.mark(), term.FIRST_THERE, term.FIRST_WRITES)


def second_day(scene: Scene, passing: Clock) -> Day:
    term.begin(scene)
    term.run(scene)
    term.go_on(scene)
    return Day(scene, passing, scene.mark(), term.SECOND_THERE, term.SECOND_WRITES)


@any_fault
def test_looks_that_go_wrong_one_after_the_other_on_the_first_day(
    plain_scene: Scene, passing: Clock, fault: str
) -> None:
    first_day(plain_scene, passing).spoil_all_looks(FIRST_LOOKS.values(), fault)


@any_fault
@pytest.mark.parametrize("what", FIRST_WRITES)
def test_a_write_that_goes_wrong_on_the_first_day(plain_scene: Scene, passing: Clock, what: str, fault: str) -> None:
    first_day(plain_scene, passing).spoil_a_write(FIRST_WRITES[what], fault)


@any_fault
def test_looks_that_go_wrong_one_after_the_other_on_the_second_day(
    plain_scene: Scene, passing: Clock, fault: str
) -> None:
    second_day(plain_scene, passing).spoil_all_looks(SECOND_LOOKS.values(), fault)


@any_fault
@pytest.mark.parametrize("what", SECOND_WRITES)
def test_a_write_that_goes_wrong_on_the_second_day(plain_scene: Scene, passing: Clock, what: str, fault: str) -> None:
    second_day(plain_scene, passing).spoil_a_write(SECOND_WRITES[what], fault)


@pytest.mark.parametrize("what", ["a new folder", "a new assignment", "a new grade"])
def test_on_each_kind_of_database(make_scene: MakeScene, passing: Clock, what: str) -> None:
    first_day(make_scene(), passing).spoil_a_write(FIRST_WRITES[what], "dropped when done")
