"""Whatever files, people and faults do in whatever order, publishing ends as the store and the people say."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from fixtures.sandboxes import running_site
from gradeway import clock
from gradeway.sandbox.learn.start import courses
from loading.installations import fast_folder
from loading.world import World
from publish.scene import Scene
from publish.story import Story
from publish.tales import LEARNERS, LETTERED, Event, Tale
from sessions.exams import Clock

Tell = Callable[[Sequence[str], Sequence[Event]], None]
EXAMPLES = int(os.environ.get("TALES", "12"))
NUMBERS = {kind: count() for kind in ("Classic", "Ultra")}
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # no number is simpler than another
    derandomize=True,  # the same events in every run: a chance find would stop somebody else's work
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def tell(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Tell]:
    """Let events happen in new courses of one site, with a store of their own."""
    names = {f"{kind[0]}{number:04d}": kind for kind in NUMBERS for number in range(2 * EXAMPLES)}
    with running_site(tmp_path_factory.mktemp("site"), courses(names, dict.fromkeys(names, LEARNERS))) as site:

        def tell(kinds: Sequence[str], events: Sequence[Event]) -> None:
            with fast_folder() as folder, mock.patch.object(clock, "now") as now:
                passing = Clock()
                now.side_effect = passing.now
                shutil.copy(sqlite_template, folder / "store.db")
                world = World(folder / "home", f"sqlite:///{folder / 'store.db'}", publish_threads=1)
                site.log_in()
                story = Story([Scene(world, site, f"{kind[0]}{next(NUMBERS[kind]):04d}") for kind in kinds], passing)
                story.tell(events)
                story.end()
                world.intake.store.engine.dispose()

        yield tell


@SETTINGS
@given(number=st.integers(0, 2**64 - 1))
def test_any_events_end_as_the_store_and_the_people_say(tell: Tell, number: int) -> None:
    tale = Tale(number)
    kinds, events = tale.kinds, tale.events
    note(f"{kinds} {events}")
    tell(kinds, events)


@pytest.mark.parametrize("event", [("column", 0, "Oral", 50, "Letters", ""), ("schema", "A=95:B=90:F=0")])
def test_symbols_are_as_the_store_has_them_before_all_is_looked_at(tell: Tell, event: Event) -> None:
    tell(["Classic"], [*LETTERED, event])
