"""A hall full of exam PCs for the length of an exam, under a network that comes and goes.

``EXAM_HALL_MACHINES`` says how many; 300 need some minutes.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from custody.pcs import UPLOAD, Pc, client_of, sha
from fixtures.sandboxes import Hall, running_hall
from gradeway.custody import watch
from gradeway.store.engine import Store
from gradeway.vendors.transport import Manners

MACHINES = int(os.environ.get("EXAM_HALL_MACHINES", "30"))
LENGTH = MACHINES / 30  # more machines take longer for everything
PLAYERS = 4
LOOK, PAUSE = 0.4 * LENGTH, 0.3 * LENGTH  # most files do not stand still between two looks
GIVEN = {"aqr_grace_seconds": LENGTH, "aqr_restless_seconds": max(1, LENGTH)}
FAULTS = [
    {"match": UPLOAD, "kind": "drop_after", "times": 3},
    {"match": UPLOAD, "kind": "drop", "times": 3},
    {"match": UPLOAD, "kind": "status", "status": 503, "times": 3},
    {"match": UPLOAD, "kind": "status_after", "status": 502, "times": 3},
    {"match": UPLOAD, "kind": "status", "status": 429, "times": 2},
    {"match": UPLOAD, "kind": "cut", "times": 2},
]
CHANCE = random.Random(20260504)


@dataclass
class Machine:
    """One exam PC: its participant, its folder, and the process that watches it."""

    number: int
    pc: Pc
    sitting: str
    written: list[bytes] = field(default_factory=list)
    finished: bool = False
    said: list[str] = field(default_factory=list)

    def play(self, do: str) -> None:
        """Rewrite the result file, as a player does: in place, and not at once."""
        content = self.pc.hall.play(self.sitting, do, size=CHANCE.randrange(500, 4000), score=self.number, max=1000)
        self.written.append(content)
        with self.pc.path().open("wb") as file:
            file.write(content[:400])
            file.flush()
            time.sleep(0.01)
            file.write(content[400:])
        self.finished = do == "finish"

    def watch(self, stop: threading.Event) -> None:
        """What `gradeway aqr watch` does."""
        with self.pc.client:
            watch.watch(self.pc.custody, self.pc.folder, LOOK, stop, self.said.append)


@pytest.fixture
def exam(tmp_path: Path) -> Iterator[Hall]:
    """A sandbox with as many sittings as there are machines."""
    people = [str(510001 + number) for number in range(MACHINES)]
    seed = {
        "Exams": [{"id": "1", "name": "Anatomy final"}],
        "Participants": [{"id": person} for person in people],
        "Sittings": [{"exam": "1", "participant": person} for person in people],
    }
    with running_hall(tmp_path, seed) as hall:
        yield hall


@pytest.fixture
def machines(exam: Hall, folder: Path, sqlite_template: Path) -> Iterator[list[Machine]]:
    """The machines; each has a store of its own."""
    made = []
    for number in range(MACHINES):
        home = folder / f"pc{number}"
        home.mkdir()
        shutil.copy(sqlite_template, home / "store.db")
        manners = Manners(connect=5, read=2 + 2 * LENGTH, interval=0, backoff=0.05)
        pc = Pc(exam, Store(f"sqlite:///{home / 'store.db'}"), home / "exams", client_of(exam, manners), given=GIVEN)
        made.append(Machine(number, pc, f"{510001 + number}-1"))
    yield made
    for machine in made:
        machine.pc.store.engine.dispose()


def take_part(machines: Sequence[Machine], over: threading.Event) -> None:
    """Rewrite the files of some machines again and again until the exam is over or they are finished."""
    for machine in machines:
        machine.play("start")
    while not over.wait(PAUSE):
        for machine in machines:
            if not machine.finished:
                machine.play("save")


def finish(machines: Sequence[Machine]) -> None:
    for machine in machines:
        machine.play("finish")


def network(hall: Hall) -> None:
    """The network during an exam."""
    for state, seconds in (
        ({}, 3.0),
        ({"online": False}, 1.5),
        ({"bytes_per_second": 20_000}, 2.0),
        ({"online": False}, 0.5),
        ({}, 1.0),
    ):
        hall.network(**state)
        if not state:
            hall.act("faults", FAULTS)
        time.sleep(seconds * LENGTH)


def wait_for_saves(hall: Hall, machines: Sequence[Machine]) -> None:
    """See that each computer sends what it has while its exam goes on, although its file does not stand still."""
    deadline, wanted = time.monotonic() + 10 * LENGTH + 120, {machine.sitting for machine in machines}
    while (saved := {upload["sitting"] for upload in hall.every("offline-results")}) != wanted:
        assert time.monotonic() < deadline, wanted - saved
        time.sleep(0.1)


def wait_for_the_end(machines: Sequence[Machine]) -> None:
    deadline = time.monotonic() + 30 * LENGTH + 30
    while any(machine.pc.path().exists() for machine in machines) and time.monotonic() < deadline:
        time.sleep(0.1)


def test_every_final_result_arrives_exactly_once(
    exam: Hall, machines: list[Machine], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watch, "FIRST_WAIT", 0.2 * LENGTH)
    monkeypatch.setattr(watch, "LONGEST_WAIT", LENGTH)
    begun = time.monotonic()
    offline, online = machines[::2], machines[1::2]
    stop, over = threading.Event(), threading.Event()
    with ThreadPoolExecutor(MACHINES + PLAYERS) as pool:
        try:
            watching = [pool.submit(machine.watch, stop) for machine in machines]
            playing = [pool.submit(take_part, machines[start::PLAYERS], over) for start in range(PLAYERS)]
            network(exam)
            wait_for_saves(exam, machines)
            over.set()
            for each in playing:
                each.result()
            exam.network(online=False)
            finish(offline)
            time.sleep(LENGTH)
            assert not any(machine.pc.path("exam.bak").exists() for machine in offline)
            exam.network()
            finish(online)
            wait_for_the_end(machines)
        finally:
            over.set()
            stop.set()
        for each in watching:
            each.result()
    check(exam, machines)
    with capsys.disabled():
        tell(exam, machines, time.monotonic() - begun)


def check(hall: Hall, machines: Sequence[Machine]) -> None:
    uploads: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for upload in hall.every("offline-results"):
        uploads[upload["sitting"]].append(upload)
    for machine in machines:
        check_end(machine, uploads[machine.sitting])
    check_log(hall)
    results = {result["sitting"]: result for result in hall.every("results")}
    assert {sitting: (each["state"], each["score"]) for sitting, each in results.items()} == {
        machine.sitting: ("finished", machine.number) for machine in machines
    }


def check_end(machine: Machine, uploads: list[dict[str, Any]]) -> None:
    """The final result is there once, was the last, and the file got its last name only after."""
    assert machine.pc.names() == ["exam.bak"], machine.said
    assert machine.pc.path("exam.bak").read_bytes() == machine.written[-1]
    finals = [upload for upload in uploads if upload["state"] == "finished"]
    assert [upload["sha256"] for upload in finals] == [sha(machine.written[-1])]
    assert uploads[-1] == finals[0]
    received = datetime.fromisoformat(finals[0]["receivedAt"]).timestamp()
    assert machine.pc.path("exam.bak").stat().st_ctime >= received - 0.02  # a file system's clock is coarse
    written = {sha(content) for content in machine.written}
    assert {upload["sha256"] for upload in uploads} <= written


def check_log(hall: Hall) -> None:
    """No bytes were sent again unless they had not arrived, and nothing was sent that had ended."""
    sent: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in hall.log():
        if entry["method"] == "POST" and entry["sha256"]:
            sent[entry["sha256"]].append(entry)
    for entries in sent.values():
        for entry in entries[:-1]:
            assert not entry["took_effect"]
            assert entry["fault"] or entry["status"] is None  # spoilt, or broken off before it was answered
    assert not [entry for entries in sent.values() for entry in entries if entry["status"] == 409]


def tell(hall: Hall, machines: Sequence[Machine], seconds: float) -> None:
    posts = [entry for entry in hall.log() if entry["method"] == "POST"]
    ends = Counter(str(entry["fault"] or entry["status"] or "broken off") for entry in posts)
    finals = sum(upload["state"] == "finished" for upload in hall.every("offline-results"))
    told = (
        f"{len(machines)} machines, {sum(len(machine.written) for machine in machines)} files written, "
        f"{len(posts)} uploads ({', '.join(f'{count} {end}' for end, count in sorted(ends.items()))}), "
        f"{finals} final results, {sum(machine.pc.states()['kept'] for machine in machines)} put away, {seconds:.0f} s"
    )
    sys.stdout.write(f"\n{told}\n")
