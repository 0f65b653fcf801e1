"""The steps of Gradeway's DAGs: what a task calls, one function a task.

Each opens the intake, calls it, and returns what fits into an XCom: batch numbers, counts and
reason codes. Nothing heavy is imported before a task runs, because DAG files import this module.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import Asset, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from gradeway.orchestration.assets import COLUMNS, GRADES, SCHEMAS
from gradeway.orchestration.connections import task_settings

if TYPE_CHECKING:
    from gradeway.intake import Intake
    from gradeway.store.ledger import Tally

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """A stage of the load order as the DAG shows it.

    ``abreast`` slices of its batches are loaded at the same time by one run.
    """

    number: int
    title: str
    asset: Asset
    abreast: int


# Written out because the registry imports pandas, which must not happen when a DAG file is parsed.
STAGES = (
    Stage(1, "schemas", SCHEMAS, 1),
    Stage(2, "columns", COLUMNS, 1),
    Stage(3, "external", COLUMNS, 1),
    Stage(4, "grades", GRADES, 4),
)
# A task costs a second whatever it loads; a flood of small files shares these many per stage.
MOST_SLICES = 16
# Results of exams become grades too; they come by another DAG, but may have waited for a column.
RESULTS = 8
STORED_IN = {stage.number: stage.asset for stage in STAGES} | {RESULTS: GRADES}
ASSETS = tuple(dict.fromkeys(stage.asset for stage in STAGES))


@contextmanager
def opened_intake() -> Iterator[Intake]:
    """Open the intake; errors of the database come out without their text, which may quote rows."""
    from sqlalchemy.exc import SQLAlchemyError

    from gradeway.errors import StoreError
    from gradeway.intake import Intake
    from gradeway.redact import trail

    try:
        yield Intake(task_settings())
    except SQLAlchemyError as error:
        msg = f"the store failed: {trail(error)}"
        raise StoreError(msg) from None


def claim() -> dict[str, list[int]]:
    """Take what landed; return the batches to load by stage, or nothing when there is nothing to do."""
    from gradeway.intake import Sweep

    done = Sweep()
    with opened_intake() as intake:
        intake.claim("grades")
        # Left over from a run that died between a load and its release.
        for number in STORED_IN:
            intake.release(number, done)
        waiting = {stage.title: intake.waiting(stage.number) for stage in STAGES}
        idle = not done.released and not any(waiting.values()) and not _due(intake)
    return {} if idle else waiting


def waiting(claimed: dict[str, list[int]], stage: str) -> list[list[int]]:
    """Return the batches of one stage in even slices, oldest first, one for each task that loads them."""
    return in_slices(claimed[stage])


def in_slices(numbers: list[int]) -> list[list[int]]:
    """Return numbers in even slices, in their order, one for each task."""
    slices = min(len(numbers), MOST_SLICES)
    edges = [len(numbers) * number // slices for number in range(slices + 1)] if numbers else []
    return [numbers[start:end] for start, end in pairwise(edges)]


def load(batches: list[int]) -> None:
    """Load batches one after another, which also labels the map index in Airflow's pages.

    Raises:
        BatchFailedError: one failed; the others of the slice were loaded all the same.
    """
    from gradeway.errors import BatchFailedError

    failed: list[BatchFailedError] = []
    with opened_intake() as intake:
        get_current_context()["batches"] = _label(intake, batches)  # type: ignore[typeddict-unknown-key]
        for batch_id in batches:
            try:
                intake.process(batch_id)
            except BatchFailedError as error:
                failed.append(error)
    if failed:
        raise failed[0]


def _label(intake: Intake, batches: list[int]) -> str:
    from gradeway.landing.zone import label
    from gradeway.store import ledger

    with intake.store.session() as session:
        first = label(batches[0], ledger.get(session, batches[0]).file_name)
    return f"{first} and {len(batches) - 1} more" if batches[1:] else first


def release(stage: int) -> int:
    """Load the rows that waited for what this stage brought: of this stage, of the next, and results of exams.

    Raises:
        BatchFailedError: the rows of one batch could not be loaded; those of the others were.
    """
    from gradeway.intake import Sweep

    done = Sweep()
    with opened_intake() as intake:
        for number in (each for each in (stage, stage + 1, RESULTS) if each in STORED_IN):
            intake.release(number, done)
    if done.failed:
        raise done.failed[0]
    return done.released


def changes(claimed: dict[str, list[int]]) -> list[str]:
    """Return the assets whose rows were created or changed by this run's batches, or by others not reported yet.

    The ledger knows it, so another try misses no change, nor does it matter who loads and reports them.
    """
    from gradeway.feeds import FEEDS
    from gradeway.store import ledger

    with opened_intake() as intake, intake.store.session() as session:
        ours = {batch_id for batches in claimed.values() for batch_id in batches}
        batches = [ledger.get(session, batch_id) for batch_id in sorted(ours.union(_due(intake)))]
        stages = {FEEDS[batch.feed].stage for batch in batches if batch.applied}
    return [asset.name for asset in ASSETS if any(STORED_IN.get(number) == asset for number in stages)]


def announce(changed: list[str], asset: str) -> None:
    """Let the event of an asset happen if its rows changed.

    Raises:
        AirflowSkipException: they did not.
    """
    if asset not in changed:
        msg = f"nothing changed for {asset}"
        raise AirflowSkipException(msg)


def _due(intake: Intake) -> list[int]:
    from gradeway.store import ledger

    return ledger.due_reports(intake.store)


def finish() -> list[int]:
    """Archive what was loaded and write the reports; return the batches."""
    with opened_intake() as intake:
        return intake.finish()


def rehearse(batch_id: int | None, file: str | None) -> dict[str, int | str]:
    """Return what loading a batch again, or a file for the first time, would do; change nothing."""
    from gradeway.errors import FileDefectError

    with opened_intake() as intake:
        path, feed = _of_batch(intake, batch_id) if batch_id else _of_file(intake, file or "")
        try:
            outcome = _counts(intake.rehearse(path, feed))
        except FileDefectError as defect:
            outcome = {"refused": defect.reason.value}
    log.info("rehearsal, nothing was changed: %s", outcome)
    return outcome


def _of_batch(intake: Intake, batch_id: int) -> tuple[Path, str]:
    from gradeway.store import ledger

    with intake.store.session() as session:
        batch = ledger.get(session, batch_id)
        return intake.bytes_of(batch), batch.feed


def _of_file(intake: Intake, file: str) -> tuple[Path, str]:
    """Return a file of the landing zone and its feed; files elsewhere are nobody's business here."""
    from gradeway.feeds import of_file
    from gradeway.landing.claim import first_line

    root = intake.zone.root.resolve()
    path = (root / file).resolve()
    if path.is_relative_to(root) and path.is_file() and (spec := of_file(path.name, first_line(path))):
        return path, spec.name
    msg = "give the number of a batch, or the path of a file of some feed below the landing zone"
    raise AirflowFailException(msg)


def _counts(tally: Tally) -> dict[str, int | str]:
    from gradeway.checks.report import rows_of

    return {**rows_of(tally), **Counter(finding.reason.value for finding in tally.findings)}


def replay(batch_id: int | None, *, dry_run: bool) -> int:
    """Take a batch's bytes in again as a new batch; return its number.

    Raises:
        AirflowSkipException: a dry run was asked for.
        AirflowFailException: no batch was given.
    """
    if dry_run:
        msg = "a dry run: the store stays as it is"
        raise AirflowSkipException(msg)
    if not batch_id:
        msg = "only a batch can be replayed; drop a file into the inbox to load it"
        raise AirflowFailException(msg)
    with opened_intake() as intake:
        return intake.replay(batch_id)


def tidy() -> dict[str, int]:
    """Reject what waited too long, delete what is past its retention; return the counts."""
    with opened_intake() as intake:
        counts: dict[str, int] = intake.tidy()
    log.info("tidied up: %s", counts)
    return counts
