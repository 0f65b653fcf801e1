"""What a report says first: one sentence on what became of the file, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gradeway.reasons import Level, Reason
from gradeway.store.models import BatchState

Report = dict[str, Any]

PARENTS = {
    "schema": "grade schema (.sch)",
    "column": "grade column (.colnc, .col or .asg)",
    "result": "column for results (.colnc or .asg, with the session or the assessment in its optionalData)",
}


class Tone(StrEnum):
    """How a verdict looks: all well, somebody must act, nothing came through, or simply to know."""

    GOOD = "good"
    ATTENTION = "attention"
    BAD = "bad"
    CALM = "calm"


@dataclass(frozen=True)
class Verdict:
    """One sentence, how it looks, and the next steps in their order."""

    tone: Tone
    sentence: str
    steps: tuple[str, ...]


def verdict(report: Report) -> Verdict:
    """Return what to say first about a batch, from its report."""
    if report["undo_of"]:
        return _undo(report)
    if report["undone_by"] and not report["duplicate_of"]:
        return _undone(report)
    return VERDICTS[report["state"]](report)


def rows(count: int) -> str:
    """Say a number of rows."""
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _loaded(report: Report) -> Verdict:
    counts = report["rows"]
    if not counts["in"]:
        step = "Nothing to do if no rows were expected; otherwise make the export again and drop the new file."
        return Verdict(Tone.CALM, "The file has a header and no rows, so nothing was changed.", (step,))
    if counts["rejected"] or counts["parked"]:
        return Verdict(_tone(counts), _partly(report), (*_correct(report), *_send_parents(report)))
    if not counts["applied"]:
        return Verdict(Tone.GOOD, f"{_all(counts['in'])} in the store already; nothing changed.", ("Nothing to do.",))
    return Verdict(Tone.GOOD, f"{_all(counts['in'])} loaded.", ("Nothing to do.",))


def _all(count: int) -> str:
    return "The one row is" if count == 1 else f"All {rows(count)} are"


def _tone(counts: dict[str, int]) -> Tone:
    if not counts["rejected"]:
        return Tone.CALM
    return Tone.BAD if counts["rejected"] == counts["in"] else Tone.ATTENTION


def _partly(report: Report) -> str:
    counts = report["rows"]
    if counts["in"] == 1:
        rest = f"waits for {_parents(report)}" if counts["parked"] else "needs your attention"
        return f"The one row was not loaded; it {rest}."
    done = counts["applied"] + counts["unchanged"]
    parts = [f"{done:,} of {rows(counts['in'])} loaded" if done else f"None of the {rows(counts['in'])} was loaded"]
    if wrong := counts["rejected"] - _only_held_back(report):
        parts.append(f"{wrong:,} {_verb('need', wrong)} your attention")
    if counts["parked"]:
        parts.append(f"{counts['parked']:,} {_verb('wait', counts['parked'])} for {_parents(report)}")
    return ", ".join(parts) + "."


def _only_held_back(report: Report) -> int:
    """Return how many rows are right and were rejected because of others in the file."""
    held = [reason["rows"] for reason in report["reasons"] if reason["code"] == Reason.FILE_REJECTED.value]
    return sum(held)


def _verb(verb: str, count: int) -> str:
    return f"{verb}s" if count == 1 else verb


def _parents(report: Report) -> str:
    kinds = sorted({group["for"] for group in report["waiting"]})
    return "a " + " or a ".join(PARENTS[kind].split(" (")[0] for kind in kinds)


def _correct(report: Report) -> tuple[str, ...]:
    if not report["reject_file"]:
        return ()
    holds = (
        "every line of your file, because files of this kind are taken whole or not at all"
        if _only_held_back(report)
        else "only the lines that were rejected"
    )
    return (
        f"Open the reject file {report['reject_file']}. It holds {holds}.",
        "Correct the lines. The first columns (_line, _code, _column, _remedy, _guarded) say what is wrong "
        "in each; leave them as they are.",
        f"Save the file as text with the ending {report['ending']} and drop it into the inbox, where you dropped "
        "the first one. It loads like any other file.",
    )


def _send_parents(report: Report) -> tuple[str, ...]:
    kinds = sorted({group["for"] for group in report["waiting"]})
    return tuple(
        f"Drop the file with the missing {PARENTS[kind]}. The rows that wait for it then load by themselves; "
        "this file need not be sent again."
        for kind in kinds
    )


def _refused(report: Report) -> Verdict:
    found = [finding for finding in report["findings"] if finding["level"] == Level.FILE]
    if not found:
        return Verdict(Tone.BAD, _held_back(report), _correct(report))
    meaning = "; ".join(finding["meaning"] for finding in found)
    if any(finding["code"] == Reason.PROCESSING_FAILED.value for finding in found):
        step = f"Tell the administrator about batch {report['batch']} ({report['last_failure'] or 'no error name'}). "
        step += "Do not send the file again: it is kept, and can be loaded from here after a repair."
        return Verdict(Tone.BAD, "The file could not be loaded because Gradeway failed on it.", (step,))
    steps = [_sentence(finding["remedy"]) for finding in found]
    steps.append("Drop the corrected file into the inbox. Nothing of this one was loaded or changed.")
    return Verdict(Tone.BAD, f"The file was refused as a whole: {meaning}.", tuple(steps))


def _held_back(report: Report) -> str:
    wrong = report["rows"]["rejected"] - _only_held_back(report)
    return (
        f"Nothing of the file was loaded: {wrong:,} of its {rows(report['rows']['in'])} {_verb('need', wrong)} "
        "your attention, and files of this kind are taken whole or not at all."
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _undo(report: Report) -> Verdict:
    counts, undone = report["rows"], report["undo_of"]
    parts = [f"Batch {undone} is undone: {counts['applied']:,} of its {rows(counts['in'])} were taken back"]
    if stay := counts["superseded"]:
        parts.append(f"{stay:,} {_verb('stay', stay)}, because newer batches gave the same or something needs them")
    return Verdict(Tone.CALM, ", ".join(parts) + ".", (_replay(undone),))


def _undone(report: Report) -> Verdict:
    sentence = f"Batch {report['undone_by']} has undone this file: what it brought is taken back."
    step = f"What stayed, and why, is in the report of batch {report['undone_by']}."
    return Verdict(Tone.CALM, sentence, (step, _replay(report["batch"])))


def _replay(batch: int) -> str:
    return f"If it shall be loaded again: ask the administrator to replay batch {batch}."


def _duplicate(report: Report) -> Verdict:
    first = report["duplicate_of"]
    if report["undone_by"]:
        sentence = f"The same file was here before as batch {first}, which batch {report['undone_by']} has undone"
        return Verdict(Tone.ATTENTION, f"{sentence}, so it was not loaded again.", (_replay(first),))
    return Verdict(
        Tone.CALM,
        f"The same file was here before as batch {first}, so nothing was changed.",
        (
            f"Nothing to do. What became of its rows is in the report of batch {first}.",
            "If you meant to send a corrected file: check that your corrections were saved, and drop it again.",
            f"If it shall win over files that came after it: ask the administrator to replay batch {first}.",
        ),
    )


def _claimed(report: Report) -> Verdict:
    if not report["failures"]:
        return Verdict(Tone.CALM, "The file has arrived and is about to be loaded.", ("Nothing to do yet.",))
    times = "once" if report["failures"] == 1 else f"{report['failures']} times"
    return Verdict(
        Tone.ATTENTION,
        f"Loading the file failed {times}; Gradeway tries again by itself.",
        (f"If this does not go away, tell the administrator: batch {report['batch']}, {report['last_failure']}.",),
    )


VERDICTS: dict[str, Callable[[Report], Verdict]] = {
    BatchState.LOADED: _loaded,
    BatchState.REFUSED: _refused,
    BatchState.DUPLICATE: _duplicate,
    BatchState.CLAIMED: _claimed,
}
