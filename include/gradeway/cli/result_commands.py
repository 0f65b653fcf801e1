"""The commands on results and on the vendors they come from: arguments, options and what their help teaches."""

# ruff: noqa: D301  (click reads the backspace that \b stands for; a raw docstring would not have it)

from __future__ import annotations

import click

from gradeway.cli.session_commands import sessions
from gradeway.cli.shell import AGAIN, command, verbose_option


@click.group()
@verbose_option
def results() -> None:
    """Bring results back from the delivery system: collect, status.

    Needs the connection in AIRFLOW_CONN_GRADEWAY_QUESTIONMARK.

    \b
    Examples:
      gradeway results collect --sweep
      gradeway results status
    """


@command(results, writes=AGAIN)
@click.option("--full", is_flag=True, help="Read all our schedules and ask for all learners again.")
@click.option("--sweep", is_flag=True, help="Then take in what was handed over.")
def collect(full: bool, sweep: bool, output: str) -> int:
    """Read the attempts on our schedules and hand over what changed.

    Results of finished attempts are dropped as a file into the inbox `results`; a sweep makes
    grades of them. Reads only schedules that can still change, and hands over only what changed;
    it can be run at any time.

    Exit code 1 if a schedule could not be read, a learner has no identifier, or the sweep rejects
    or refuses something.

    \b
    Examples:
      gradeway results collect
      gradeway results collect --sweep
      gradeway results collect --full --format json
    """
    from gradeway.cli.results import collect_results

    return collect_results(output, full=full, sweep=sweep)


@command(results)
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Rows shown; 0 shows all.")
def status(limit: int, output: str) -> int:
    """Show where attempts stand and which results wait for something.

    Attempts by state; those that wait for a person's decision, that have not ended for days, or
    that no longer count although they were handed over; results that no column takes yet.
    Changes nothing and asks no vendor; exit code 0.

    \b
    Examples:
      gradeway results status
      gradeway results status --format json | jq .unmapped
    """
    from gradeway.cli.results import show_status

    return show_status(limit, output)


@command(sessions)
@click.argument("session", required=False)
@click.option("--schedule", type=click.IntRange(min=1), help="Only this schedule of the delivery system.")
def report(session: str | None, schedule: int | None, output: str) -> int:
    """Show the attempts on each schedule with their scores.

    As they were when results were last collected: for every session its attempts with learner,
    status, score and band, and which of a learner's attempts counts. Asks no vendor.

    Exit code 1 if there is no such session or schedule.

    \b
    Examples:
      gradeway sessions report
      gradeway sessions report 'Anatomy midterm 1A'
      gradeway sessions report --schedule 11887 --format json
    """
    from gradeway.cli.results import report_sessions

    return report_sessions(session or "", schedule, output)


@click.group()
@verbose_option
def vendors() -> None:
    """Look at the outside systems: check.

    \b
    Example:
      gradeway vendors check
    """


@command(vendors)
@click.option("--course", default="", help="Also look at this course in Learn: its batch UID, courseId:… or _12_1.")
def check(course: str, output: str) -> int:
    """Tell whether the connections are right and what they may do.

    Asks the delivery system in AIRFLOW_CONN_GRADEWAY_QUESTIONMARK for its groups, monitoring
    types and what the administrator may schedule, the assessmentQ in
    AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ for all lists that its profile names, and the Learn in
    AIRFLOW_CONN_GRADEWAY_LEARN for its version and how many calls are left: each that is set, and
    tells which is not. With GRADEWAY_PUBLISH_TARGET=files it looks at the folder of the files.
    Of a course it tells which view it has and whether its gradebook may be changed. Only reads,
    so whether a file would be taken is not tried.

    Exit code 1 if a system cannot be reached or refuses, nothing could be scheduled, a field
    of the profile is unset or wrong, or the gradebook of the course cannot be changed.

    \b
    Examples:
      gradeway vendors check
      gradeway vendors check --course BIO-101
      gradeway vendors check --format json | jq .problems
    """
    from gradeway.cli.vendors import check_vendors

    return check_vendors(output, course)
