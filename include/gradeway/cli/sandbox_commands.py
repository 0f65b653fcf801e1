"""The vendors' stand-ins: arguments, options and what their help teaches."""

# ruff: noqa: D301  (click reads the backspace that \b stands for; a raw docstring would not have it)

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import click

from gradeway.cli.shell import command, verbose_option


@click.group()
@verbose_option
def sandbox() -> None:
    """Run a stand-in for a vendor's service on this machine.

    \b
    Example:
      gradeway sandbox questionmark --port 8411 --data .gradeway/sandbox
    """


def sandbox_options(
    port: int, login: tuple[str, str] = ("user", "password")
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make the options that every sandbox has, with its usual port and the names of its login."""
    name, secret = login
    options = (
        click.option(
            "--port", type=click.IntRange(0, 65535), default=port, show_default=True, help="Port; 0 picks a free one."
        ),
        click.option(
            "--data", type=click.Path(path_type=Path), required=True, help="Folder of the data; made when missing."
        ),
        click.option(
            "--seed", type=click.Path(path_type=Path), help="JSON file of starting data, for an empty folder."
        ),
        click.option("--log", type=click.Path(path_type=Path), help="File to append every request to, as JSON lines."),
        click.option(
            f"--{name}", default="sandbox", show_default=True, help=f"{name.title()} that clients log in with."
        ),
        click.option(f"--{secret}", default="sandbox", show_default=True, help=f"Its {secret}."),
    )
    return lambda function: functools.reduce(lambda made, option: option(made), reversed(options), function)


@command(sandbox)
@sandbox_options(8411)
@click.option("--area", default="123456", show_default=True, help="Customer number in the URL.")
def questionmark(
    port: int, data: Path, seed: Path | None, log: Path | None, area: str, user: str, password: str, output: str
) -> int:
    """Run a stand-in for Questionmark's Delivery service.

    Listens on loopback only, keeps its data in the folder, and prints one line with its URL when
    it is ready; Ctrl-C or SIGTERM ends it. Without a seed it starts with a small made-up faculty.
    Tests ask it for faults, set its clock and play participants under /_sandbox/.

    Exit code 2 if port, folder, seed or area cannot be used.

    \b
    Examples:
      gradeway sandbox questionmark --data .gradeway/sandbox
      gradeway sandbox questionmark --port 0 --data /tmp/qm --seed seed.json --log /tmp/qm.log
      curl -u sandbox:sandbox http://127.0.0.1:8411/deliveryodata/123456/Groups
    """
    from gradeway.cli.sandbox import Sandbox, run_questionmark

    return run_questionmark(Sandbox(port, data, seed, log, (user, password), output), area)


@command(sandbox)
@sandbox_options(8412)
@click.option(
    "--control-port",
    type=click.IntRange(0, 65535),
    default=8413,
    show_default=True,
    help="Second port, for /_sandbox/ while the first is offline; 0 picks a free one.",
)
def assessmentq(
    port: int,
    control_port: int,
    data: Path,
    seed: Path | None,
    log: Path | None,
    user: str,
    password: str,
    output: str,
) -> int:
    """Run a stand-in for assessmentQ, for results of offline exams.

    Takes .aqr files and tells results, as the vendor says that its server does; the names of
    paths and fields are the sandbox's own, as the vendor's are not public. Listens on loopback
    only, keeps its data in the folder, and prints one line with its URLs when it is ready;
    Ctrl-C or SIGTERM ends it. Without a seed it starts with three made-up exams. Under
    /_sandbox/ tests play exams, ask for faults, set the clock and take the network away.

    Exit code 2 if a port, the folder or the seed cannot be used.

    \b
    Examples:
      gradeway sandbox assessmentq --data .gradeway/sandbox/assessmentq
      gradeway sandbox assessmentq --port 0 --control-port 0 --data /tmp/aq --seed seed.json
      curl --json '{"sitting": "510001-1", "do": "start"}' http://127.0.0.1:8412/_sandbox/play -o 510001-1.aqr
      curl -u sandbox:sandbox -F file=@510001-1.aqr http://127.0.0.1:8412/api/offline-results
      curl --json '{"online": false}' http://127.0.0.1:8413/_sandbox/network
    """
    from gradeway.cli.sandbox import Sandbox, run_assessmentq

    return run_assessmentq(Sandbox(port, data, seed, log, (user, password), output), control_port)


@command(sandbox)
@sandbox_options(8414, ("key", "secret"))
def learn(port: int, data: Path, seed: Path | None, log: Path | None, key: str, secret: str, output: str) -> int:
    """Run a stand-in for the gradebooks of Blackboard Learn.

    Courses, memberships, grade schemas, columns, grades and assignments behave as the vendor's
    description of its public REST API says, in Classic and in Ultra courses. Listens on loopback only,
    keeps its data in the folder, and prints one line with its URL when it is ready; Ctrl-C or
    SIGTERM ends it. Without a seed it starts with a small made-up faculty. Under /_sandbox/ tests
    play teachers, limit the rate of calls, ask for faults and set the clock.

    Exit code 2 if the port, the folder or the seed cannot be used.

    \b
    Examples:
      gradeway sandbox learn --data .gradeway/sandbox/learn
      gradeway sandbox learn --port 0 --data /tmp/learn --seed seed.json --log /tmp/learn.log
      curl -u sandbox:sandbox -d grant_type=client_credentials http://127.0.0.1:8414/learn/api/public/v1/oauth2/token
      curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8414/learn/api/public/v3/courses/courseId:ANA101
      curl --json '{"course": "ANA101", "do": "add", "name": "Oral"}' http://127.0.0.1:8414/_sandbox/play
      curl --json '{"style": "bucket", "calls": 50, "seconds": 1, "size": 20}' http://127.0.0.1:8414/_sandbox/limit
    """
    from gradeway.cli.sandbox import Sandbox, run_learn

    return run_learn(Sandbox(port, data, seed, log, (key, secret), output))
