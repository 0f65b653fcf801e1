"""Courses, users and memberships of Learn: who is where, cross-listed courses, and lists in pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from fixtures.sandboxes import Site, running_site
from gradeway.sandbox.learn.start import courses
from sandbox.gradebooks import CLASSIC, DISABLED, FRESH, LEARNER, ULTRA, new_name

SECTION = "PHY300-A"


def users(course: str) -> str:
    return f"v1/courses/courseId:{course}/users"


def by_name(site: Site, course: str, query: str = "expand=user") -> dict[str, dict[str, Any]]:
    return {found["user"]["userName"]: found for found in site.every(f"{users(course)}?{query}")}


def test_its_own_data_has_every_case_that_a_client_meets(site: Site) -> None:
    kinds = {course: site.ask("GET", f"v3/courses/courseId:{course}")["ultraStatus"] for course in (CLASSIC, ULTRA)}
    assert kinds == {CLASSIC: "Classic", ULTRA: "Ultra"}
    members = by_name(site, CLASSIC)
    assert {found["courseRoleId"] for found in members.values()} == {"Student", "Instructor"}
    assert members[DISABLED]["availability"] == {"available": "Disabled"}
    assert members[FRESH]["availability"] == {"available": "Yes"}
    assert LEARNER in by_name(site, ULTRA)


def test_learners_of_a_section_are_members_of_its_parent_too(site: Site) -> None:
    parent = site.ask("GET", "v3/courses/courseId:PHY300")
    child = site.ask("GET", f"v3/courses/courseId:{SECTION}")
    assert (parent["hasChildren"], child["parentId"]) == (True, parent["id"])
    assert "parentId" not in parent
    assert "hasChildren" not in child
    above, below = by_name(site, "PHY300"), by_name(site, SECTION)
    assert above.keys() == below.keys()
    assert {found["childCourseId"] for found in above.values()} == {child["id"]}
    assert all("childCourseId" not in found for found in below.values())


def test_somebody_of_two_sections_is_one_member_of_the_parent(site: Site) -> None:
    name = new_name("late")
    for course in (SECTION, "PHY300"):
        site.play(course, "enrol", user=name, code=200 if course == SECTION else 409)
    assert name in by_name(site, "PHY300")


def test_one_membership_by_any_id_of_the_user(site: Site) -> None:
    found = site.ask("GET", f"{users(CLASSIC)}/userName:{LEARNER}?expand=user")
    assert found["userId"] == found["user"]["id"]
    assert found["courseRoleId"] == "Student"
    again = site.ask("GET", f"{users(CLASSIC)}/{found['userId']}")
    assert again == {name: value for name, value in found.items() if name != "user"}
    site.message("GET", f"{users(SECTION)}/userName:{DISABLED}", 404)
    site.message("GET", f"{users(SECTION)}/userName:nobody", 404)


@pytest.mark.parametrize(
    ("query", "status"),
    [("expand=course", 400), ("sort=userId", 400), ("availability.available=no", 400), ("created=yesterday", 400)],
)
def test_wrong_words_in_the_query_are_refused(query: str, status: int, site: Site) -> None:
    assert site.message("GET", f"{users(CLASSIC)}?{query}", status)


BEGIN = datetime.fromisoformat("2031-01-06T08:00:00+00:00")
CROWD = [f"u{number:03}" for number in range(250)]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A course of 250 learners, of whom three came an hour apart, and one is disabled."""
    with running_site(tmp_path_factory.mktemp("crowd"), courses({"C": "Classic"}, {"C": CROWD[:247]})) as site:
        for number, name in enumerate(CROWD[247:]):
            site.act("clock", {"now": (BEGIN + timedelta(hours=number)).isoformat()})
            site.play("C", "enrol", user=name, role="Grader" if number == 1 else "Student")
        site.play("C", "disable", user=CROWD[0])
        site.log_in()
        yield site


