"""The command that takes a batch back: its argument, its options and what its help teaches."""

# ruff: noqa: D301  (click reads the backspace that \b stands for; a raw docstring would not have it)

from __future__ import annotations

import click

from gradeway.cli.shell import AGAIN, BATCH, command


@command(click.Group(), writes=AGAIN)  # the program itself adds it to its own commands
@click.argument("batch", type=BATCH)
@click.option("--dry-run", is_flag=True, help="Only tell what would happen; change nothing.")
def undo(batch: int, dry_run: bool, output: str) -> int:
    """Take a batch back, as far as no newer batch has spoken since.

    What it gave goes back to what was there before, or is removed; its rows that wait are
    forgotten. What newer batches gave since, and schemas and columns that others need, stay and
    are listed. The undo is a batch of its own, with a report. Rehearse with --dry-run first; to
    load the batch again after all, replay it.

    Exit code 1 if there is no such batch, or it cannot be undone: it was undone already, was never
    loaded, or is about exam sessions.

    \b
    Examples:
      gradeway undo 42 --dry-run
      gradeway undo 42
      gradeway undo 42 --dry-run --format json | jq '.kept[] | {name, why}'
    """
    from gradeway.cli.undo import undo_batch

    return undo_batch(batch, output, dry_run=dry_run)
