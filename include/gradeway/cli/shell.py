"""What all commands share: their common options, their exit codes, and how errors are told.

Only light modules are imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

import errno
import functools
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import click

from gradeway.errors import (
    BatchFailedError,
    FileDefectError,
    GradewayError,
    LostClaimError,
    PlanError,
    UndoRefusedError,
    UnknownBatchError,
    VendorError,
)

DONE, FOUND, WRONG_USE, BROKEN, INTERRUPTED = 0, 1, 2, 3, 130
# The request was right, and the answer is no; every other expected error is about use or settings.
REFUSALS = (
    UnknownBatchError,
    UndoRefusedError,
    FileDefectError,
    BatchFailedError,
    LostClaimError,
    PlanError,
    VendorError,
)
BATCH = click.IntRange(min=1, max=2**31 - 1)
VERBOSE, LOG, WRITES = "gradeway.verbose", "gradeway.log", "gradeway.writes"
AGAIN = "the same command, given again, goes on"

Command = Callable[..., int]
Run = Callable[..., None]


class Refusal(click.ClickException):
    """The request was right and the answer is no: told in one line on stderr."""

    exit_code = FOUND

    def show(self, file: IO[str] | None = None) -> None:
        """Print the line."""
        _tell(self.message, file)


class Shell(click.Group):
    """The group of commands; turns errors into one clear line and an exit code."""

    def invoke(self, ctx: click.Context) -> None:
        """Run a command."""
        try:
            super().invoke(ctx)
        except GradewayError as error:
            _tell(str(error))
            ctx.exit(FOUND if isinstance(error, REFUSALS) else WRONG_USE)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            how = ctx.meta.get(WRITES)
            _tell(
                f"stopped; nothing is lost, and {how}" if how else "stopped; it was only to look, and changed nothing"
            )
            ctx.exit(INTERRUPTED)
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            ctx.exit(_tell_unexpected(error, ctx))


def _tell(line: str, file: IO[str] | None = None) -> None:
    click.echo(f"gradeway: {line}", err=True, file=file)


def _tell_unexpected(error: Exception, ctx: click.Context) -> int:
    """Say what kind of error it was and, if asked, where it came from; never its text, which may quote a row."""
    if _is_database_away(error):
        _tell("the store's database is away or busy; what was begun is taken up by the next sweep")
        return WRONG_USE
    verbose = ctx.find_root().meta.get(VERBOSE)
    if verbose:
        click.echo("".join(traceback.format_tb(error.__traceback__)), nl=False, err=True)
    where = f" ({error.strerror}: {error.filename})" if isinstance(error, OSError) and error.filename else ""
    hint = "" if verbose else "; add --verbose to see where it came from"
    _tell(f"stopped by an unexpected {type(error).__name__}{where}{hint}")
    return BROKEN


def _is_database_away(error: Exception) -> bool:
    if not type(error).__module__.startswith("sqlalchemy."):
        return False
    from sqlalchemy.exc import DBAPIError

    from gradeway.store.engine import is_away

    return isinstance(error, DBAPIError) and is_away(error)


def _set_verbose(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    root = ctx.find_root()
    root.meta[VERBOSE] = value or root.meta.get(VERBOSE, False)
    if LOG not in root.meta:
        root.meta[LOG] = root.with_resource(_logging_to_stderr())
    logging.getLogger().setLevel(logging.INFO if root.meta[VERBOSE] else logging.WARNING)


@contextmanager
def _logging_to_stderr() -> Iterator[logging.Handler]:
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_without_traceback)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = record.exc_text = None
    return True


verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_set_verbose,
    help="Tell on stderr what is being done, and show the traceback of an unexpected error.",
)


Yes = click.option("--yes", is_flag=True, help="Do it; without this, only tell what would be done.")


def check_choice(digest: str, approve: str, reason: str, *, now: bool) -> None:
    """See that a plan is to be applied in just one way, and that who approves says why.

    Raises:
        UsageError: neither.
    """
    if bool(digest) + now + bool(approve) != 1:
        msg = "give one of HASH, --now and --approve HASH"
        raise click.UsageError(msg)
    if bool(approve) != bool(reason.strip()):
        msg = "--approve and --reason belong together"
        raise click.UsageError(msg)


def format_option(*choices: str) -> Callable[[Run], Run]:
    """Make the option that chooses the output's form; the first choice is the default."""
    return click.option(
        "--format",
        "output",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Form of the output; json is one document on stdout.",
    )


def command(group: click.Group, *formats: str, writes: str = "") -> Callable[[Command], click.Command]:
    """Add a function to a group as a command; the function returns the exit code.

    ``writes``: of a command that changes something, how to go on where it was interrupted.
    """

    def decorate(function: Command) -> click.Command:
        @functools.wraps(function)
        def run(*arguments: object, **options: object) -> None:
            ctx = click.get_current_context()
            ctx.meta[WRITES] = writes
            ctx.exit(function(*arguments, **options))

        return group.command()(format_option(*(formats or ("text", "json")))(verbose_option(run)))

    return decorate
