"""The commands: their arguments, their options and what their help teaches.

Each body imports its work when it is called, so that help, and commands that need little, start
without pandas.
"""

# ruff: noqa: D301  (click reads the backspace that \b stands for; a raw docstring would not have it)

from __future__ import annotations

from pathlib import Path

import click

from gradeway import __version__
from gradeway.cli.aqr_commands import aqr
from gradeway.cli.publish_commands import publish
from gradeway.cli.result_commands import results, vendors
from gradeway.cli.sandbox_commands import sandbox
from gradeway.cli.session_commands import sessions
from gradeway.cli.shell import AGAIN, BATCH, Shell, command, verbose_option
from gradeway.cli.undo_commands import undo

STATES = ("claimed", "loaded", "refused", "duplicate")


@click.group(
    cls=Shell,
    name="gradeway",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Run `gradeway COMMAND --help` for a command's options and examples.",
)
@click.version_option(__version__, prog_name="gradeway")
@verbose_option
def main() -> None:
    """Move assessment data between SIS, exams and gradebook.

    Files dropped into the inbox are checked against the contract of their feed and loaded into
    the store; each leaves a report, and a reject file to correct and drop back. From there exam
    sessions go to the delivery system, and schemas, columns and grades to the gradebook. Airflow
    does all this by itself; these commands do the same by hand.

    \b
    Start here:
      gradeway check term2023_01.colncval    is this file right? (needs no database)
      gradeway sweep                         take in what has landed
      gradeway status                        what is there, what needs attention
      gradeway why ANA101 a.okafor00 Oral    how one grade came to be what it is

    \b
    Exit codes:
      0  done
      1  something was rejected, refused, failed, or is not there
      2  wrong use or wrong settings
      3  an unexpected error

    Settings are environment variables; `gradeway settings` lists them.
    """


@command(main)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--feed", help="Check against this feed, whatever the file's ending (sch, asg, colncval, ...).")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Findings shown of each file; 0 shows all.",
)
def check(files: tuple[Path, ...], feed: str | None, limit: int, output: str) -> int:
    """Check files against the contract of their feed.

    Needs neither database nor Airflow. Tells for every file what a sweep would reject, where, and
    what to do about it. Whether schemas, columns and symbols exist is known only to the store:
    that is judged when the file is swept in.

    Exit code 1 if a row would be rejected or a file refused; warnings alone are 0.

    \b
    Examples:
      gradeway check term2023_01.colncval
      gradeway check --limit 0 outgoing/*
      gradeway check --feed colnc columns.txt
      gradeway check --format json *.sch | jq '.files[] | {file, verdict}'
    """
    from gradeway.cli.checking import check_files

    return check_files(files, feed, limit, output)


@command(main, writes=AGAIN)
def sweep(output: str) -> int:
    """Take in what has landed: claim, check, load, report.

    Does one sweep of the inbox, with the functions that Airflow's DAG uses; both may run at the
    same time. A file that is still changing is left for the next sweep. Rows that waited for
    what has now landed are loaded too, and their batches' reports written again.

    Exit code 1 if anything was rejected, refused or failed.

    \b
    Examples:
      gradeway sweep
      gradeway sweep --format json | jq '.batches[] | select(.rows.rejected > 0)'
    """
    from gradeway.cli.intake import sweep_once

    return sweep_once(output)


@command(main)
def status(output: str) -> int:
    """Show what is there and what needs attention.

    One screen: the store, the inbox, batches by state, rows that wait for their schema or
    column, the last batches, and what a person should do. Changes nothing; exit code 0.

    \b
    Examples:
      gradeway status
      gradeway status --format json | jq .attention
    """
    from gradeway.cli.status import show_status

    return show_status(output)


@command(main)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Batches shown.")
@click.option("--feed", help="Only batches of this feed (sch, asg, col, colnc, colext, colncval).")
@click.option("--state", type=click.Choice(STATES), help="Only batches in this state.")
@click.option("--rejects", is_flag=True, help="Only batches with rejected rows, or refused whole.")
def batches(limit: int, feed: str | None, state: str | None, rejects: bool, output: str) -> int:
    """List the batches, newest first.

    A batch is one landed file. For every batch: in = applied + unchanged + rejected + parked.

    \b
    Examples:
      gradeway batches
      gradeway batches --feed colncval --limit 100
      gradeway batches --rejects
      gradeway batches --state refused --format json
    """
    from gradeway.cli.batches import list_batches

    return list_batches(limit, feed, state, output, rejects=rejects)


@command(main)
@click.argument("batch", type=BATCH)
@click.option(
    "--limit", type=click.IntRange(min=0), default=10, show_default=True, help="Findings shown; 0 shows the first 1000."
)
def show(batch: int, limit: int, output: str) -> int:
    """Show the report of one batch.

    What became of it and what to do, its counts, the reasons with their remedies, what its
    parked rows wait for, the first findings, and where report, reject file and the landed bytes
    are.

    Exit code 1 if there is no such batch.

    \b
    Examples:
      gradeway show 42
      gradeway show 42 --limit 0
      gradeway show 42 --format json | jq '.reasons[] | {code, rows}'
    """
    from gradeway.cli.batches import show_batch

    return show_batch(batch, limit, output)


