"""Settings that do not fit together stop the program at its start, with the names of both."""

from __future__ import annotations

import re

import pytest

from gradeway.errors import SettingsError
from gradeway.settings import load


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"AQR_ALERT_DAYS": "14"}, "GRADEWAY_AQR_ALERT_DAYS is wrong: .*shorter than GRADEWAY_AQR_BACKUP_DAYS"),
        ({"AQR_ALERT_DAYS": "31", "AQR_BACKUP_DAYS": "30"}, "GRADEWAY_AQR_ALERT_DAYS .* GRADEWAY_AQR_BACKUP_DAYS"),
        ({"AQR_BACKUP_DAYS": "13"}, "GRADEWAY_AQR_BACKUP_DAYS is wrong: .*14"),
        ({"ARCHIVE_DAYS": "30"}, "GRADEWAY_ARCHIVE_DAYS is wrong: .*longer than GRADEWAY_PARKED_DAYS"),
        ({"PARKED_DAYS": "400"}, "GRADEWAY_ARCHIVE_DAYS is wrong: .*longer than GRADEWAY_PARKED_DAYS"),
    ],
)
def test_days_that_do_not_fit_together_are_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({f"GRADEWAY_{name}": value for name, value in given.items()})
    assert re.match(told, str(refused.value))


@pytest.mark.parametrize("given", [{"AQR_ALERT_DAYS": "13"}, {"AQR_ALERT_DAYS": "29", "AQR_BACKUP_DAYS": "30"}])
def test_a_missing_result_that_is_told_while_there_is_a_copy_is_in_time(given: dict[str, str]) -> None:
    found = load({f"GRADEWAY_{name}": value for name, value in given.items()})
    assert found.aqr_alert_days < found.aqr_backup_days


@pytest.mark.parametrize(
    "given", [{"AQR_PAST_DAYS": "10"}, {"AQR_ALERT_DAYS": "90", "AQR_BACKUP_DAYS": "100"}], ids=str
)
def test_a_missing_result_is_told_before_it_is_past(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"GRADEWAY_AQR_PAST_DAYS is wrong: it must be longer than"):
        load({f"GRADEWAY_{name}": value for name, value in given.items()})
