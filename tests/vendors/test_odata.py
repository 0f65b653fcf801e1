"""Values, filters and entities of OData."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeway.errors import VendorAnswerError
from gradeway.vendors.delivery import (
    ActionableSchedule,
    Assessment,
    Attempt,
    Participant,
    Result,
    Schedule,
    TestCenter,
    told_names,
)
from gradeway.vendors.odata import Clause, Entity, instant, int64, literal, next_link, rows, wire

AT = datetime(2017, 11, 23, 17, 12, 22, tzinfo=UTC)


@pytest.mark.parametrize("value", ["92761000092761", 4711, "0", "-1", str(2**63 - 1)])
def test_int64_is_canonical_text(value: object) -> None:
    assert int64(value) == str(value)


@pytest.mark.parametrize("value", ["0092761000092761", "", "1.0", "1L", " 1", "1\n", "٣", str(2**63), True, None, 2.0])
def test_what_is_no_int64_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        int64(value)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2017-11-23T17:12:22Z", 0),
        ("2017-11-23T17:12:22.5Z", 500000),
        ("2017-11-23T17:12:22.58Z", 580000),
        ("2017-11-23T17:12:22.589Z", 589000),
        ("2017-11-23T17:12:22.5894Z", 589400),
        ("2017-11-23T17:12:22.58946Z", 589460),
        ("2017-11-23T17:12:22.589468Z", 589468),
        ("2017-11-23T17:12:22.5894683Z", 589468),
        ("2017-11-23T17:12:22.9999999Z", 999999),
        ("2017-11-23T18:12:22.5+01:00", 500000),
        ("2017-11-23T17:12:22", 0),
    ],
)
def test_a_time_takes_any_fraction(text: str, microsecond: int) -> None:
    assert instant(text) == AT.replace(microsecond=microsecond)


def test_a_time_without_a_zone_is_in_the_one_given() -> None:
    assert instant("2017-08-21T13:48:20.123", ZoneInfo("Europe/London")).hour == 12
    assert instant("2017-08-21T13:48:20.123Z", ZoneInfo("Europe/London")).hour == 13


@pytest.mark.parametrize(
    "text", ["", "2017-11-23", "2017-13-23T17:12:22Z", "2017-11-23T17:12:22.12345678Z", "/Date(1)/", 5, None]
)
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        instant(text)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14, 14))
def test_times_survive_the_wire(time: datetime, hours: int) -> None:
    if not datetime(2, 1, 1, tzinfo=UTC) < time < datetime(9998, 1, 1, tzinfo=UTC):
        return
    assert instant(wire(time.astimezone(timezone(timedelta(hours=hours))))) == time


def test_a_time_without_a_zone_is_not_sent() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        wire(AT.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ("92761000092761", "Edm.Int64", "92761000092761L"),
        (5, "Edm.Int32", "5"),
        ("O'Brien' or 1 eq 1", "Edm.String", "'O''Brien'' or 1 eq 1'"),
        (AT, "Edm.DateTime", "datetime'2017-11-23T17:12:22'"),
        (AT.astimezone(timezone(timedelta(hours=2))), "Edm.DateTime", "datetime'2017-11-23T17:12:22'"),
    ],
)
def test_filter_literals(value: object, kind: str, text: str) -> None:
    assert literal(value, kind) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [("5", "Edm.Int32"), (True, "Edm.Int32"), (5, "Edm.String"), ("now", "Edm.DateTime"), ("a", "Edm.Int64")],
)
def test_a_literal_must_fit_its_type(value: object, kind: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        literal(value, kind)


def test_a_filter_joins_its_clauses() -> None:
    assert Schedule.where((("GroupID", "eq", 5), ("StartFrom", "ge", AT))) == {
        "$filter": "GroupID eq 5 and StartFrom ge datetime'2017-11-23T17:12:22'"
    }
    assert Schedule.where(()) == {}


@pytest.mark.parametrize(
    ("kind", "clause"),
    [
        (Schedule, ("ExternalID", "eq", "x")),
        (Schedule, ("Name", "eq", "x")),
        (Schedule, ("AssessmentID", "eq", "1")),
        (Schedule, ("GroupID", "has", 1)),
        (Schedule, ("groupid", "eq", 1)),
        (Attempt, ("ParticipantID", "eq", 1)),
        (Participant, ("LastName", "eq", "x")),
        (Assessment, ("Author", "eq", "x")),
    ],
)
def test_a_filter_that_is_not_documented_is_refused(kind: type[Entity], clause: Clause) -> None:
    with pytest.raises(ValueError, match=f"{kind.FEED} cannot be filtered by {clause[0]}"):
        kind.where((clause,))


RESULT = {"ID": 1, "AssessmentID": "2", "WhenStarted": "2017-08-21T13:48:20.123", "TotalScore": 3, "Unheard": {}}
ATTEMPT = {
    "ID": 7,
    "ParticipantID": 8,
    "AssessmentID": "2",
    "LastModifiedDateTime": "2017-08-21T12:48:20.157Z",
    "Result": RESULT,
}


def test_an_entity_is_typed() -> None:
    attempt = Attempt.read(ATTEMPT | {"ExternalAttemptID": "null"}, ZoneInfo("Europe/London"))
    assert attempt.result is not None
    assert attempt.result.when_started == datetime(2017, 8, 21, 12, 48, 20, 123000, tzinfo=UTC)
    assert attempt.last_modified_date_time == datetime(2017, 8, 21, 12, 48, 20, 157000, tzinfo=UTC)
    assert attempt.result.total_score == Decimal(3)
    assert attempt.external_attempt_id is None
    assert attempt["AssessmentID"] == attempt.assessment_id == "2"
    assert Attempt.read(ATTEMPT | {"Result": None}).result is None


def test_an_entity_shows_nothing_but_its_key() -> None:
    row = {"ScheduleID": 1, "ParticipantID": 2, "Hidden": False, "ParticipantName": "Zebra", "Actions": ["start"]}
    assert repr(ActionableSchedule.read(row)) == "ActionableSchedule()"
    assert repr(Participant.read({"ID": 5, "Name": "Zebra"})) == "Participant(5)"
    assert str([Attempt.read(ATTEMPT)]) == "[Attempt(7)]"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ID": None},
        {"ID": "7"},
        {"ID": True},
        {"AssessmentID": "Zebra"},
        {"AssessmentID": 1.5},
        {"LastModifiedDateTime": "Zebra"},
        {"Disabled": "Zebra"},
        {"ExternalAttemptID": 5},
        {"Result": "Zebra"},
        {"Result": RESULT | {"TotalScore": "Zebra"}},
    ],
)
def test_an_answer_of_another_type_is_told_by_its_property(wrong: dict[str, object]) -> None:
    with pytest.raises(VendorAnswerError) as caught:
        Attempt.read(ATTEMPT | wrong)
    assert "Zebra" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("row", [None, [], "x", {"Actions": "start"}])
def test_what_is_no_entity_is_refused(row: object) -> None:
    with pytest.raises(VendorAnswerError):
        ActionableSchedule.read(row)


@pytest.mark.parametrize(
    ("changed", "hours"),
    [
        ("2017-08-21T12:48:20.157Z", 1),
        ("2017-08-21T13:48:21Z", 0),
        ("2017-08-21T19:18:20Z", 0),
        ("2017-08-21T18:48:20Z", -5),
        ("2017-08-25T13:48:20Z", 0),
        (None, 0),
    ],
)
def test_a_wrong_zone_shows_in_whole_hours(changed: str | None, hours: int) -> None:
    assert Attempt.read(ATTEMPT | {"LastModifiedDateTime": changed}).hours_off == hours


def test_answers_hold_lists_in_either_place() -> None:
    assert rows({"value": [1]}) == [1]
    assert rows({"ID": 1, "Attempts": [2]}, "Attempts") == [2]
    assert rows({"ID": 1}, "Attempts") is None
    assert rows([1]) is None
    assert next_link({"odata.nextLink": "a"}) == "a"
    assert next_link({"@odata.nextLink": "b"}) == "b"
    assert next_link({"Attempts@odata.nextLink": "c"}, "Attempts") == "c"
    assert next_link({"odata.nextLink": "a"}, "Attempts") is None


def test_names_that_may_be_told_are_the_services_own() -> None:
    assert {"Schedules", "MonitoringTypeID", "ReportedResult", "Participant", "Edm.Int64"} <= told_names()


def test_a_test_center_is_read() -> None:
    assert TestCenter.read({"ID": 1, "Label": "A", "Active": True}).active is True
    assert Result.read(RESULT).percentage_score is None
