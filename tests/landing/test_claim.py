"""A landed file has one owner, whoever else reaches for it and wherever its worker dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fixtures.intakes import Site
from fixtures.landed import Killed, claim_now, files_below, kill, schema, titles
from gradeway.landing import claim

# --- one owner


def test_a_claim_takes_the_file_out_of_the_inbox_into_a_folder_of_ours(site: Site) -> None:
    site.drop("one.sch", schema("One"))
    (number,) = claim_now(site)
    (batch,) = site.batches()
    assert (batch.id, batch.feed, batch.file_name, batch.state) == (number, "sch", "one.sch", "claimed")
    assert (batch.size, batch.rows_in) == (len(schema("One")), 0)
    assert files_below(site.inbox) == []
    assert claim.content(site.zone.root / batch.place).read_bytes() == schema("One")
    assert claim_now(site) == []


def test_many_threads_claim_each_file_once(site: Site) -> None:
    for number in range(40):
        site.drop(f"{number}.sch", schema(f"S{number}"))
    start = threading.Barrier(4)

    def work() -> list[int]:
        start.wait()
        return claim_now(site) + claim_now(site)

    with ThreadPoolExecutor(4) as pool:
        claimed = [number for future in [pool.submit(work) for _ in range(4)] for number in future.result()]
    assert len(claimed) == len(set(claimed)) == 40
    assert sorted(batch.file_name for batch in site.batches()) == sorted(f"{number}.sch" for number in range(40))
    assert {batch.state for batch in site.batches()} == {"claimed"}
    assert files_below(site.inbox) == []


CLAIMER = """
import json, sys, time
from pathlib import Path
from gradeway.landing import claim
from gradeway.landing.zone import Zone
from gradeway.settings import Settings
from gradeway.store.engine import Store

home, me = Path(sys.argv[1]), sys.argv[2]
settings = Settings(home=home, settle_seconds=0)
store, zone = Store(settings.database_url), Zone(settings.landing)
(home / f"ready-{me}").touch()
while not (home / "go").exists():
    time.sleep(0.001)
