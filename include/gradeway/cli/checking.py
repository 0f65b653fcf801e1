"""`gradeway check`: what a sweep would say about a file, without the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from gradeway.checks.read import CheckedFile
from gradeway.cli import out
from gradeway.cli.out import Field
from gradeway.cli.shell import DONE, FOUND
from gradeway.errors import FileDefectError
from gradeway.feeds import FEEDS, of_file
from gradeway.feeds.spec import FeedSpec, RejectPolicy
from gradeway.landing.claim import first_line, open_plain
from gradeway.landing.zone import shown
from gradeway.reasons import Finding, Level, Reason
from gradeway.settings import Settings, load

FINDINGS = (Field("line", number=True), Field("column"), Field("code", whole=True), Field("remedy"))
LONG_FILE = 8 << 20


class Judgement(StrEnum):
    """What a sweep would do with a file."""

    OK = "ok"
    WARNINGS = "warnings"
    REJECTS = "rejects"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


@dataclass
class Result:
    """One checked file."""

    path: Path
    spec: FeedSpec | None
    findings: list[Finding] = field(default_factory=list)
    rows: int = 0
    rejected: int = 0
    repeated: int = 0
    whole: bool = False
    sha256: str | None = None
    error: str = ""

    @property
    def warnings(self) -> int:
        """How many findings only tell."""
        return sum(1 for finding in self.findings if finding.reason.level is Level.WARNING)

    @property
    def verdict(self) -> Judgement:
        """What a sweep would do."""
        if self.error:
            return Judgement.UNREADABLE
        if self.whole or any(finding.reason.level is Level.FILE for finding in self.findings):
            return Judgement.REFUSED
        if self.rejected:
            return Judgement.REJECTS
        return Judgement.WARNINGS if self.findings else Judgement.OK


def check_files(files: Sequence[Path], feed: str | None, limit: int, output: str) -> int:
    """Check files and print what was found; return the exit code."""
    if feed is not None and feed.lower() not in FEEDS:
        msg = f"there is no feed {feed!r}; the feeds are {', '.join(FEEDS)}"
        raise click.BadParameter(msg, param_hint="--feed")
    settings = load()
    results = _checked(files, feed, settings)
    if output == "json":
        found = [_data(result, limit) for result in results]
        ok = all(item["verdict"] in {Judgement.OK, Judgement.WARNINGS} for item in found)
        out.print_json({"ok": ok, "files": found})
        return DONE if ok else FOUND
    verdicts = [_print(result, limit) for result in results]
    return DONE if set(verdicts) <= {Judgement.OK, Judgement.WARNINGS} else FOUND


def _checked(files: Iterable[Path], feed: str | None, settings: Settings) -> Iterator[Result]:
    for path in files:
        yield _check(path, feed, settings)


def _check(path: Path, feed: str | None, settings: Settings) -> Result:
    result = Result(path, None)
    try:
        result.spec = spec = FEEDS[feed.lower()] if feed else of_file(path.name, first_line(path))
        with _watched(path) as open_file:
            if spec:
                _read(CheckedFile(open_file, spec, settings), result, settings)
            else:
                open_file().close()
                result.findings = [Finding(Reason.FILE_UNKNOWN)]
    except FileDefectError as defect:
        result.findings = [Finding(defect.reason, defect.line, defect.column, defect.detail)]
    except OSError as error:
        result.error = error.strerror or type(error).__name__
    return result


def _read(checked: CheckedFile, result: Result, settings: Settings) -> None:
    for _ in checked.slices():
        pass
    result.findings = sorted(checked.findings, key=lambda finding: finding.line or 0)
    result.rows, result.sha256 = checked.rows, checked.sha256
    result.rejected, result.repeated = len(checked.rejected), len(checked.repeated)
    if result.rejected and result.spec and result.spec.policy(settings) is RejectPolicy.FILE:
        result.whole, result.rejected, result.repeated = True, result.rows, 0


@contextmanager
def _watched(path: Path) -> Iterator[Callable[[], BinaryIO]]:
    """Yield what opens the file; on a terminal, reading a long file shows its progress."""
    err = out.console(stderr=True)
    if not err.is_terminal or not path.is_file() or path.stat().st_size < LONG_FILE:
        yield lambda: open_plain(path)
        return
    parts = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*parts, console=err, transient=True) as progress:
        task = progress.add_task(shown(path.name), total=path.stat().st_size)

        def open_file() -> BinaryIO:
            progress.reset(task)  # a second reading compares rows that share a key
            return progress.wrap_file(open_plain(path), task_id=task)

        yield open_file


def _data(result: Result, limit: int) -> dict[str, Any]:
    spec, kept = result.spec, result.findings[: limit or None]
    return {
        "file": shown(str(result.path)),
        "feed": spec.name if spec else None,
        "verdict": result.verdict,
        "error": result.error or None,
        "sha256": result.sha256,
        "rows": {
            "in": result.rows,
            "good": result.rows - result.rejected,
            "rejected": result.rejected,
            "repeated": result.repeated,
        },
        "warnings": result.warnings,
        "reasons": dict(Counter(finding.reason.value for finding in result.findings)),
        "findings": [finding.told() for finding in kept],
        "findings_total": len(result.findings),
    }


def _print(result: Result, limit: int) -> Judgement:
    out.say(f"{shown(str(result.path))}: {_line(result)}")
    if result.findings:
        shown_findings = [finding.told() for finding in result.findings[: limit or None]]
        print_findings(shown_findings, len(result.findings), "--limit 0 shows all")
    return result.verdict


def _line(result: Result) -> str:
    if result.error:
        return f"UNREADABLE, {result.error}"
    name = f"{result.spec.title} ({result.spec.suffix})" if result.spec else "no feed"
    warnings = f", {out.count(result.warnings, 'warning')}" if result.warnings else ""
    return f"{result.verdict.upper()}, {name}: {_counts(result)}{warnings}"


def _counts(result: Result) -> str:
    rows = out.count(result.rows, "row")
    if result.whole:
        return f"{rows}, taken whole or not at all: none would load"
    if result.verdict is Judgement.REFUSED:
        return "the file cannot be used as a whole"
    repeated = f" ({result.repeated:,} repeated)" if result.repeated else ""
    return f"{rows} = {result.rows - result.rejected:,} good{repeated} + {result.rejected:,} rejected"


def print_findings(findings: Sequence[dict[str, Any]], total: int, hint: str) -> None:
    """Print a table of findings; if there are more, say so with a hint where they are."""
    out.say(out.table(FINDINGS, [[item[field.title] for field in FINDINGS] for item in findings]))
    if total > len(findings):
        out.say(f"... and {total - len(findings):,} more ({hint})")
