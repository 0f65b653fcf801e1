"""The commands on publishing: their arguments, their options and what their help teaches."""

# ruff: noqa: D301  (click reads the backspace that \b stands for; a raw docstring would not have it)

from __future__ import annotations

import click

from gradeway.cli.shell import AGAIN, Yes, check_choice, command, verbose_option

Limit = click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Rows shown of each list; 0 shows all."
)


@click.group()
@verbose_option
def publish() -> None:
    """Bring schemas, columns and grades to the gradebook: plan, apply.

    A plan is of one course. It lists every call with what is there before and after it, and has a
    hash; applying takes that hash and does exactly that. Needs the connection in
    AIRFLOW_CONN_GRADEWAY_LEARN, or with GRADEWAY_PUBLISH_TARGET=files the folder of an importer of
    flat files.

    \b
    Examples:
      gradeway publish plan ANA101
      gradeway publish apply --now
      gradeway publish status
    """


@command(publish, writes=AGAIN)
@click.argument("courses", nargs=-1, metavar="[COURSE...]")
@click.option("--everything", is_flag=True, help="All courses, and all that was ever told.")
@Limit
def plan(courses: tuple[str, ...], everything: bool, limit: int, output: str) -> int:
    """Show what would be written to the gradebook; writes nothing there.

    Of the courses that are named, or of those in which something is to be done. What a brake counts
    (GRADEWAY_PUBLISH_BRAKES) is a plan of its own, which needs approval. What is in the way is
    listed with its remedy, grades that somebody changed in the gradebook as conflicts.

    Exit code 1 if something is in the way, in conflict or waits for approval.

    \b
    Examples:
      gradeway publish plan
      gradeway publish plan ANA101 --limit 0
      gradeway publish plan --format json | jq -r '.courses[].hash'
    """
    from gradeway.cli.publish import show_plan

    return show_plan(courses, limit, output, everything=everything)


@command(publish)
@click.argument("digest", metavar="HASH")
@Limit
def show(digest: str, limit: int, output: str) -> int:
    """Show every call of a plan, and what became of it.

    HASH may be the beginning of it.

    \b
    Example:
      gradeway publish show 5f70bf18a086 --limit 0
    """
    from gradeway.cli.publish import show_calls

    return show_calls(digest, limit, output)


@command(publish, writes="`gradeway publish apply --now` goes on")
@click.argument("digest", metavar="[HASH]", default="")
@click.option("--now", is_flag=True, help="Plan what changed, and apply all that needs no approval.")
@click.option("--approve", metavar="HASH", default="", help="Approve the plan of this hash, and apply it.")
@click.option("--reason", default="", help="Why it is approved.")
def apply(digest: str, now: bool, approve: str, reason: str, output: str) -> int:
    """Make the calls of a plan.

    Exactly these, and what an interrupted run had begun, each only if what we have and what is
    there is still as the plan says; what changed since is left to the next plan. Nothing is written
    twice. HASH may be the beginning of it.

    Exit code 1 if the plan is refused, a call fails or got no answer, the calls of the day are used
    up, or flat files wait until others are taken away; with --now also if anything waits for
    approval, is in the way, or was changed by somebody in the gradebook. Each is told in a line.

    \b
    Examples:
      gradeway publish apply --now
      gradeway publish apply 5f70bf18a086
      gradeway publish apply --approve 5f70bf18a086 --reason 'regraded after an appeal'
    """
    check_choice(digest, approve, reason, now=now)
    from gradeway.cli.applying import apply_plan, approve_plan

    if approve:
        approve_plan(approve, reason.strip())
    return apply_plan(approve or digest, output)


@command(publish)
@click.argument("course", default="", metavar="[COURSE]")
@Limit
def status(course: str, limit: int, output: str) -> int:
    """Show how publishing stands.

    What is due, waits for approval, is in the way or in conflict. Changes nothing and asks nobody.
    Exit code 1 if something needs a person.

    \b
    Examples:
      gradeway publish status
      gradeway publish status ANA101 --limit 0
    """
    from gradeway.cli.publish import show_status

    return show_status(course, limit, output)


@command(publish, writes=AGAIN)
@click.argument("course")
@click.option("--column", default="", help="Only grades in this column; with --take also the column itself.")
@click.option("--learner", default="", help="Only this learner's grades.")
@click.option("--schema", default="", help="This grade schema, with --take.")
@click.option("--keep", is_flag=True, help="Keep what stands in the gradebook.")
@click.option("--take", is_flag=True, help="Write ours over it.")
@click.option("--reason", default="", help="Why; kept with the decision.")
def resolve(
    course: str, column: str, learner: str, schema: str, keep: bool, take: bool, reason: str, output: str
) -> int:
    """Decide about what somebody changed in the gradebook.

    A decision about a grade is about just these two values: should either change, it is a conflict
    again. Another decision that names its column or its learner changes it, until it was carried
    out; a course alone means only what is open there. With --take also a column or a schema that
    somebody changed or deleted there becomes again what the files say, and an assignment that was
    lost (ASSIGNMENT_LOST) is made anew. The next run does what was decided.

    Exit code 1 if there is nothing to decide.

    \b
    Examples:
      gradeway publish resolve ANA101 --column Oral --learner a.okafor00 --keep --reason 'appeal of 3 June'
      gradeway publish resolve ANA101 --column Oral --take --reason 'typed by mistake'
    """
    if keep == take or not reason.strip():
        msg = "give one of --keep and --take, and --reason"
        raise click.UsageError(msg)
    if schema and (column or learner or keep):
        msg = "--schema stands alone with --take: without it, what somebody changed there is kept anyway"
        raise click.UsageError(msg)
    from gradeway.cli.publish import decide
    from gradeway.store.publish import Resolution

    choice = Resolution.TAKE if take else Resolution.KEEP
    return decide(course, column, learner, schema, choice, reason.strip(), output)


@command(publish, "text", "json", "csv")
@click.argument("course")
def reconcile(course: str, output: str) -> int:
    """Explain how a course differs from its gradebook.

    Compares all of it: schemas, columns, grades. Reads only. Exit code 1 if there is a difference.

    \b
    Examples:
      gradeway publish reconcile ANA101
      gradeway publish reconcile ANA101 --format csv > differences.csv
    """
    from gradeway.cli.publish import show_differences

    return show_differences(course, output)


@command(publish, writes=AGAIN)
@Yes
def forget(yes: bool, output: str) -> int:
    """Forget a former gradebook.

    IDs of one site mean nothing in another, so publishing stops when the Connection names another
    one. After this the next run brings everything to the new one; what stands in the old one stays
    there. Schemas, columns and grades in the store are kept, but no receipt, no plan, and nothing
    that a person approved or decided.

    In a gradebook that already has what we have, nothing is written: it is found. A grade that
    is another there is a conflict, also where it was once ours.

    Exit code 1 if it was only told.

    \b
    Examples:
      gradeway publish forget
      gradeway publish forget --yes
    """
    from gradeway.cli.forget import forget_tenant
    from gradeway.settings import load

    return forget_tenant(load().publish_target.value, "published grade", output, yes=yes)
