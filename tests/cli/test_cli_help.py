"""The help teaches, its examples are right, and commands start without what they do not need."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gradeway.cli import main

HEAVY = ("airflow", "pandas", "pandera", "sqlalchemy", "rich", "pydantic")


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from walk(child, (*path, name))


COMMANDS = dict(walk(main))
NAMED = [pytest.param(path, id=" ".join(path) or "gradeway") for path in COMMANDS]
EXAMPLE = re.compile(r"^ +((?:[A-Z_]+='?;?'? )?gradeway [^\n]+)", re.MULTILINE)


def examples(path: tuple[str, ...]) -> list[list[str]]:
    lines = EXAMPLE.findall(COMMANDS[path].help or "")
    words = [shlex.split(re.split(r" {2,}|[|>]", line)[0]) for line in lines]
    return [line[line.index("gradeway") + 1 :] for line in words]


def test_all_commands_of_the_design_are_there() -> None:
    paths = {" ".join(path) for path in COMMANDS}
    assert paths >= {
        "", "check", "sweep", "status", "batches", "show", "grades", "replay", "settings", "db", "db upgrade",
    }  # fmt: skip


@pytest.mark.parametrize("path", NAMED)
def test_help_prints_and_every_option_says_what_it_does(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 8
    options = [option for option in COMMANDS[path].params if isinstance(option, click.Option)]
    assert options
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("path", NAMED)
def test_the_list_of_commands_shows_whole_sentences(path: tuple[str, ...]) -> None:
    assert "..." not in COMMANDS[path].get_short_help_str(limit=68)


@pytest.mark.parametrize("path", NAMED)
def test_every_command_has_examples_that_its_own_parser_accepts(path: tuple[str, ...]) -> None:
    found = examples(path)
    assert found
    for words in found:
        command: click.Command = main
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        with command.make_context("example", words):
            pass


@pytest.mark.parametrize("path", [path for path in NAMED if not isinstance(COMMANDS[path.values[0]], click.Group)])  # type: ignore[index]
def test_every_command_gives_json(path: tuple[str, ...]) -> None:
    [option] = [option for option in COMMANDS[path].params if option.name == "output"]
    assert isinstance(option.type, click.Choice)
    assert "json" in option.type.choices


def test_the_documented_exit_codes_are_those_of_the_program() -> None:
    from gradeway.cli import shell

    codes = dict(
        re.findall(r"^ {2}(\d)  (.+)$", CliRunner().invoke(main, ["--help"]).stdout.replace("    ", "  "), re.M)
    )
    assert sorted(map(int, codes)) == [shell.DONE, shell.FOUND, shell.WRONG_USE, shell.BROKEN]


@pytest.mark.parametrize(
    ("command", "unneeded"),
    [
        (["--help"], HEAVY),
        (["status"], ("airflow", "pandas", "pandera")),
        (["batches"], ("airflow", "pandas", "pandera")),
        (["settings"], ("airflow", "pandas", "pandera")),
        (["sweep"], ("airflow",)),
    ],
    ids=lambda value: value[0],
)
def test_a_command_does_not_import_what_it_does_not_need(
    command: list[str], unneeded: tuple[str, ...], home: Path
) -> None:
    code = (
        "import sys; from gradeway.cli import main\n"
        f"main({command!r}, standalone_mode=False)\n"
        f"print('imported:', [name for name in {unneeded!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported: []"
