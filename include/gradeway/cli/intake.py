"""`gradeway sweep` and `gradeway replay`: the steps of the intake, told as they go."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

from gradeway import feeds
from gradeway.checks.report import rows_of
from gradeway.cli import out
from gradeway.cli.batches import FIELDS, batch_data, batch_row, identity
from gradeway.cli.checking import print_findings
from gradeway.cli.shell import DONE, FOUND, Refusal
from gradeway.errors import BatchFailedError, LandingError
from gradeway.intake import Intake, Sweep
from gradeway.reasons import Level, Reason
from gradeway.settings import load
from gradeway.store import ledger, overview
from gradeway.store.models import Batch, BatchState

log = logging.getLogger(__name__)

SHOWN = 20
CAREFUL = ("rejected", "parked")


def sweep_once(output: str) -> int:
    """Do one sweep and print what it did; return the exit code."""
    intake = Intake(load())
    with intake.store.session() as session:
        before = overview.rejected_so_far(session)
    with out.spinner("looking at the inbox") as tell:
        done = intake.sweep(tell or log.info)
    return _tell(intake, done, before, output)


def _tell(intake: Intake, done: Sweep, before: dict[int, int], output: str) -> int:
    with intake.store.session() as session:
        items = [batch_data(batch, intake.settings) for batch in overview.by_number(session, done.batches)]
    if output == "json":
        out.print_json({"batches": items, "released": done.released, "failed": [str(error) for error in done.failed]})
    else:
        _print(items, done, intake)
    bad = [item for item in items if _is_bad(item, before)]
    return FOUND if bad or done.failed else DONE


def _is_bad(item: dict[str, Any], before: dict[int, int]) -> bool:
    more = item["rows"]["rejected"] > before.get(item["batch"], 0)
    return bool(more or item["state"] == BatchState.REFUSED)


def _print(items: list[dict[str, Any]], done: Sweep, intake: Intake) -> None:
    if items:
        out.say(out.table(FIELDS, map(batch_row, items)))
    else:
        out.say(f"nothing has landed in {intake.zone.root / 'inbox'}, or it is still changing")
    for item in items:
        for remark in _remarks(item):
            out.say(f"batch {item['batch']}: {remark}")
    if items:
        out.say(f"reports: {intake.zone.reports}")
    if done.released:
        out.say(f"{out.count(done.released, 'row')} that waited went in")
    for failure in done.failed:
        out.say(str(failure))


def _remarks(item: dict[str, Any]) -> list[str]:
    if item["state"] == BatchState.DUPLICATE:
        first, undone = item["duplicate_of"], item["undone_by"]
        rest = f", which was undone: `gradeway replay {first}` loads it again" if undone else ": nothing to do"
        return [f"the same bytes as batch {first}{rest}"]
    remarks = []
    if item["state"] == BatchState.REFUSED:
        remarks.append(f"refused ({', '.join(item['reasons'])}), see {item['report']}")
    elif any(item["rows"][name] for name in CAREFUL):
        remarks.append(f"see {item['report']}")
    if item["reject_file"]:
        remarks.append(f"correct and drop back {item['reject_file']}")
    warnings = [Reason[code] for code in item["reasons"] if Reason[code].level is Level.WARNING]
    return remarks + [f"{reason.value}: {reason.meaning}; {reason.remedy}" for reason in warnings]


def rehearse_batch(batch_id: int, output: str) -> int:
    """Print what a replay of a batch would do now; return the exit code."""
    intake = Intake(load())
    batch = _replayable(intake, batch_id)
    with out.spinner(f"rehearsing batch {batch_id}"):
        tally = intake.rehearse(intake.bytes_of(batch), batch.feed)
    rows, findings = rows_of(tally), [finding.told() for finding in tally.findings]
    if output == "json":
        reasons = Counter(finding.reason.value for finding in tally.findings)
        found = {
            "reasons": dict(sorted(reasons.items())),
            "findings": findings[:SHOWN],
            "findings_total": len(findings),
        }
        out.print_json({"batch": batch_id, "file": batch.file_name, "dry_run": True, "rows": rows, **found})
    else:
        out.say(f"batch {batch_id} ({batch.file_name}) would give: {identity(rows)}")
        out.say(f"applied: {rows['created']:,} created, {rows['updated']:,} updated; nothing was changed now")
        if findings:
            print_findings(findings[:SHOWN], len(findings), "--format json counts them by reason")
    return FOUND if tally.rejected else DONE


def _replayable(intake: Intake, batch_id: int) -> Batch:
    with intake.store.session() as session:
        batch = ledger.get(session, batch_id)
        session.expunge_all()
    try:
        intake.bytes_of(batch)
    except LandingError as error:
        raise Refusal(str(error)) from error
    return batch


def replay_batch(batch_id: int, output: str) -> int:
    """Take a batch in once more and print what that did; return the exit code."""
    intake = Intake(load())
    _replayable(intake, batch_id)
    done = Sweep()
    with intake.store.session() as session:
        before = overview.rejected_so_far(session)
    with out.spinner(f"loading batch {batch_id} once more"):
        again = intake.replay(batch_id)
        try:
            intake.process(again)
        except BatchFailedError as error:
            done.failed.append(error)
        for stage in feeds.stages():
            intake.release(stage, done)
        done.batches = intake.finish()
    return _tell(intake, done, before, output)
