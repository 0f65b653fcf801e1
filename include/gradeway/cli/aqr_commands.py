"""The commands on result files of offline exams: arguments, options and what their help teaches."""

# ruff: noqa: D301  (click reads the backspace that \b stands for; a raw docstring would not have it)

from __future__ import annotations

from pathlib import Path

import click

from gradeway.cli.shell import AGAIN, Yes, command, verbose_option

Folder = click.Path(file_okay=False, path_type=Path)


@click.group()
@verbose_option
def aqr() -> None:
    """Bring offline exams to assessmentQ and home: upload, collect.

    Sends .aqr files, and shows which of them wait. Needs the connection in
    AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ, whose extra describes the service.

    \b
    Examples:
      gradeway aqr watch C:/ProgramData/assessmentQ
      gradeway aqr upload /media/usb
      gradeway aqr collect --sweep
      gradeway aqr status
    """


@command(aqr, writes=AGAIN)
@click.argument("folder", type=Folder)
@click.option("--seconds", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Between two looks.")
def watch(folder: Path, seconds: float, output: str) -> int:
    """Watch an exam player's folder, until Ctrl-C.

    Sends a file whenever it changed and the server can be reached. Once the server has it with the
    exam finished, .aqr becomes .bak; a .bak is deleted after two weeks. Without a network it waits.
    With --format json each line that it prints is a JSON document.

    \b
    Example:
      gradeway aqr watch C:/ProgramData/assessmentQ
    """
    from gradeway.cli.aqr import watch_folder

    return watch_folder(folder, seconds, output)


@command(aqr, writes=AGAIN)
@click.argument("folders", type=Folder, nargs=-1)
def upload(folders: tuple[Path, ...], output: str) -> int:
    """Send what was collected.

    From the folders, in which nothing is changed, or without any from the inbox. All .aqr files
    below a folder are taken, those of the same name too; other files are only counted, so rename
    .bak to .aqr first. What the server has is not sent again, so it can be run as often as you like.
    From the inbox (inbox/aqr of the landing zone), files whose exam has ended are moved to the archive.

    Exit code 1 if anything is still to send or still being written, the server could not be reached,
    or a file needs a person. Wipe a stick only after 0.

    \b
    Examples:
      gradeway aqr upload /media/usb
      gradeway aqr upload
    """
    from gradeway.cli.aqr import upload_folders

    return upload_folders(folders, output)


@command(aqr, writes=AGAIN)
@click.option("--full", is_flag=True, help="Read all results, not only those that changed.")
@click.option("--sweep", is_flag=True, help="Then take in what was handed over.")
def collect(full: bool, sweep: bool, output: str) -> int:
    """Bring results home.

    Results of finished exams are dropped as a file into the inbox `results`; a sweep makes grades of
    them. Hands over only what is new or changed; it can be run at any time.

    Exit code 1 if a learner has no identifier, or the sweep rejects or refuses something.

    \b
    Examples:
      gradeway aqr collect --sweep
      gradeway aqr collect --full --format json
    """
    from gradeway.cli.aqr_results import collect_results

    return collect_results(output, full=full, sweep=sweep)


@command(aqr)
def status(output: str) -> int:
    """Show where the files stand.

    How many wait, since when, and which need a person. Changes nothing and asks no server; exit
    code 1 if a file needs a person or waits for too long.

    \b
    Examples:
      gradeway aqr status
      gradeway aqr status --format json
    """
    from gradeway.cli.aqr import show_status

    return show_status(output)


@command(aqr)
@click.option("--all", "every", is_flag=True, help="Also those of long ago, and those that were dismissed, with why.")
def missing(every: bool, output: str) -> int:
    """Show whose results are expected and did not come.

    Who is expected, the file of GRADEWAY_AQR_ROSTER_FILE says (columns exam and learner, and maybe
    access_code, sitting and until, the exam's last day), else assessmentQ itself. A result is
    missing once its exam is over, or once another result of the same exam came; unfinished, if only
    a part of it came. One that is so for longer than GRADEWAY_AQR_PAST_DAYS is past. Exit code 1 if
    one is missing or unfinished.

    \b
    Examples:
      gradeway aqr missing
      gradeway aqr missing --all
      gradeway aqr missing --format json
    """
    from gradeway.cli.aqr import show_missing

    return show_missing(output, every=every)


@command(aqr)
def verify(output: str) -> int:
    """Look whether what is done with is safe.

    Whether the files are still there, and known to the server. Reads only. Exit code 1 if one is not,
    or the server could not be asked.

    \b
    Example:
      gradeway aqr verify
    """
    from gradeway.cli.aqr import verify_files

    return verify_files(output)


@command(aqr, writes=AGAIN)
@click.argument("numbers", type=click.IntRange(min=1, max=2**31 - 1), nargs=-1, required=True)
@click.option("--sittings", is_flag=True, help="The numbers are those of `gradeway aqr missing`.")
@click.option("--reason", default="", help="Why nothing more of these sittings is awaited; kept with them.")
@click.option(
    "--again", is_flag=True, help="Send files that were refused or got no answer again; expect sittings again."
)
def dismiss(numbers: tuple[int, ...], sittings: bool, reason: str, again: bool, output: str) -> int:
    """Take files or sittings off the list of what needs a person.

    Files by the numbers that `gradeway aqr status` shows; what is still wrong with a file comes back to
    the list. Sittings by those of `gradeway aqr missing`, of which nothing more is awaited: somebody
    stayed away. If something comes of one all the same, it is looked for again. Exit code 1 if there is
    no such file or sitting.

    \b
    Examples:
      gradeway aqr dismiss 12
      gradeway aqr dismiss --again 12 13
      gradeway aqr dismiss --sittings 417 418 --reason 'stayed away'
    """
    if bool(reason.strip()) != (sittings and not again):
        msg = "give a --reason with --sittings, unless with --again, and with nothing else"
        raise click.UsageError(msg)
    from gradeway.cli.aqr import dismiss_files, dismiss_sittings

    return (
        dismiss_sittings(numbers, reason.strip(), output) if sittings else dismiss_files(numbers, output, again=again)
    )


@command(aqr, writes=AGAIN)
@Yes
def forget(yes: bool, output: str) -> int:
    """Forget what a former server has.

    What one server took, another does not have, so nothing is sent or collected when the Connection
    names another one. After this, files whose exam is not known to have ended are sent to the new
    one; those that are put away stay so, and results that came in are kept.

    Exit code 1 if it was only told.

    \b
    Examples:
      gradeway aqr forget
      gradeway aqr forget --yes
    """
    from gradeway.cli.forget import forget_tenant
    from gradeway.store.custody import ASSESSMENTQ

    return forget_tenant(ASSESSMENTQ, "upload", output, yes=yes)
