"""The doorbell: when it rings, when it is silent, what it survives."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path

import pytest
from airflow.sdk.module_loading import import_string
from airflow.triggers.base import TriggerEvent

from gradeway.landing.scan import Entry
from gradeway.orchestration import doorbell as module
from gradeway.orchestration.doorbell import RING_AGAIN_AFTER, RING_AT_LEAST_EVERY, Bell, Doorbell

SETTLE = 2.0


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def entry(name: str, size: int = 10) -> Entry:
    return Entry(Path(name), inode=1, size=size, modified_ns=0, changed_ns=0, plain=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hear(clock: Clock) -> Callable[..., int]:
    """Look at some entries, a number of seconds after the last look."""
    bell = Bell(SETTLE, clock)

    def look(after: float, *entries: Entry) -> int:
        clock.now += after
        return bell.hear(entries)

    return look


def test_rings_once_the_file_is_unchanged_for_the_settle_time(hear: Callable[..., int]) -> None:
    assert [hear(1, entry("a")) for _ in range(4)] == [0, 0, 1, 0]


def test_is_silent_while_a_file_grows(hear: Callable[..., int]) -> None:
    assert not any(hear(1, entry("a", size)) for size in range(20))


def test_is_silent_over_an_empty_inbox(hear: Callable[..., int]) -> None:
    assert not any(hear(60) for _ in range(20))


def test_rings_at_once_for_another_file_and_counts_all(hear: Callable[..., int]) -> None:
    hear(0, entry("a"))
    assert hear(2, entry("a")) == 1
    assert hear(1, entry("a"), entry("b")) == 0
    assert hear(2, entry("a"), entry("b")) == 2


def test_does_not_count_a_file_that_still_changes(hear: Callable[..., int]) -> None:
    hear(0, entry("a"), entry("b", 1))
    assert hear(2, entry("a"), entry("b", 2)) == 1


def test_rings_again_ever_more_seldom_until_somebody_comes(hear: Callable[..., int], clock: Clock) -> None:
    hear(0, entry("a"))
    rings = []
    for _ in range(1000):
        if hear(1, entry("a")):
            rings.append(clock.now)
    pauses = [after - before for before, after in pairwise(rings)]
    assert pauses[:4] == [RING_AGAIN_AFTER, 30, 60, 120]
    assert max(pauses) == RING_AT_LEAST_EVERY


def test_forgets_its_patience_when_the_inbox_was_emptied(hear: Callable[..., int]) -> None:
    hear(0, entry("a"))
    assert hear(2, entry("a"))
    assert not hear(1)
    hear(1, entry("a"))
    assert hear(2, entry("a")) == 1


def test_rings_for_news_only_where_files_stay(clock: Clock) -> None:
    bell = Bell(SETTLE, clock, again=False)
    rings = []
    for second in range(1000):
        clock.now += 1
        rings += [second] if bell.hear([entry("a", 1 if second < 500 else 2)]) else []
    assert rings == [2, 502]


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the inbox will be; the doorbell must not need it to be there."""
    monkeypatch.setenv("GRADEWAY_HOME", str(tmp_path))
    monkeypatch.setenv("GRADEWAY_SETTLE_SECONDS", "0.1")
    return tmp_path / "landing/inbox/grades"


@pytest.fixture
def doorbell() -> Doorbell:
    """A doorbell as the triggerer makes it: from what the scheduler wrote down as JSON."""
    path, arguments = json.loads(json.dumps(Doorbell("grades", look_every=0.02).serialize()))
    made: Doorbell = import_string(path)(**arguments)
    return made


async def next_ring(events: AsyncIterator[TriggerEvent], within: float = 5) -> object:
    return (await asyncio.wait_for(anext(events), within)).payload


def test_an_event_tells_family_and_count_and_no_names(doorbell: Doorbell, inbox: Path) -> None:
    async def story() -> object:
        inbox.mkdir(parents=True)
        for name in ("User001.colncval", "b.sch", "c.sch.part", ".d.sch"):
            (inbox / name).write_text("x\n")
        async with aclosing(doorbell.run()) as events:
            return await next_ring(events)

    assert asyncio.run(story()) == {"family": "grades", "files": 2}


def test_rings_for_result_files_in_any_folder(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> object:
        folder = inbox.parent / "aqr" / "room 1" / "pc 7"
        folder.mkdir(parents=True)
        for name in ("exam.aqr", "EXAM 2.AQR", "exam 3.bak", "notes.txt"):
            (folder / name).write_bytes(b"x")
        async with aclosing(Doorbell("aqr", look_every=0.02).run()) as events:
            return await next_ring(events)

    monkeypatch.setenv("GRADEWAY_AQR_SETTLE_SECONDS", "0.1")
    assert asyncio.run(story()) == {"family": "aqr", "files": 2}


def test_rings_for_result_files_only_when_one_landed_or_changed(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = inbox.parent / "aqr"

    async def story() -> list[object]:
        folder.mkdir(parents=True)
        (folder / "a.aqr").write_bytes(b"x")
        async with aclosing(Doorbell("aqr", look_every=0.02).run()) as events:
            first = await next_ring(events)
            (folder / "b.aqr").write_bytes(b"x")
            return [first, await next_ring(events)]

    monkeypatch.setenv("GRADEWAY_AQR_SETTLE_SECONDS", "0.1")
    monkeypatch.setattr(module, "RING_AGAIN_AFTER", 0.0)
    # one that waits until its exam has ended does not ring at every look
    assert asyncio.run(story()) == [{"family": "aqr", "files": 1}, {"family": "aqr", "files": 2}]


def test_is_silent_as_long_as_nothing_lands(doorbell: Doorbell, inbox: Path) -> None:
    async def story() -> object:
        inbox.mkdir(parents=True)
        async with aclosing(doorbell.run()) as events:
            return await next_ring(events, within=0.5)

    with pytest.raises(TimeoutError):
        asyncio.run(story())


def test_survives_a_missing_inbox_and_says_so_once(
    doorbell: Doorbell, inbox: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> object:
        async with aclosing(doorbell.run()) as events:
            ring = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0.5)
            inbox.mkdir(parents=True)
            (inbox / "a.sch").write_text("x\n")
            return (await asyncio.wait_for(ring, 5)).payload

    with caplog.at_level(logging.INFO):
        assert asyncio.run(story()) == {"family": "grades", "files": 1}
    told = [record.levelname for record in caplog.records if "the inbox grades" in record.getMessage()]
    assert told == ["WARNING", "INFO"]


def test_survives_an_inbox_that_cannot_be_listed(doorbell: Doorbell, inbox: Path) -> None:
    async def story() -> object:
        inbox.parent.mkdir(parents=True)
        inbox.write_text("a file where a folder should be")
        async with aclosing(doorbell.run()) as events:
            ring = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0.2)
            inbox.unlink()
            inbox.mkdir()
            (inbox / "a.sch").write_text("x\n")
            return (await asyncio.wait_for(ring, 5)).payload

    assert asyncio.run(story()) == {"family": "grades", "files": 1}


def test_survives_wrong_settings(
    doorbell: Doorbell, inbox: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> object:
        inbox.mkdir(parents=True)
        (inbox / "a.sch").write_text("x\n")
        async with aclosing(doorbell.run()) as events:
            return await next_ring(events, within=0.3)

    monkeypatch.setenv("GRADEWAY_SETTLE_SECONDS", "soon")
    with pytest.raises(TimeoutError):
        asyncio.run(story())
    assert "GRADEWAY_SETTLE_SECONDS is wrong" in caplog.text
