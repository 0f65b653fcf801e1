"""The file that says which assessment stands for a delivery or a battery."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradeway.errors import SettingsError
from gradeway.sessions.deliveries import Deliveries, read_deliveries


def file(folder: Path, content: str | bytes) -> str:
    path = folder / "deliveries.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("delivery,assessment\nD-1,Midterm\n", Deliveries({"D-1": "Midterm"})),
        ("\ufeffdelivery,assessment\r\nD-1, 9001 \r\n", Deliveries({"D-1": "9001"})),
        ("assessment,battery\n9001,B-1\n", Deliveries({}, {"B-1": "9001"})),
        ('delivery,battery,assessment\nX,,"One, two"\n,X,Two\n', Deliveries({"X": "One, two"}, {"X": "Two"})),
        ("delivery,assessment\n", Deliveries()),
    ],
)
def test_it_is_read(tmp_path: Path, content: str, expected: Deliveries) -> None:
    assert read_deliveries(file(tmp_path, content)) == expected


def test_without_a_file_there_are_no_entries() -> None:
    assert read_deliveries("") == Deliveries()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "first line"),
        ("assessment\n1\n", "line 2"),
        ("delivery,test\nD,1\n", "first line"),
        ("delivery,assessment,note\nD,1,x\n", "first line"),
        ("delivery,assessment\nD,\n", "line 2"),
        ("delivery,assessment\nD-1,1\n,2\n", "line 3"),
        ("delivery,assessment\nD-1,1\nD-1,2\n", "line 3"),
        ("delivery,assessment\nD-1,1,2\n", "line 2"),
        ("delivery,assessment\nD-1\n", "line 2"),
        ("delivery,battery,assessment\nD,B,1\n", "line 2"),
        (b"delivery,assessment\n\xff,1\n", "UTF-8"),
        ('delivery,assessment\n"D,1\n', "CSV"),
    ],
)
def test_a_wrong_one_is_refused_by_line(tmp_path: Path, content: str | bytes, what: str) -> None:
    with pytest.raises(SettingsError, match=f"GRADEWAY_SESSIONS_DELIVERIES_FILE cannot be used: .*{what}"):
        read_deliveries(file(tmp_path, content))


def test_a_missing_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_deliveries(str(tmp_path / "none.csv"))