def test_a_list_comes_in_pages_that_lead_on_by_relative_urls(crowd: Site) -> None:
    first = crowd.ask("GET", f"{users('C')}?expand=user&fields=user.userName")
    assert len(first["results"]) == 100
    link = urlsplit(first["paging"]["nextPage"])
    assert (link.scheme, link.netloc, link.path) == ("", "", f"/learn/api/public/{users('C')}")
    found = crowd.every(f"{users('C')}?expand=user&fields=user.userName")
    assert [member["user"]["userName"] for member in found] == CROWD
    last = crowd.ask("GET", f"{users('C')}?offset=200")
    assert (len(last["results"]), "paging" in last) == (50, False)


@pytest.mark.parametrize(("limit", "sizes"), [(50, [50] * 5), (125, [125, 125]), (200, [200, 50]), (1, [1] * 3)])
def test_a_page_is_as_large_as_asked_for(limit: int, sizes: list[int], crowd: Site) -> None:
    link, found = f"{users('C')}?limit={limit}", []
    while link and len(found) < len(sizes):
        page = crowd.ask("GET", link)
        found.append(len(page["results"]))
        link = page.get("paging", {"nextPage": ""})["nextPage"].removeprefix("/learn/api/public/")
    assert found == sizes
    assert bool(link) == (limit == 1)


@pytest.mark.parametrize("query", ["limit=201", "limit=0", "limit=-1", "offset=-1", "offset=x", "offset=1.5"])
def test_a_page_that_cannot_be_is_refused(query: str, crowd: Site) -> None:
    assert query.partition("=")[0] in crowd.message("GET", f"{users('C')}?{query}", 400)


def test_behind_the_end_there_is_nothing(crowd: Site) -> None:
    assert crowd.ask("GET", f"{users('C')}?offset=250") == {"results": []}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("role=Grader", [CROWD[248]]),
        ("availability.available=Disabled", [CROWD[0]]),
        ("created=2031-01-06T09:00:00Z&createdCompare=greaterOrEqual", CROWD[248:]),
        ("created=2031-01-06T10:00:00%2B01:00&createdCompare=greaterOrEqual", CROWD[248:]),
        ("created=2031-01-06T09:00:00.001Z", CROWD[249:]),
        ("modified=2031-01-06T10:00:00Z", [CROWD[0], CROWD[249]]),
        ("created=2031-01-06T08:00:00Z&role=Student", [CROWD[247], CROWD[249]]),
        ("created=2031-01-06T08:00:00Z&sort=created(desc)", CROWD[:246:-1]),
    ],
)
def test_memberships_are_narrowed_down_and_sorted(query: str, names: list[str], crowd: Site) -> None:
    assert list(by_name(crowd, "C", f"expand=user&{query}")) == names


def test_before_is_the_other_half_of_since(crowd: Site) -> None:
    since = by_name(crowd, "C", "expand=user&created=2031-01-06T09:00:00Z")
    before = by_name(crowd, "C", "expand=user&created=2031-01-06T09:00:00Z&createdCompare=lessThan")
    assert len(since) + len(before) == len(CROWD)
    assert not since.keys() & before.keys()


def test_who_is_enrolled_and_disabled_by_an_administrator(site: Site) -> None:
    name = new_name("fresh")
    made = site.play(CLASSIC, "enrol", user=name, available="No", role="TeachingAssistant")
    found = site.ask("GET", f"{users(CLASSIC)}/userName:{name.replace(' ', '%20')}")
    assert (found["id"], found["courseRoleId"]) == (made["id"], "TeachingAssistant")
    assert found["availability"] == {"available": "No"}
    for do, available in (("disable", "Disabled"), ("enable", "Yes")):
        assert site.play(CLASSIC, do, user=name) == made
        assert by_name(site, CLASSIC)[name]["availability"] == {"available": available}
    site.play(CLASSIC, "enrol", user=name, code=409)
    site.play(CLASSIC, "disable", user="nobody", code=400)
    site.play(SECTION, "disable", user=DISABLED, code=404)