@command(main, "table", "csv", "json")
@click.argument("course", required=False)
@click.option("--history", is_flag=True, help="Show where each value came from and what it was before.")
@click.option("--learner", help="Only this learner's values.")
def grades(course: str | None, history: bool, learner: str | None, output: str) -> int:
    """Show the gradebook of a course, or list the courses.

    Prints the columns of COURSE, its learners and their values, as the store has them; without
    COURSE, the courses of the store. Numbers are text with a decimal point, as precise as they
    came. In CSV, a text that a spreadsheet would run as a formula has an apostrophe before it.

    Exit code 1 if there is no such course, or no value of that learner in it.

    \b
    Examples:
      gradeway grades
      gradeway grades GJTEST1
      gradeway grades GJTEST1 --learner User001 --history
      gradeway grades GJTEST1 --format csv > GJTEST1.csv

    \b
    JSON (with --history also batch, line and earlier values):
      {"course": "GJTEST1",
       "schemas": {"Schema1": {"symbols": [{"symbol": "A", "lower_bound": "90"}], ...}},
       "columns": [{"label": "GC Final Grade", "name": "GC Final Grade", "kind": "manual",
                    "points": "100", "schema": "Schema1", "external": true, ...}],
       "learners": [{"learner": "User001", "grades": {"GC Final Grade": "90"}}]}

    A value goes by its column's label: the name, or "name (2)" for the second of that name.
    """
    from gradeway.cli.grades import list_courses, show_grades

    return show_grades(course, learner, output, history=history) if course else list_courses(output)


@command(main, writes="the next `gradeway sweep` ends what was begun")
@click.argument("batch", type=BATCH)
@click.option("--dry-run", is_flag=True, help="Only tell what would happen; change nothing.")
def replay(batch: int, dry_run: bool, output: str) -> int:
    """Take the kept bytes of a batch in once more, as a new batch.

    The new batch counts as the newest word: where a later batch changed a value, the replayed
    file's value wins again. Rehearse with --dry-run first.

    Exit code 1 if rows are rejected, the file is refused, or its bytes are no longer kept.

    \b
    Examples:
      gradeway replay 42 --dry-run
      gradeway replay 42
    """
    from gradeway.cli.intake import rehearse_batch, replay_batch

    return rehearse_batch(batch, output) if dry_run else replay_batch(batch, output)


@command(main)
def settings(output: str) -> int:
    """List every setting.

    For each its variable, value, default and meaning; passwords are hidden. Exit code 2 if a setting is wrong.

    \b
    Examples:
      gradeway settings
      GRADEWAY_DELIMITER=';' gradeway settings
    """
    from gradeway.cli.admin import list_settings

    return list_settings(output)


main.add_command(undo)
main.add_command(aqr)
main.add_command(publish)
main.add_command(sessions)
main.add_command(results)
main.add_command(vendors)
main.add_command(sandbox)


@command(main)
@click.argument("course")
@click.argument("learner")
@click.argument("column")
def why(course: str, learner: str, column: str, output: str) -> int:
    """Tell the life of one grade.

    Which file and line gave it, by which rule, what it was before; which plan published it, who
    approved that, what the gradebook has; and what somebody changed there. Asks nobody.

    Exit code 1 if there never was such a grade.

    \b
    Example:
      gradeway why GJTEST1 User001 'GC Final Grade'
    """
    from gradeway.cli.why import show_life

    return show_life(course, learner, column, output)


@command(main)
@click.argument("schedule")
@click.argument("learner")
def launch(schedule: str, learner: str, output: str) -> int:
    """Print the link with which a participant takes an exam now.

    SCHEDULE is the name of a session or the ID of its schedule, LEARNER a participant's login
    name or ID. The link starts or resumes the exam, is good for one use and a short time, and
    is kept nowhere: hand it on at once.

    Exit code 1 if there is nothing that the participant may do now.

    \b
    Examples:
      gradeway launch 'Anatomy midterm 1A' a.okafor00
      gradeway launch 11887 510001
    """
    from gradeway.cli.results import print_launch

    return print_launch(schedule, learner, output)


@main.group()
@verbose_option
def db() -> None:
    """Look after the store's tables.

    \b
    Example:
      gradeway db upgrade
    """


@command(db, writes=AGAIN)
def upgrade(output: str) -> int:
    """Bring the store's tables to this program's version.

    Needed once after an update of Gradeway, and does nothing otherwise; an empty database is set
    up by itself. Back up the database before.

    \b
    Example:
      gradeway db upgrade
    """
    from gradeway.cli.admin import upgrade_store

    return upgrade_store(output)
