"""The commands on exam sessions: their arguments, their options and what their help teaches."""

# ruff: noqa: D301  (click reads the backspace that \b stands for; a raw docstring would not have it)

from __future__ import annotations

import click

from gradeway.cli.shell import AGAIN, Yes, check_choice, command, verbose_option


@click.group()
@verbose_option
def sessions() -> None:
    """Bring exam sessions to the delivery system: plan, apply.

    A plan lists what would be written there, and has a hash; applying takes that hash and does
    exactly that. Needs the connection in AIRFLOW_CONN_GRADEWAY_QUESTIONMARK.

    \b
    Examples:
      gradeway sessions plan
      gradeway sessions apply --now
    """


@command(sessions)
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Rows shown of each list; 0 shows all."
)
def plan(limit: int, output: str) -> int:
    """Show what applying would do now; writes nothing there.

    Compares the store's sessions with the schedules of the delivery system: what would be made,
    changed, disabled or enabled, what stands in the way with its remedy, and what a session asks
    for that is not enforced there.

    Exit code 1 if a session cannot be told, or the plan needs approval.

    \b
    Examples:
      gradeway sessions plan
      gradeway sessions plan --limit 0
      gradeway sessions plan --format json | jq -r .hash
    """
    from gradeway.cli.sessions import show_plan

    return show_plan(limit, output)


@command(sessions, writes="`gradeway sessions apply --now` goes on")
@click.argument("digest", metavar="[HASH]", default="")
@click.option("--now", is_flag=True, help="Plan and apply in one go, but for what needs approval.")
@click.option("--approve", metavar="HASH", default="", help="Approve the plan of this hash, and apply it.")
@click.option("--reason", default="", help="Why it is approved.")
def apply(digest: str, now: bool, approve: str, reason: str, output: str) -> int:
    """Carry out the plan of a hash.

    Does what the plan says, or nothing: when anything changed since, the hash is refused and the
    new one is told. A plan that disables or moves many schedules needs approval. A run that
    was interrupted is taken up by planning again; nothing is made twice.

    Exit code 1 if the plan is refused, or a session or a write of it fails.

    \b
    Examples:
      gradeway sessions apply --now
      gradeway sessions apply 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
      gradeway sessions apply --approve 5f70bf18a0860070... --reason 'exam week moved'
    """
    check_choice(digest, approve, reason, now=now)
    from gradeway.cli.sessions import apply_plan, approve_plan

    if approve:
        approve_plan(approve, reason.strip())
    return apply_plan(approve or digest, output)


@command(sessions, writes=AGAIN)
@click.argument("name")
@click.option("--undo", is_flag=True, help="Take the withdrawal back.")
def withdraw(name: str, undo: bool, output: str) -> int:
    """Take a session back: the next plan disables its schedule.

    A session that is only missing from a file stays; this is how it ends before its time.

    Exit code 1 if there is no such session.

    \b
    Examples:
      gradeway sessions withdraw 'Anatomy midterm 1A'
      gradeway sessions withdraw 'Anatomy midterm 1A' --undo
    """
    from gradeway.cli.sessions import withdraw_session

    return withdraw_session(name, output, undo=undo)


@command(sessions, writes=AGAIN)
@Yes
def forget(yes: bool, output: str) -> int:
    """Forget the schedules of a former tenant.

    IDs of one tenant mean nothing in another, so plans and collections stop when the Connection
    names another one. After this the next plan makes all sessions anew in the new tenant; what
    stands in the old one stays there. Sessions and grades in the store are kept.

    Exit code 1 if it was only told.

    \b
    Examples:
      gradeway sessions forget
      gradeway sessions forget --yes
    """
    from gradeway.cli.forget import forget_tenant
    from gradeway.store.exams import QUESTIONMARK

    return forget_tenant(QUESTIONMARK, "schedule", output, yes=yes)
