"""The commands on result files of offline exams: arguments, options and what their help teaches."""

# ruff: noqa: D301  (click reads the backspace that \b stands for; a raw docstring would not have it)

from __future__ import annotations

from pathlib import Path

import click

from gradeway.cli.shell import command, verbose_option

Folder = click.Path(file_okay=False, path_type=Path)


@click.group()
@verbose_option
def aqr() -> None:
    """Bring offline exams to assessmentQ: watch, upload.

    Sends .aqr files, and shows which of them wait. Needs the connection in
    AIRFLOW_CONN_GRADEWAY_ASSESSMENTQ, whose extra describes the service.

    \b
    Examples:
      gradeway aqr watch C:/ProgramData/assessmentQ
      gradeway aqr upload /media/usb
      gradeway aqr status
    """


@command(aqr)
@click.argument("folder", type=Folder)
@click.option("--seconds", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Between two looks.")
def watch(folder: Path, seconds: float, output: str) -> int:
    """Watch an exam player's folder, until Ctrl-C.

    Sends a file whenever it changed and the server can be reached. Once the server has it with the
    exam finished, .aqr becomes .bak; a .bak is deleted after two weeks. Without a network it waits.

    \b
    Example:
      gradeway aqr watch C:/ProgramData/assessmentQ
    """
    from gradeway.cli.aqr import watch_folder

    return watch_folder(folder, seconds, output)


@command(aqr)
@click.argument("folders", type=Folder, nargs=-1)
def upload(folders: tuple[Path, ...], output: str) -> int:
    """Send what was collected.

    From the folders, in which nothing is changed, or without any from the inbox. All .aqr files
    below a folder are taken, those of the same name too. What the server has is not
    sent again, so it can be run as often as you like. From the inbox (inbox/aqr of the landing
    zone), files whose exam has ended are moved to the archive.

    Exit code 1 if the server could not be reached, or a file needs a person.

    \b
    Examples:
      gradeway aqr upload /media/usb
      gradeway aqr upload
    """
    from gradeway.cli.aqr import upload_folders

    return upload_folders(folders, output)


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
def verify(output: str) -> int:
    """Look whether what is done with is safe.

    Whether the files are still there, and known to the server. Reads only. Exit code 1 if one is not.

    \b
    Example:
      gradeway aqr verify
    """
    from gradeway.cli.aqr import verify_files

    return verify_files(output)
