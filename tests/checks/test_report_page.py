"""The page a clerk opens: it says what happened, adds up, stands alone, and shows nothing unescaped."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any

import pytest

from fixtures.intakes import Site
from fixtures.outcomes import COLUMNS, HOSTILE, HOSTILE_COLUMN, LEARNER, every_outcome, values
from fixtures.pages import Seen
from gradeway.checks.page import moment, page, shares, size
from gradeway.checks.report import report
from gradeway.checks.verdict import VERDICTS, Tone, verdict
from gradeway.store import ledger
from gradeway.store.models import Batch, BatchState

Content = dict[str, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, dict[str, int]]:
    site = Site(tmp_path_factory.mktemp("home"), time_zone="Europe/Brussels")
    return site, every_outcome(site)


def content_of(made: tuple[Site, dict[str, int]], name: str) -> Content:
    site, batches = made
    with site.intake.store.session() as session:
        return report(session, ledger.get(session, batches[name]))


def test_every_state_has_its_words() -> None:
    assert set(VERDICTS) == set(BatchState)


@pytest.mark.parametrize(
    ("name", "tone", "sentence"),
    [
        ("loaded", Tone.GOOD, "All 50 rows are loaded."),
        ("unchanged", Tone.GOOD, "All 10 rows are in the store already; nothing changed."),
        ("columns", Tone.GOOD, "The one row is loaded."),
        ("duplicate", Tone.CALM, "The same file was here before as batch 2, so nothing was changed."),
        ("rejects", Tone.ATTENTION, "1 of 4 rows loaded, 2 need your attention, 1 waits for a grade column."),
        ("parked", Tone.CALM, "The one row was not loaded; it waits for a grade column."),
        (
            "whole",
            Tone.BAD,
            "Nothing of the file was loaded: 1 of its 2 rows needs your attention, and files of this kind are taken "
            "whole or not at all.",
        ),
        ("refused", Tone.BAD, "The file was refused as a whole: a column is not part of this feed."),
        ("unknown", Tone.BAD, "The file was refused as a whole: no feed takes files with this ending."),
        ("empty", Tone.CALM, "The file has a header and no rows, so nothing was changed."),
        ("broken", Tone.BAD, "The file could not be loaded because Gradeway failed on it."),
        ("failing", Tone.ATTENTION, "Loading the file failed once; Gradeway tries again by itself."),
        ("claimed", Tone.CALM, "The file has arrived and is about to be loaded."),
    ],
)
def test_the_page_says_first_what_happened(
    made: tuple[Site, dict[str, int]], name: str, tone: Tone, sentence: str
) -> None:
    content = content_of(made, name)
    said = verdict(content)
    assert (said.tone, said.sentence) == (tone, sentence)
    assert said.steps
    text = page(content, made[0].settings)
    assert sentence in text
    assert all(str(escape(step)) in text for step in said.steps)
    assert Seen(text).tags >= {"main", "h1", "h2", "ol"}


def test_an_undo_its_batch_and_the_same_bytes_again_say_what_happened_and_how_to_go_back(site: Site) -> None:
    site.send("c.colnc", COLUMNS + b"C1|X|||||\n")
    content = values("C1|S1|X|1", "C1|S2|X|2", "C1|S3|Y|3", "C1|S4|X|bad")
    site.send("w.colncval", content)
    site.send("x.colncval", values("C1|S1|X|7"))
    site.intake.undo(2)
    site.send("again.colncval", content)
    said = {}
    for batch in site.batches()[1:]:
        found = verdict(site.report(batch))
        said[batch.id] = (found.tone, found.sentence)
        if batch.id != 3:
            assert found.steps[-1] == "If it shall be loaded again: ask the administrator to replay batch 2."
            assert found.sentence in site.intake.report_folder(batch).joinpath("report.html").read_text()
    again = "The same file was here before as batch 2, which batch 4 has undone, so it was not loaded again."
    assert said == {
        2: (Tone.CALM, "Batch 4 has undone this file: what it brought is taken back."),
        3: (Tone.GOOD, "The one row is loaded."),
        4: (
            Tone.CALM,
            "Batch 2 is undone: 2 of its 4 rows were taken back, 1 stays, because newer batches gave the same or "
            "something needs them.",
        ),
        5: (Tone.ATTENTION, again),
    }


def test_the_page_says_how_to_heal_rejects(made: tuple[Site, dict[str, int]]) -> None:
    content = content_of(made, "rejects")
    steps = " ".join(verdict(content).steps)
    assert f"Open the reject file {content['reject_file']}. It holds only the lines that were rejected." in steps
    assert "drop it into the inbox" in steps
    seen = Seen(page(content, made[0].settings))
    site, batches = made
    links = [value for tag, name, value in seen.attributes if (tag, name) == ("a", "href")]
    assert links == [content["reject_file"]]
    batch = next(batch for batch in site.batches() if batch.id == batches["rejects"])
    assert (site.intake.report_folder(batch) / links[0]).is_file()


def test_a_feed_taken_whole_says_why_right_rows_were_rejected(made: tuple[Site, dict[str, int]]) -> None:
    content = content_of(made, "whole")
    assert "It holds every line of your file" in verdict(content).steps[0]
    wrong = [
        row for row in Seen(page(content, made[0].settings)).rows if "SYMBOL_BOUNDS" in row or "FILE_REJECTED" in row
    ]
    assert [row[0] for row in wrong] == ["1", "1", "3"]  # two reasons, and the one line that must be corrected


@pytest.mark.parametrize("name", ["loaded", "unchanged", "rejects", "parked", "whole", "empty", "replay"])
def test_the_accounting_adds_up_visibly(made: tuple[Site, dict[str, int]], name: str) -> None:
    content = content_of(made, name)
    rows = {row[0].split(" of these")[0]: row[1] for row in Seen(page(content, made[0].settings)).rows if len(row) == 2}
    parts = [int(rows[part]) for part in ("New", "Changed", "Unchanged", "Rejected", "Waiting")]
    assert sum(parts) == int(rows["Together"]) == int(rows["Rows in the file"]) == content["rows"]["in"]


def test_an_imbalance_is_shown(made: tuple[Site, dict[str, int]]) -> None:
    content = content_of(made, "loaded")
    warning = "These two numbers differ: tell the administrator."
    assert warning not in page(content, made[0].settings)
    content["rows"]["in"] += 1
    assert warning in page(content | {"balanced": False}, made[0].settings)


@pytest.mark.parametrize("name", ["refused", "unknown", "duplicate", "broken", "claimed"])
def test_a_file_that_was_not_read_has_no_accounting(made: tuple[Site, dict[str, int]], name: str) -> None:
    assert "Rows in the file" not in page(content_of(made, name), made[0].settings)


def test_findings_name_line_column_code_and_remedy(made: tuple[Site, dict[str, int]]) -> None:
    rows = Seen(page(content_of(made, "rejects"), made[0].settings)).rows
    remedy = "write a decimal point and no thousands separator"
    assert ["2", "value", "a number with a comma", remedy, "NUMBER_COMMA"] in rows
    assert ["3", "value", "a required cell is blank", "fill the cell", "REQUIRED"] in rows


def test_waiting_rows_say_for_what_and_until_when(made: tuple[Site, dict[str, int]]) -> None:
    content = content_of(made, "rejects")
    zone = made[0].settings.zone
    since = content["waiting"][0]["since"]
    row = next(row for row in Seen(page(content, made[0].settings)).rows if "LAW1" in row)
    assert row[:3] == ["1", "column Essay", "LAW1"]
    due = datetime.fromisoformat(since) + timedelta(days=made[0].settings.parked_days)
    assert row[3:] == [moment(instant, zone, "%Y-%m-%d %H:%M") for instant in (since, due)]


def test_many_findings_say_how_many_more(made: tuple[Site, dict[str, int]]) -> None:
    content = content_of(made, "rejects")
    text = page(content | {"findings_total": 12345}, made[0].settings)
    assert f"Shown: the first {len(content['findings'])} of 12,345." in " ".join(text.split())
    assert "Shown: the first" not in page(content, made[0].settings)


def test_times_are_in_the_configured_zone(made: tuple[Site, dict[str, int]]) -> None:
    content = content_of(made, "loaded") | {"claimed_at": "2026-07-01T10:00:00+00:00"}
    assert "2026-07-01 12:00:00 CEST" in page(content, made[0].settings)


def test_the_page_stands_alone(made: tuple[Site, dict[str, int]]) -> None:
    site, batches = made
    for name in batches:
        seen = Seen(page(content_of(made, name), site.settings))
        assert not seen.tags & {"script", "link", "img", "iframe", "form", "base", "object"}, name
        assert not [found for found in seen.attributes if found[1].startswith("on") or found[1] in {"src", "style"}]
        links = [value for _, attribute, value in seen.attributes if attribute in {"href", "action"}]
        assert all(re.fullmatch(r"rejects-\d+\.[a-z]+", link) for link in links), name
    styles = re.findall(r"<style>(.*?)</style>", page(content_of(made, "loaded"), site.settings), re.S)
    assert len(styles) == 1
    assert "url(" not in styles[0]
    assert "@import" not in styles[0]
    assert "@media print" in styles[0]
    assert "color-scheme: light dark" in styles[0]


@pytest.mark.parametrize(
    ("name", "payload"), [("hostile", HOSTILE), ("refused", HOSTILE_COLUMN), ("parked", HOSTILE_COLUMN)]
)
def test_hostile_names_are_shown_and_do_nothing(made: tuple[Site, dict[str, int]], name: str, payload: str) -> None:
    text = page(content_of(made, name), made[0].settings)
    assert payload not in text
    shown = payload.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
    assert shown.replace("'", "&#39;") in text


def test_no_page_holds_a_learner(made: tuple[Site, dict[str, int]]) -> None:
    site, batches = made
    for name in batches:
        assert LEARNER not in page(content_of(made, name), site.settings)


def test_the_written_page_is_the_page(made: tuple[Site, dict[str, int]]) -> None:
    site, batches = made
    batch: Batch = next(batch for batch in site.batches() if batch.id == batches["rejects"])
    written: Path = site.intake.report_folder(batch) / "report.html"
    assert written.read_text("utf-8") == page(content_of(made, "rejects"), site.settings)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (139_100, "139.1 kB"), (10**15, "1000.0 TB")],
)
def test_sizes_read_well(count: int, text: str) -> None:
    assert size(count) == text


def test_a_bar_shows_every_part_that_is_there() -> None:
    parts = shares({"in": 100_000, "applied": 99_999, "unchanged": 0, "rejected": 1, "parked": 0})
    assert [name for name, _, _ in parts] == ["applied", "rejected"]
    assert parts[1][2] > 0.9
    assert parts[0][1] == 0
    assert abs(sum(width for _, _, width in parts) - 100) < 0.01
