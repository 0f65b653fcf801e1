"""What stands in a learner's row goes to the store and the reject file, and nowhere else."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from fixtures.corpus import read
from fixtures.intakes import Site
from gradeway.errors import FileDefectError
from gradeway.feeds import FEEDS

CANARY = "Xcanary7"
VALUES = "courseId|userId|name|value"
ROWS = {
    "colncval": [
        f"C1|{CANARY}|Exam|{CANARY}",
        f"C1|{CANARY}2|Exam|{CANARY},5",
        f"C1|{CANARY}3|Exam|-1",
        f"C1|{CANARY}4|Exam|101",
        f"C1|{CANARY}5|Exam|50",
        f"C1|{CANARY}5|Exam|51",
        f"C1|{CANARY}6|Exam|50",
        f"C1|{CANARY}6|Exam|50",
        f"C1|{CANARY}|Exam",
        f"C1|{CANARY}|Exam|50|{CANARY}",
        f'C1|"{CANARY}|Exam|50',
        f"C1|{CANARY}\x00|Exam|50",
        f"C1|{CANARY * 50}|Exam|50",
        f"|{CANARY}|Exam|{CANARY}",
        f"C1|={CANARY}|Exam|",
    ],
    "asg": [
        f"C1|n1|{CANARY * 300}|{CANARY}|{CANARY}|{CANARY}@>@@>@|{CANARY}|{CANARY}{CANARY}|{CANARY}|{CANARY}"
        f"|{CANARY}|{CANARY}|{CANARY}|{CANARY}|{CANARY * 50}|{CANARY}",
        f"C1|n2|||||||||2023-02-02|2023-02-01||||{CANARY}=1:{CANARY}=2",
    ],
    "sch": [f"{CANARY}|{CANARY}=1:{CANARY}=0|", f"{CANARY}2|{CANARY}=x|{CANARY}", f"{CANARY * 50}||={CANARY}"],
}
HEADERS = {
    "colncval": VALUES,
    "sch": "title|symbols|optionalData",
    "asg": "courseId|name|instructions|anonymous|group|contentAreaName|available|colour|attempts|tracked"
    "|startDate|endDate|dueDate|points|gradeSchema|optionalData",
}


def content(feed: str) -> bytes:
    return "".join(f"{row}\n" for row in (HEADERS[feed], *ROWS[feed])).encode() + b"C1|" + CANARY.encode() + b"\xff\n"


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


def told(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that went to the logs, with the tracebacks."""
    return caplog.text + "".join(f"{record.__dict__}" for record in caplog.records)


@pytest.mark.parametrize("feed", ROWS)
def test_no_finding_repeats_a_cell(feed: str) -> None:
    findings = read(content(feed), feed).findings
    assert len({finding.reason for finding in findings}) >= 3
    assert CANARY not in repr(findings) + "".join(finding.remedy for finding in findings)


def test_a_sweep_logs_no_cell_and_reports_none(site: Site, logs: pytest.LogCaptureFixture) -> None:
    site.drop("parents.colnc", b"courseId|name\nC1|Exam\n")
    for feed in ROWS:
        site.drop(f"canary.{feed}", content(feed))
    batches = site.sweep()
    assert batches["canary.colncval"].rejected > 8
    assert CANARY not in told(logs)
    for feed in ROWS:
        batch = batches[f"canary.{feed}"]
        assert CANARY not in json.dumps(site.report(batch)["findings"])
        assert CANARY not in "".join(f"{row}" for row in site.rows("SELECT * FROM finding"))
        assert CANARY in site.reject_file(batch).read_text("utf-8", "replace")


@pytest.mark.parametrize(
    "row", [f"C1|{CANARY}|Exam|50", f"{CANARY}", f"{CANARY};x", f"{CANARY}\xff|", f"{CANARY}|\x00"]
)
def test_a_file_without_its_header_is_refused_in_words_that_repeat_no_row(
    site: Site, logs: pytest.LogCaptureFixture, row: str
) -> None:
    batch = site.send("bare.colncval", row.encode("latin-1") + b"\n")
    assert batch.state == "refused"
    assert CANARY not in told(logs)
    assert CANARY not in json.dumps(site.report(batch))
    with pytest.raises(FileDefectError) as caught:
        site.intake.rehearse(site.kept(batch), "colncval")
    assert CANARY not in f"{caught.value} {caught.value.args} {caught.value.detail}"


@pytest.mark.parametrize(
    ("feed", "table"), [("colncval", "learner"), ("colncval", "grade"), ("colncval", "parked_row"), ("sch", "change")]
)
def test_a_failure_of_the_store_is_told_without_the_rows(
    home: Path, logs: pytest.LogCaptureFixture, feed: str, table: str
) -> None:
    site = Site(home, attempts=1)
    site.drop("parents.colnc", b"courseId|name\nC1|Exam\n")
    site.sweep()
    with site.intake.store.engine.begin() as connection:
        refuse = f"CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'broken'); END"
        connection.exec_driver_sql(refuse)
    column = "Unknown" if table == "parked_row" else "Exam"
    rows = {"colncval": f"C1|{CANARY}|{column}|50", "sch": f"{CANARY}|A=50:F=0|"}
    site.drop(f"canary.{feed}", f"{HEADERS[feed]}\n{rows[feed]}\n".encode())
    done = site.intake.sweep(lambda _: None)
    batch = site.batches()[-1]
    assert (batch.state, batch.reasons, done.failed) == ("refused", {"PROCESSING_FAILED": 1}, [])
    assert "failed" in told(logs), "the failure itself is told"
    assert CANARY not in told(logs)
    assert CANARY not in json.dumps(site.report(batch))
    assert CANARY not in "".join(done.failed)


def test_no_feed_is_left_out() -> None:
    assert set(ROWS) <= set(FEEDS)
    assert set(HEADERS) == set(ROWS)
