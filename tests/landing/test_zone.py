"""The landing zone's folders, and names that are harmless wherever they are used."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.intakes import Site
from gradeway.errors import LandingError
from gradeway.landing import keep
from gradeway.landing.zone import NAME_LIMIT, SHOWN_LIMIT, Zone, label, shown
from gradeway.settings import Settings

DAY = date(2024, 2, 29)
SHA = "0123456789abcdef" * 4


def test_each_kind_of_file_has_its_place(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    assert zone.inbox("grades") == tmp_path / "inbox" / "grades"
    assert zone.kept(7, "a b.sch", DAY, refused=False) == tmp_path / "archive" / "2024-02-29" / "B000007-a_b.sch"
    assert zone.kept(7, "a.sch", DAY, refused=True) == tmp_path / "quarantine" / "2024-02-29" / "B000007-a.sch"
    assert zone.report(7, "a.sch", DAY) == tmp_path / "reports" / "2024-02-29" / "B000007-a.sch"


def test_preparing_makes_the_folders_once(tmp_path: Path) -> None:
    zone = Zone(tmp_path / "new" / "landing")
    for _ in range(2):
        zone.prepare(("grades", "sessions"))
    assert {path.name for path in zone.root.iterdir()} == {"inbox", "claimed", "reports"}
    assert {path.name for path in (zone.root / "inbox").iterdir()} == {"grades", "sessions"}


def test_a_zone_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file stands in the way")
    with pytest.raises(LandingError, match=r"landing.*GRADEWAY_LANDING"):
        Zone(tmp_path / "landing").prepare(("grades",))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("term.colncval", "B000001-term.colncval"),
        ("a b.sch", "B000001-a_b.sch"),
        ("../../etc/passwd", "B000001-file._etc_passwd"),
        ("..\\..\\a.sch", "B000001-a.sch"),
        ("...sch", "B000001-file.sch"),
        ("-rf.sch", "B000001--rf.sch"),
        ("\N{GRADUATION CAP}.sch", "B000001-file.sch"),
        ("no ending", "B000001-no_ending"),
        ("", "B000001-file"),
        ("x" * 300 + ".sch", "B000001-" + "x" * NAME_LIMIT + ".sch"),
        ("a." + "y" * 300, "B000001-a." + "y" * 16),
    ],
)
def test_a_kept_file_is_named_by_its_batch_and_a_harmless_form_of_its_name(name: str, safe: str) -> None:
    assert label(1, name) == safe


@given(st.text())
def test_any_name_is_harmless_on_a_disk(name: str) -> None:
    safe = label(1, name)
    assert safe.isascii()
    assert not set(safe) & set("/\\\0\n\r\t :*?\"<>|'$`&;")
    assert safe.startswith("B000001-")
    assert len(safe) <= len("B000001-.") + NAME_LIMIT + 16


@given(st.text(st.characters(codec=None)))
def test_any_name_is_shown_in_printable_characters(name: str) -> None:
    text = shown(name)
    assert text.isprintable()
    assert len(text) <= SHOWN_LIMIT
    text.encode()


def test_a_plain_name_is_shown_as_it_is() -> None:
    assert shown("p\u00e9riode 2023_01.colncval") == "p\u00e9riode 2023_01.colncval"
    assert shown("pe\u0301riode.sch") == "p\u00e9riode.sch"
    assert shown("evil\u202ehcs.exe") == "evil?hcs.exe"
    assert shown("two\nlines.sch") == "two?lines.sch"


# --- keeping and letting go


def _claimed(zone: Zone, content: bytes = b"bytes") -> str:
    folder = zone.claimed / "grades-1"
    folder.mkdir(parents=True)
    (folder / "sent.sch").write_bytes(content)
    return "claimed/grades-1"


def test_kept_bytes_are_moved_once(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    target = zone.kept(1, "sent.sch", DAY, refused=False)
    place = _claimed(zone)
    for _ in range(2):
        keep.keep(zone, place, target, SHA)
    assert target.read_bytes() == b"bytes"
    assert list(zone.claimed.iterdir()) == []


def test_a_move_that_was_interrupted_after_the_rename_is_ended(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    target = zone.kept(1, "sent.sch", DAY, refused=False)
    place = _claimed(zone)
    target.parent.mkdir(parents=True)
    (zone.root / place / "sent.sch").rename(target)
    keep.keep(zone, place, target, SHA)
    assert target.read_bytes() == b"bytes"
    assert list(zone.claimed.iterdir()) == []


def test_bytes_of_another_store_are_never_replaced(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    target = zone.kept(1, "sent.sch", DAY, refused=False)
    target.parent.mkdir(parents=True)
    target.write_bytes(b"theirs")
    place = _claimed(zone, b"ours")
    kept = [keep.keep(zone, place, target, SHA) for _ in range(2)]
    assert kept[0] == kept[1] != target
    assert (target.read_bytes(), kept[0].read_bytes()) == (b"theirs", b"ours")


def test_each_kind_is_deleted_when_its_own_time_is_over(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    settings = Settings(parked_days=1, archive_days=3, quarantine_days=2, report_days=1)
    for kind in ("archive", "quarantine", "reports"):
        for age in range(6):
            folder = tmp_path / kind / (DAY - timedelta(days=age)).isoformat() / "B000001-a.sch"
            folder.mkdir(parents=True)
            (folder / "one").write_bytes(b"")
    assert keep.purge(zone, settings, DAY) == {"archive": 2, "quarantine": 3, "reports": 4}
    left = {kind: len(list((tmp_path / kind).iterdir())) for kind in ("archive", "quarantine", "reports")}
    assert left == {"archive": 4, "quarantine": 3, "reports": 2}
    assert keep.purge(zone, settings, DAY) == {"archive": 0, "quarantine": 0, "reports": 0}


def test_only_day_folders_are_ever_deleted(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    for path in ("archive/notes/a", "archive/1999/a", "inbox/1999-01-01/a", "claimed/1999-01-01/a"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(b"")
    (tmp_path / "archive" / "README").write_bytes(b"")
    assert keep.purge(zone, Settings(), DAY) == {"archive": 0, "quarantine": 0, "reports": 0}
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 5


def test_a_kept_link_is_deleted_and_its_target_is_not(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"")
    zone = Zone(tmp_path / "landing")
    day = zone.root / "quarantine" / "1999-01-01"
    day.mkdir(parents=True)
    (day / "B000001-a.sch").symlink_to(outside)
    (day / "B000002-a.sch").symlink_to(outside / "precious")
    keep.purge(zone, Settings(), DAY)
    assert not day.exists()
    assert (outside / "precious").exists()


def test_housekeeping_keeps_what_is_young(site: Site) -> None:
    batch = site.send("a.sch", b"title|symbols|optionalData\nOne|A=50:F=0|\n")
    done = site.intake.tidy()
    assert set(done.values()) == {0}
    assert site.kept(batch).exists()
    assert site.kept(batch).parent.name == datetime.now(UTC).date().isoformat()
