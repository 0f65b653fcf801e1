"""Several writers of one store wait for each other instead of failing."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from gradeway.intake import Intake
from gradeway.store import ledger
from gradeway.store.engine import Store
from gradeway.store.ledger import Tally
from gradeway.store.models import Batch
from loading.world import World

COLUMN = ("x.colnc", "courseId|name|points", "C1|X|100")


def test_a_writer_that_read_before_waits_for_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.drop(*COLUMN)
    world.intake.claim()
    world.intake.process(1)
    count = ledger.outcome
    others: list[threading.Thread] = []

    def write_elsewhere() -> None:
        other = Store(world.url)
        ledger.note_failure(other, 1, "other writer")
        other.engine.dispose()

    def meanwhile(batch: Batch) -> tuple[int, ...]:
        others.append(threading.Thread(target=write_elsewhere))
        others[-1].start()
        others[-1].join(0.05)  # it may write at once, or must wait until this writer is done
        return count(batch)

    monkeypatch.setattr(ledger, "outcome", meanwhile)
    assert world.intake.finish() == [1]
    for other in others:
        other.join()
    (batch,) = world.batches()
    assert (batch.report_due, batch.failures) == (False, len(others))


def test_a_report_that_became_untrue_while_it_was_written_is_due_again_on_sqlite(
    folder: Path, sqlite_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_while_reporting(World(folder, sqlite_store), monkeypatch)


def test_a_report_that_became_untrue_while_it_was_written_is_due_again_on_postgresql(
    folder: Path, postgres_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_while_reporting(World(folder, postgres_store), monkeypatch)


def change_while_reporting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another worker reject a row between the two looks that decide whether a report is true."""
    world.drop(*COLUMN)
    world.intake.claim()
    world.intake.process(1)
    reported, outcome = ledger.reported, ledger.outcome
    others: list[threading.Thread] = []

    def reject_elsewhere() -> None:
        other = Store(world.url)
        with other.exclusive() as session:
            ledger.add(session, 1, Tally(rows_in=1, rejected=1))
        other.engine.dispose()

    def meanwhile(batch: Batch) -> tuple[int, ...]:
        others.append(threading.Thread(target=reject_elsewhere))
        others[-1].start()
        others[-1].join(0.3)  # it may write at once, or must wait until this writer is done
        return outcome(batch)

    def watched(*given: object) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(ledger, "outcome", meanwhile)
            reported(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "reported", watched)
        world.intake.finish()
    for other in others:
        other.join()
    world.intake.finish()
    assert world.report(world.batches()[0])["rows"]["rejected"] == 1
    world.intake.store.engine.dispose()


def test_two_workers_finish_the_same_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.drop(*COLUMN)
    world.intake.claim()
    world.intake.process(1)
    replace, twice = Path.replace, []

    def late(draft: Path, target: Path) -> Path:
        if not twice:
            twice.append(True)
            Intake(world.settings).finish()
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", late)
    world.intake.finish()
    assert twice
    assert world.report(world.batches()[0])["state"] == "loaded"
    folder = world.intake.report_folder(world.batches()[0])
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json"]


def test_an_exclusive_transaction_keeps_others_out_and_leaves_readers_alone(empty_store: str) -> None:
    first, second = Store(empty_store), Store(empty_store)
    insert = "INSERT INTO learner (source_id) VALUES ('{}')"
    done: list[str] = []

    def wait_and_write() -> None:
        with second.exclusive() as session:
            done.append("second")
            session.execute(text(insert.format("u2")))

    with first.exclusive() as session:
        session.execute(text(insert.format("u1")))
        other = threading.Thread(target=wait_and_write)
        other.start()
        other.join(0.2)
        with second.session() as reader:
            assert reader.scalar(select(text("count(*)")).select_from(text("learner"))) == 0
        done.append("first")
    other.join()
    assert done == ["first", "second"]
    with first.session() as reader:
        assert reader.scalar(text("SELECT count(*) FROM learner")) == 2
    first.engine.dispose()
    second.engine.dispose()


def test_a_new_sqlite_store_that_another_process_writes_to_is_waited_for(folder: Path) -> None:
    path = folder / "new.db"
    other = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, other.rollback)
    release.start()
    try:
        Store(f"sqlite:///{path}").ready().engine.dispose()
    finally:
        release.join()
        other.close()


def test_what_fails_is_rolled_back(empty_store: str) -> None:
    store = Store(empty_store)
    for transaction in (store.writing, store.exclusive):
        with pytest.raises(ZeroDivisionError):
            fail_in(transaction())
    with store.session() as session:
        assert session.scalar(text("SELECT count(*) FROM learner")) == 0
    store.engine.dispose()


def fail_in(transaction: AbstractContextManager[Session]) -> None:
    with transaction as session:
        session.execute(text("INSERT INTO learner (source_id) VALUES ('u1')"))
        raise ZeroDivisionError
