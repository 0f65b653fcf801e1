"""The data that the sandbox starts with when no seed is given: a small faculty, all made up."""

from __future__ import annotations

from gradeway.sandbox.documents import Document
from gradeway.sandbox.names import PEOPLE, person

PUBLISHED = "2026-01-12T08:30:00Z"
REGISTERED = "2025-09-01T06:00:00Z"
# Group, the group above it, and whether its members may be given assessments by it.
GROUPS = (
    (410001, "Health Sciences", None),
    (410002, "Nursing 1A", 410001),
    (410003, "Nursing 1B", 410001),
    (410004, "Physiotherapy 2", 410001),
    (420001, "Engineering", None),
    (420002, "Statics 2026", 420001),
    (420003, "Statics 2026 lab", 420002),
    (430001, "Staff training", None),
)
# The leaves of the groups, filled in turn.
CLASSES = (410002, 410003, 410004, 420002, 420003)
# Number, name, minutes, secure, saves answers, schedulable by.
ASSESSMENTS: tuple[tuple[int, str, int | None, bool, bool, tuple[int, ...]], ...] = (
    (1001, "Anatomy midterm", 60, False, True, (410001,)),
    (1002, "Anatomy final", 120, True, True, (410001,)),
    (1003, "Medication calculation", 45, False, True, (410001, 430001)),
    (1004, "Physiology quiz", None, False, True, (410001, 410002)),
    (1005, "Statics entry test", 30, False, True, (420001,)),
    (1006, "Statics final", 180, False, True, (420001,)),
    (1007, "Lab safety (practice, not saved)", None, False, False, (420001, 430001)),
    (1008, "Fire safety for staff", 20, False, True, (430001,)),
    (1009, "Course evaluation", None, False, True, ()),
)
# Number, name, secure browser, device events, test center, disabled.
MONITORING = (
    (1, "UNMONITORED", False, False, False, False),
    (2, "QSB", True, False, False, False),
    (3, "QSB_WITH_EVENTS", True, True, False, False),
    (4, "TEST_CENTER_PROCTORED", True, False, True, False),
    (5, "RECORD_AND_REVIEW", False, True, False, True),
)
TEST_CENTERS = ((71, "North campus hall", "Ghent", 120, True), (72, "Library basement", "Kortrijk", 40, True))


def start() -> dict[str, list[Document]]:
    """Return the starting data, as a seed."""
    return {
        "TestCenters": [_test_center(*row) for row in TEST_CENTERS],
        "MonitoringTypes": [_monitoring_type(*row) for row in MONITORING],
        "Assessments": [_assessment(*row) for row in ASSESSMENTS],
        "Groups": [_group(*row) for row in GROUPS],
        "Participants": [_participant(number) for number in range(PEOPLE)],
        "Administrators": _administrators(),
    }


def assessment_id(number: int) -> str:
    """Return an assessment's ID, which is made of the numbers of its server and of its own."""
    return str(number * 100_000_000 + number)


def _test_center(number: int, name: str, city: str, seats: int, active: bool) -> Document:
    return {
        "ID": number,
        "Label": f"TC{number}",
        "Name": name,
        "City": city,
        "Country": "BE",
        "Active": active,
        "TimeZone": "Europe/Brussels",
        "Capacity": seats,
    }


def _monitoring_type(number: int, name: str, secure: bool, events: bool, center: bool, disabled: bool) -> Document:
    return {
        "ID": number,
        "Name": name,
        "RequireQSB": secure,
        "RequireDeviceEvents": events,
        "RequireTestCenter": center,
        "Disabled": disabled,
    }


def _assessment(
    number: int, name: str, minutes: int | None, secure: bool, saved: bool, groups: tuple[int, ...]
) -> Document:
    return {
        "ID": assessment_id(number),
        "Revision": 1,
        "Name": name,
        "Language": "-",
        "Author": "a.manager",
        "CreatedDateTime": PUBLISHED,
        "Editor": "a.manager",
        "ModifiedDateTime": PUBLISHED,
        "Base": True,
        "TimeLimit": minutes,
        "IsSecure": secure,
        "SaveAnswers": saved,
        "Groups": list(groups),
    }


def _group(number: int, name: str, parent: int | None) -> Document:
    center = 71 if number == GROUPS[0][0] else None
    return {"ID": number, "Name": name, "Description": "", "ParentGroup": parent, "DefaultTestCenterId": center}


def _participant(number: int) -> Document:
    login, first, last = person(number)
    return {
        "ID": 510001 + number,
        "Name": login,
        "FirstName": first,
        "LastName": last,
        "PrimaryEmail": f"{login}@example.org",
        "PrimaryCountry": ("BE", "NL", "PT")[number % 3],
        "PreferredLang": "en-GB",
        "RegistrationDateTime": REGISTERED,
        "Groups": [CLASSES[number % len(CLASSES)]],
    }


def _administrators() -> list[Document]:
    owned = {101: ("scheduler", [410001, 420001]), 102: ("hr.training", [430001])}
    return [
        {"ID": number, "Name": name, "Email": f"{name}@example.org", "Groups": groups, "TestCenters": [71, 72]}
        for number, (name, groups) in owned.items()
    ]