print(json.dumps(claim.claim_all(zone, "grades", store, settings) + claim.claim_all(zone, "grades", store, settings)))
"""


def test_two_processes_claim_each_file_once(site: Site) -> None:
    home = site.settings.home
    command = [sys.executable, "-c", CLAIMER, str(home)]
    workers = [subprocess.Popen([*command, me], stdout=subprocess.PIPE) for me in "ab"]
    for number in range(30):
        site.drop(f"{number}.sch", schema(f"S{number}"))
    patience = time.monotonic() + 60
    while len(list(home.glob("ready-*"))) < 2 and time.monotonic() < patience:
        time.sleep(0.01)
    (home / "go").touch()
    claimed = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert sorted(claimed[0] + claimed[1]) == list(range(1, 31))
    assert len(site.batches()) == 30
    assert files_below(site.inbox) == []
    site.sweep()
    assert len(titles(site)) == 30


def test_two_workers_load_a_batch_once(site: Site) -> None:
    site.drop("one.sch", schema("One"))
    (number,) = claim_now(site)
    start = threading.Barrier(2)

    def work() -> bool:
        start.wait()
        return site.intake.process(number)

    with ThreadPoolExecutor(2) as pool:
        loaded = [future.result() for future in [pool.submit(work), pool.submit(work)]]
    assert sorted(loaded) == [False, True]
    (batch,) = site.batches()
    assert (batch.state, batch.rows_in, batch.created) == ("loaded", 1, 1)


def test_a_folder_that_another_worker_holds_is_not_adopted(site: Site) -> None:
    folder = site.zone.claimed / "grades-held"
    folder.mkdir()
    (folder / "one.sch").write_bytes(schema("One"))
    with claim.own(folder) as owned:
        assert owned
        assert claim_now(site) == []
    assert len(claim_now(site)) == 1


def test_a_folder_is_owned_by_one_and_only_while_it_is_there(tmp_path: Path) -> None:
    with claim.own(tmp_path) as first, claim.own(tmp_path) as second:
        assert (first, second) == (True, False)
    with claim.own(tmp_path) as again:
        assert again
    with claim.own(tmp_path / "gone") as gone:
        assert not gone


# --- a worker that dies


def test_a_file_claimed_by_a_dead_worker_is_adopted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.drop("one.sch", schema("One"))
    with monkeypatch.context() as patch:
        patch.setattr(claim.ledger, "enter", kill)
        with pytest.raises(Killed):
            site.intake.sweep()
    assert site.batches() == []
    assert files_below(site.inbox) == []
    batches = site.sweep()
    assert (batches["one.sch"].feed, batches["one.sch"].state, titles(site)) == ("sch", "loaded", ["One"])


def test_a_folder_without_a_file_is_taken_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.drop("one.sch", schema("One"))
    with monkeypatch.context() as patch:
        patch.setattr(claim, "_take", kill)
        with pytest.raises(Killed):
            claim_now(site)
    assert len(list(site.zone.claimed.iterdir())) == 1
    assert len(claim_now(site)) == 1
    assert [batch.place for batch in site.batches()] == [f"claimed/{path.name}" for path in site.zone.claimed.iterdir()]


def test_two_workers_adopt_a_file_once(site: Site) -> None:
    for number in range(20):
        folder = site.zone.claimed / f"grades-{number}"
        folder.mkdir()
        (folder / f"{number}.sch").write_bytes(schema(f"S{number}"))
    with ThreadPoolExecutor(3) as pool:
        adopted = [number for numbers in pool.map(lambda _: claim_now(site), range(3)) for number in numbers]
    assert len(adopted) == len(set(adopted)) == len(site.batches()) == 20


# --- the same bytes


def test_the_same_bytes_under_two_names_are_loaded_once(site: Site) -> None:
    site.drop("a.sch", schema("One"))
    os.utime(site.inbox / "a.sch", (1, 1))
    site.drop("b.sch", schema("One"))
    batches = site.sweep()
    assert (batches["a.sch"].state, batches["b.sch"].state) == ("loaded", "duplicate")
    again = site.send("c.sch", schema("One"))
    for batch in (batches["b.sch"], again):
        assert (batch.duplicate_of, batch.rows_in, batch.reasons, batch.balanced) == (batches["a.sch"].id, 0, {}, True)
        assert site.kept(batch).read_bytes() == schema("One")
        assert site.report(batch)["duplicate_of"] == batches["a.sch"].id
    assert site.rows("SELECT count(*) FROM change") == [(1,)]


def test_the_same_bytes_for_another_feed_are_another_batch(site: Site) -> None:
    content = b"courseId|name|description|duedate|points|gradeSchema|optionalData\nC1|%s|||||\n"
    site.drop("a.col", content)
    site.drop("a.colnc", content)
    assert {batch.state for batch in site.sweep().values()} == {"loaded"}


def test_the_same_name_with_other_bytes_is_another_batch(site: Site) -> None:
    first, second = site.send("a.sch", schema("One")), site.send("a.sch", schema("Two"))
    assert (first.state, second.state, titles(site)) == ("loaded", "loaded", ["One", "Two"])
    assert site.kept(first) != site.kept(second)


def test_refused_bytes_that_come_again_are_judged_again(site: Site) -> None:
    first, second = site.send("a.sch", b"nonsense\n"), site.send("b.sch", b"nonsense\n")
    assert (first.state, second.state, second.duplicate_of) == ("refused", "refused", None)


def test_the_same_bytes_with_another_line_end_are_other_bytes(site: Site) -> None:
    site.send("a.sch", schema("One"))
    batch = site.send("b.sch", schema("One").replace(b"\n", b"\r\n"))
    assert (batch.state, batch.unchanged, batch.created) == ("loaded", 1, 0)
