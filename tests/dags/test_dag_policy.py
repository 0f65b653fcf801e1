"""What every DAG and every task must carry, whatever it does."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, AssetAll, AssetOrTimeSchedule, CronTriggerTimetable, RetryAction
from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator
from sqlalchemy.exc import OperationalError

from gradeway import feeds
from gradeway.errors import (
    BatchFailedError,
    FileDefectError,
    LostClaimError,
    SettingsError,
    StoreError,
    StoreNotReadyError,
    SyncBusyError,
    UnknownBatchError,
)
from gradeway.orchestration import alerts, assets, policy, steps
from gradeway.orchestration.runtime import POOLS
from gradeway.reasons import Reason

# Hours: one waits for a person, the others make one call after the other, at a polite pace.
LONG_TASKS = {"approve": 20, "apply": 8}
DAG_IDS = ["load_grades", "replay", "housekeeping", "sync_sessions", "approve_sessions", "collect_results"]
DAG_IDS += ["collect_aqr", "check_aqr", "publish_gradebook", "approve_publication"]
# Questions that wait for a person must not wait for each other.
RUNS_AT_ONCE = {"approve_sessions": 64, "approve_publication": 64}


@pytest.fixture(params=DAG_IDS)
def dag(request: pytest.FixtureRequest, dagbag: DagBag) -> DAG:
    """Each DAG in turn."""
    found: DAG = dagbag.dags[request.param]
    return found


def test_no_dag_is_left_out(dagbag: DagBag) -> None:
    assert sorted(dagbag.dags) == sorted(DAG_IDS)


def test_a_dag_is_owned_tagged_documented_and_bounded(dag: DAG) -> None:
    assert dag.owner == "gradeway"
    assert "gradeway" in dag.tags
    assert dag.catchup is False
    assert dag.max_active_runs == RUNS_AT_ONCE.get(dag.dag_id, 1)
    assert dag.dagrun_timeout
    assert dag.on_failure_callback == [alerts.run_failed]


def test_the_docs_say_what_failing_means(dag: DAG) -> None:
    assert dag.doc_md
    for part in ("**What it does.**", "**When it fails.**"):
        assert part in dag.doc_md


def test_a_task_is_tried_again_ever_later_and_tells_when_it_gives_up(dag: DAG) -> None:
    assert dag.tasks
    for task in dag.tasks:
        told = task.partial_kwargs if isinstance(task, MappedOperator) else vars(task)
        assert task.owner == "gradeway", task.task_id
        assert task.retries == 3, task.task_id
        assert task.retry_exponential_backoff == 2.0, task.task_id
        assert task.max_retry_delay == timedelta(minutes=5), task.task_id
        # a task that waits for a person has its own bound
        longest = getattr(task, "response_timeout", None) or task.execution_timeout
        assert timedelta(0) < longest <= timedelta(hours=LONG_TASKS.get(task.task_id, 2)), task.task_id
        assert told["on_failure_callback"] == [alerts.task_failed], task.task_id
        assert told["retry_policy"] is policy.COMMON["default_args"]["retry_policy"], task.task_id


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (SettingsError("x"), RetryAction.FAIL),
        (StoreNotReadyError("x"), RetryAction.FAIL),
        (UnknownBatchError(1), RetryAction.FAIL),
        (FileDefectError(Reason.FILE_EMPTY), RetryAction.FAIL),
        (StoreError("x"), RetryAction.DEFAULT),
        (SyncBusyError("x"), RetryAction.RETRY),
        (BatchFailedError(1, "KeyError"), RetryAction.FAIL),
        (LostClaimError(1), RetryAction.DEFAULT),
        (OperationalError("select", {}, Exception("x")), RetryAction.DEFAULT),
        (OSError("x"), RetryAction.DEFAULT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_only_what_may_pass_is_tried_again(error: Exception, action: RetryAction) -> None:
    chosen = policy.COMMON["default_args"]["retry_policy"]
    assert chosen.evaluate(error, try_number=1, max_tries=3).action is action


def test_the_stages_are_those_of_the_feeds() -> None:
    assert [stage.number for stage in steps.STAGES] == feeds.stages("grades")
    assert feeds.stages("results") == [steps.RESULTS]


def test_columns_and_schemas_load_one_after_another() -> None:
    assert [stage.title for stage in steps.STAGES if stage.abreast > 1] == ["grades"]


@pytest.mark.parametrize("number", [0, 1, 15, 16, 17, 1000, 5000])
def test_a_flood_of_batches_is_sliced_without_loss_in_order(number: int) -> None:
    batches = list(range(1, number + 1))
    slices = steps.waiting({"grades": batches}, "grades")
    assert [batch for each in slices for batch in each] == batches
    assert len(slices) == min(number, steps.MOST_SLICES)
    assert all(slices)
    assert not slices or max(map(len, slices)) - min(map(len, slices)) <= 1


def test_every_pool_is_among_those_that_are_made(dagbag: DagBag) -> None:
    pools = json.loads(POOLS.read_text())
    used = {task.pool for dag in dagbag.dags.values() for task in dag.tasks} - {"default_pool"}
    assert used == pools.keys()
    assert all(pool["slots"] > 1 for pool in pools.values())


def test_load_grades_starts_by_the_doorbell_and_by_the_clock(dagbag: DagBag) -> None:
    schedule = dagbag.dags["load_grades"].schedule
    assert isinstance(schedule, AssetOrTimeSchedule)
    assert schedule.asset_condition == AssetAll(assets.GRADES_INBOX)
    (watcher,) = assets.GRADES_INBOX.watchers
    assert watcher.trigger.serialize()[1]["family"] in feeds.INBOXES
    assert isinstance(schedule.timetable, CronTriggerTimetable)
    assert schedule.timetable.expression == "*/5 * * * *"


def test_load_grades_loads_stage_after_stage(dagbag: DagBag) -> None:
    dag = dagbag.dags["load_grades"]
    loads = [dag.get_task(f"{stage.title}.load") for stage in steps.STAGES]
    for earlier, later in pairwise(loads):
        assert earlier.task_id in later.get_flat_relative_ids(upstream=True)
        assert isinstance(later, MappedOperator)
    for stage, load in zip(steps.STAGES, loads, strict=True):
        assert load.max_active_tis_per_dagrun == stage.abreast


def test_no_failure_is_hidden_by_the_last_task(dagbag: DagBag) -> None:
    dag = dagbag.dags["load_grades"]
    done: BaseOperator = dag.get_task("done")
    assert [leaf.task_id for leaf in dag.leaves] == ["done"]
    assert done.trigger_rule == "none_failed"
    for task in dag.tasks:
        # Whatever a lenient rule behind it would swallow must be seen by the last task itself.
        if any(dag.get_task(after).trigger_rule == "all_done" for after in task.downstream_task_ids):
            hidden = task.task_id not in done.upstream_task_ids and not task.task_id.endswith(".waiting")
            assert not hidden, task.task_id


def test_each_asset_is_announced_by_one_task(dagbag: DagBag) -> None:
    dag = dagbag.dags["load_grades"]
    announced = {task.task_id: task.outlets for task in dag.tasks if getattr(task, "outlets", None)}
    assert announced == {f"announce_{asset.name}": [asset] for asset in steps.ASSETS}
    assert {asset.name for asset in steps.ASSETS} == {"gradeway_schemas", "gradeway_columns", "gradeway_grades"}


def test_replaying_is_a_dry_run_unless_asked_otherwise(dagbag: DagBag) -> None:
    form = dagbag.dags["replay"].params
    assert form["dry_run"] is True
    assert form["batch"] is None
    assert form["file"] is None
