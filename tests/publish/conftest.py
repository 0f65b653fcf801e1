"""Tests here share a Learn site; each has courses of its own in it, and a store."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fixtures.sandboxes import Site, running_site
from gradeway import clock
from gradeway.sandbox.learn.start import courses
from loading.installations import MakeWorld, of_either_kind
from loading.world import World
from publish.file_scene import FileScene
from publish.scene import MakeScene, Scene
from sessions.exams import Clock

pytest.register_assert_rewrite("publish.term")

MakeCourse = Callable[..., tuple[Site, str]]
COURSES = {"Classic": 250, "Ultra": 150, "Parent": 40}
MOST_COURSES = 20  # of a kind, in one test
LEARNERS = ("ann", "bob", "cy", "dee", "eve", "fay")
# What an account may do that reads everything and changes nothing.
READER = ["course.user.grades.VIEW", "course.user.VIEW", "course.configure-properties.EXECUTE"]


def site_seed() -> dict[str, list[dict[str, Any]]]:
    """A site with many courses of each kind; parents have two sections with somebody in both, some have a trouble."""
    kinds = {f"{kind[0]}{number:04d}": kind for kind in ("Classic", "Ultra") for number in range(COURSES[kind])}
    sections = {f"P{number:04d}-{letter}": f"P{number:04d}" for number in range(COURSES["Parent"]) for letter in "AB"}
    troubles = ("closed", "closed-ultra", "forbidden", "hidden", "orphan", "not-seen")
    kinds |= dict.fromkeys([*sections.values(), *sections, *troubles], "Classic") | {"closed-ultra": "Ultra"}
    learners = dict.fromkeys(kinds, LEARNERS) | dict.fromkeys([*sections.values(), "not-seen"], ())
    learners |= {section: LEARNERS[:3] if section.endswith("A") else LEARNERS[2:] for section in sections}
    seed = courses(kinds, learners)
    more: dict[str, dict[str, Any]] = {section: {"parentId": parent} for section, parent in sections.items()}
    more |= {name: {"closedComplete": True} for name in ("closed", "closed-ultra")}
    more |= {"forbidden": {"entitlements": READER}, "hidden": {"entitlements": ["course.gradebook.MODIFY"]}}
    more |= {"not-seen": {"entitlements": ["course.gradebook.MODIFY"]}, "orphan": {"parentId": "not-seen"}}
    for course in seed["Courses"]:
        course |= more.get(course["courseId"], {})
    seed["Courses"].sort(key=lambda course: "parentId" in course)
    for user in seed["Users"]:
        user["externalId"] = f"S-{user['userName']}"
    return seed


@pytest.fixture
def empty_store(request: pytest.FixtureRequest) -> str:
    """The URL of a store with tables and nothing in them, on either kind of database."""
    return of_either_kind(request)


class Sites:
    """One site after another: the next begins when a test may find too few courses in this one."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._running = ExitStack()
        self._used = Counter(COURSES)
        self._site: Site

    def site(self) -> Site:
        """The site for a test."""
        if any(self._used[kind] > most - MOST_COURSES for kind, most in COURSES.items()):
            self.end()
            self._site = self._running.enter_context(running_site(self._folders.mktemp("site"), site_seed()))
            self._used.clear()
        self._site.log_in()
        return self._site

    def new_course(self, kind: str) -> str:
        """A course in it that no other test uses."""
        number = self._used[kind]
        assert number < COURSES[kind], f"this test makes more than {MOST_COURSES} courses"
        self._used[kind] += 1
        return f"{kind[0]}{number:04d}"

    def end(self) -> None:
        """End the site."""
        self._running.close()


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """A sandbox that all tests here share, with enough courses for each."""
    made = Sites(tmp_path_factory)
    yield made
    made.end()


@pytest.fixture
def site(sites: Sites) -> Iterator[Site]:
    """The sandbox, with its limits and its answers as usual again after the test."""
    site = sites.site()
    yield site
    site.act("faults", method="DELETE", status=204)
    site.act("limit", {})
    site.act("clock", {"now": None})


@pytest.fixture
def new_course(site: Site, sites: Sites) -> MakeCourse:
    """Give the site and a course in it that no other test uses."""
    return lambda kind="Classic": (site, sites.new_course(kind))


@pytest.fixture
def make_course(new_course: MakeCourse, learn_contract: object) -> MakeCourse:
    """As ``new_course``, under the contract of Learn's API."""
    return new_course


@pytest.fixture
def make_scene(make_world: MakeWorld, make_course: MakeCourse) -> MakeScene:
    """Make a scene with a course of its own."""
    return lambda kind="Classic", **given: Scene(make_world(**given), *make_course(kind))


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    """A Classic course."""
    return make_scene()


@pytest.fixture
def ultra(make_scene: MakeScene) -> Scene:
    """An Ultra course."""
    return make_scene("Ultra")


@pytest.fixture
def one_scene(sqlite_store: str, folder: Path, make_course: MakeCourse) -> Iterator[Scene]:
    """A Classic course, with a store on SQLite only."""
    world = World(folder / "home", sqlite_store)
    yield Scene(world, *make_course())
    world.intake.store.engine.dispose()


@pytest.fixture
def plain_scene(sqlite_store: str, folder: Path, new_course: MakeCourse) -> Iterator[Scene]:
    """As ``one_scene``, but one call goes out at a time, and nothing watches over the contract of Learn's API."""
    world = World(folder / "home", sqlite_store, publish_threads=1)
    yield Scene(world, *new_course())
    world.intake.store.engine.dispose()


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A time here that passes only when the test says so."""
    made = Clock()
    monkeypatch.setattr(clock, "now", made.now)
    return made


def with_importer(template: Path, folder: Path, make: MakeWorld, **given: object) -> FileScene:
    """A scene with a folder of its own for an importer, which has the same settings."""
    outgoing = folder / "outgoing"
    outgoing.mkdir()
    shutil.copy(template, folder / "importer.db")
    shared = {name: value for name, value in given.items() if not name.startswith("publish")}
    about = {"publish_target": "files", "publish_files_folder": outgoing}
    importer = World(folder / "importer", f"sqlite:///{folder}/importer.db", **shared)
    return FileScene(make(**about, **given), importer)


@pytest.fixture
def make_files(make_world: MakeWorld, sqlite_template: Path, folder: Path) -> Iterator[Callable[..., FileScene]]:
    """Make a scene with an importer."""
    made: list[FileScene] = []

    def make(**given: object) -> FileScene:
        made.append(with_importer(sqlite_template, folder, make_world, **given))
        return made[-1]

    yield make
    for scene in made:
        scene.importer.intake.store.engine.dispose()


@pytest.fixture
def files(make_files: Callable[..., FileScene]) -> FileScene:
    """A scene with a folder for an importer."""
    return make_files()


@pytest.fixture
def plain_files(sqlite_template: Path, sqlite_store: str, folder: Path) -> Iterator[FileScene]:
    """The same, with a store on SQLite only, and nothing in the folder waits for anything."""

    def make(**given: object) -> World:
        return World(folder / "home", sqlite_store, publish_files_wait=False, **given)

    scene = with_importer(sqlite_template, folder, make)
    yield scene
    for world in (scene.world, scene.importer):
        world.intake.store.engine.dispose()
