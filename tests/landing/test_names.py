"""The name that a sender gave is data: it is shown, and never becomes a path."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from fixtures.intakes import Site
from fixtures.landed import files_below, schema, titles
from gradeway.store.models import Batch

ODD_NAMES: tuple[bytes, ...] = (
    b"two\nlines.sch",
    b"tab\tbell\x07.sch",
    b"\x1b[31mred.sch",
    b"-rf.sch",
    b"--help.sch",
    b" spaces around .sch",
    b"$(reboot);`id`&|.sch",
    b"<script>alert(1)</script>".replace(b"/", b"") + b".sch",
    b"{{ 7*7 }}%s%d.sch",
    b"'quotes\".sch",
    b"a\\..\\..\\etc.sch",
    b"%2e%2e%2fetc.sch",
    b"C:evil.sch",
    b"CON.sch",
    b"a...sch",
    b"a.sch.sch",
    b"UPPER.SCH",
    b"\xff\xfe\xed\xa0\x80.sch",
    b"x" * 251 + b".sch",
    "\N{GRADUATION CAP}\N{ZERO WIDTH JOINER}\N{VARIATION SELECTOR-16}.sch".encode(),
    "\N{RIGHT-TO-LEFT OVERRIDE}hcs.evil.sch".encode(),
    unicodedata.normalize("NFD", "pe\N{LATIN SMALL LETTER E WITH ACUTE}riode.sch").encode(),
    "\N{CJK UNIFIED IDEOGRAPH-6210}".encode() * 83 + b".sch",
    "\N{NO-BREAK SPACE}.sch".encode(),
)
ODD_ENDINGS: tuple[bytes, ...] = (
    b"grades.csv",
    b"noending",
    b"a.sch ",
    b"a.sch\n",
    b"sch",
    b"a.",
    b"a.sch.gz",
    b"\xff",
)


def test_a_file_of_any_name_is_taken_and_no_name_leaves_the_zone(site: Site, tmp_path: Path) -> None:
    around = {path for path in tmp_path.rglob("*") if not path.is_relative_to(site.settings.home)}
    contents = {schema(f"S{number}"): name for number, name in enumerate(ODD_NAMES)}
    for content, name in contents.items():
        Path(os.fsdecode(os.fsencode(site.inbox) + b"/" + name)).write_bytes(content)
    site.sweep()
    batches = site.batches()
    assert len(batches) == len(ODD_NAMES)
    assert {batch.state for batch in batches} == {"loaded"}
    assert {site.kept(batch).read_bytes() for batch in batches} == set(contents)
    for batch in batches:
        _assert_harmless(site, batch)
    assert len(titles(site)) == len(ODD_NAMES)
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(site.settings.home)} == around
    assert files_below(site.inbox) == []


def _assert_harmless(site: Site, batch: Batch) -> None:
    assert batch.file_name.isprintable()
    assert 0 < len(batch.file_name) <= 255
    for path in (site.kept(batch), site.intake.report_folder(batch)):
        assert path.name.isascii()
        assert path.name.startswith(f"B{batch.id:06d}-")
        assert not set(path.name) & set("/\\ \n\t:;|&$`'\"<>(){}%*?")
        assert path.parent.parent.parent == site.zone.root
    assert (site.intake.report_folder(batch) / "report.html").is_file()


def test_a_file_that_no_feed_takes_is_refused_and_kept(site: Site) -> None:
    for number, name in enumerate(ODD_ENDINGS):
        Path(os.fsdecode(os.fsencode(site.inbox) + b"/" + name)).write_bytes(b"%d" % number)
    site.sweep()
    batches = site.batches()
    assert len(batches) == len(ODD_ENDINGS)
    for batch in batches:
        assert (batch.state, batch.feed, batch.reasons) == ("refused", "", {"FILE_UNKNOWN": 1})
        assert site.kept(batch).is_relative_to(site.zone.root / "quarantine")
        _assert_harmless(site, batch)
    assert {site.kept(batch).read_bytes() for batch in batches} == {b"%d" % n for n in range(len(ODD_ENDINGS))}


def test_names_stay_out_of_the_logs_lines(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    site.drop("x\nCRITICAL forged.sch", schema("One"))
    site.sweep()
    assert titles(site) == ["One"]
    assert "forged" not in "".join(line for line in caplog.text.splitlines() if line.startswith("CRITICAL"))
