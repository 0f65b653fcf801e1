"""`gradeway aqr collect`."""

from __future__ import annotations

from typing import Any

from gradeway.cli import out
from gradeway.cli.batches import FIELDS, batch_row
from gradeway.cli.results import has_rejects, swept
from gradeway.cli.shell import DONE, FOUND
from gradeway.custody import ledger, reach
from gradeway.results.offline import collect
from gradeway.settings import load
from gradeway.store.engine import Store
from gradeway.vendors.assessmentq import CONNECTION, AssessmentQ
from gradeway.vendors.connection import from_environment


def collect_results(output: str, *, full: bool, sweep: bool) -> int:
    """Bring results home once, sweep if asked to, and print what was done; return the exit code."""
    settings = load()
    store = Store(settings.database_url).ready()
    with AssessmentQ(from_environment(CONNECTION)) as client, out.spinner("reading results"), reach.noted(store):
        done = collect(store, client, settings, full=full)
    ledger.sittings_ended(store, done.ended)
    batches, failures = swept(settings) if sweep else ([], [])
    document: dict[str, Any] = {"results": done.results, "handed_over": done.handed_over, "file": done.file}
    document |= {"batches": batches, "failures": failures} if sweep else {}
    if output == "json":
        out.print_json(document)
    else:
        handed = f"{out.count(done.handed_over, 'result')} handed over: {done.file}" if done.file else "none is new"
        out.say(f"{out.count(done.results, 'result')} read; {handed}", *failures)
        if batches:
            out.say(out.table(FIELDS, map(batch_row, batches)))
    return FOUND if done.without_learner or failures or any(map(has_rejects, batches)) else DONE
