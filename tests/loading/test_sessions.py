"""Sessions, groups and members in the store: what is absent keeps, what is blank clears, what is named replaces."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gradeway import clock
from gradeway.store.exams import Attempt, ExamSession, SessionGroup, SessionMember, SessionSchedule
from gradeway.store.models import Batch
from loading.world import World

WAITING = "session_waitingPageDate"
HEADER = (
    "session_deliveryId,group_name,session_name,session_timezone,session_startDate,session_endDate,"
    "session_submissionDate,session_waitingPageDate,session_securitySettings,session_reviewSettings,"
    "session_testRunnerAccessibilityPlugins,session_testRunnerSessionPlugins,session_reportSettings,session_readAloud"
)
FULL = (
    "D1,Group B,Biology,Europe/Brussels,2031-01-10T08:00:00Z,2031-01-10T11:00:00,,,"
    '"requireFullscreen,preventScreenshot",enableTTReview,"zoom,font",print,studentReport,always-enabled'
)


def send(world: World, header: str, *rows: str, name: str = "sessions.csv") -> Batch:
    path = world.zone.inbox("sessions") / name
    path.write_text("".join(f"{line}\n" for line in (header, *rows)), encoding="utf-8")
    assert world.sweep().failed == []
    return world.batches()[-1]


def found(world: World, name: str = "Biology") -> ExamSession:
    with world.intake.store.session() as session:
        record = session.scalars(select(ExamSession).where(ExamSession.name == name)).one()
        session.expunge_all()
    return record


def group(world: World, name: str) -> SessionGroup:
    with world.intake.store.session() as session:
        record = session.scalars(select(SessionGroup).where(SessionGroup.name == name)).one()
        session.expunge_all()
    return record


def utc(hour: int) -> datetime:
    return datetime(2031, 1, 10, hour, tzinfo=UTC)


def test_a_row_makes_a_session_and_its_group(world: World) -> None:
    batch = send(world, HEADER, FULL)
    assert (batch.feed, batch.state, batch.created, batch.balanced) == ("sessions", "loaded", 1, True)
    session = found(world)
    assert (session.delivery, session.start_at, session.end_at) == ("D1", utc(8), utc(10))  # the end is local time
    assert (session.security, session.accessibility) == (["requireFullscreen", "preventScreenshot"], ["zoom", "font"])
    assert (session.submission_at, session.read_aloud) == (None, "always-enabled")
    assert group(world, "Group B").active


def test_an_absent_column_keeps(world: World) -> None:
    send(world, HEADER, FULL)
    batch = send(world, "session_deliveryId,session_name,session_endDate", "D1,Biology,2031-01-10T12:00:00Z")
    session = found(world)
    assert (batch.updated, session.end_at, session.start_at) == (1, utc(12), utc(8))
    assert session.security == ["requireFullscreen", "preventScreenshot"]


def test_a_blank_cell_removes(world: World) -> None:
    send(world, HEADER, FULL)
    header = "session_deliveryId,session_name,session_startDate,session_securitySettings,session_readAloud"
    batch = send(world, header, "D1,Biology,,,")
    session = found(world)
    assert (batch.updated, session.start_at, session.security, session.read_aloud) == (1, None, [], "")
    assert session.end_at == utc(10)


@pytest.mark.parametrize("blank", ["D1,,Biology", ",Group B,Biology", "D1,Group B,"])
def test_a_blank_cell_is_an_error_where_a_value_must_be(world: World, blank: str) -> None:
    send(world, HEADER, FULL)
    batch = send(world, "session_deliveryId,group_name,session_name", blank)
    assert (batch.rejected, batch.balanced) == (1, True)
    assert (found(world).delivery, group(world, "Group B").name) == ("D1", "Group B")


def test_the_same_rows_change_nothing(world: World) -> None:
    send(world, HEADER, FULL)
    batch = send(world, HEADER, FULL, "", name="again.csv")
    assert (batch.created, batch.updated, batch.unchanged) == (0, 0, 1)


def test_only_fields_that_a_file_named_are_given(world: World) -> None:
    send(world, "session_deliveryId,group_name,session_name", "D1,Group B,Biology")
    assert set(found(world).given) == {"delivery", "battery"}
    send(world, "session_deliveryId,session_name,session_startDate", "D1,Biology,")
    assert set(found(world).given) == {"delivery", "battery", "start_at"}  # blank is a word too


def test_the_group_of_a_session_cannot_change(world: World) -> None:
    send(world, HEADER, FULL)
    batch = send(world, "session_deliveryId,group_name,session_name", "D1,Group C,Biology")
    assert world.codes(batch.id) == [(2, "GROUP_FIXED")]
    with world.intake.store.session() as session:
        assert list(session.scalars(select(SessionGroup.name))) == ["Group B"]


def test_a_new_session_needs_a_group(world: World) -> None:
    batch = send(world, "session_deliveryId,session_name", "D1,Biology")
    assert world.codes(batch.id) == [(2, "GROUP_MISSING")]


def test_the_delivery_can_change_until_somebody_began(world: World) -> None:
    send(world, HEADER, FULL)
    header = "session_deliveryId,session_name"
    assert send(world, header, "D2,Biology").updated == 1
    with world.intake.store.writing() as session:
        taken: dict[str, Any] = {"session_id": found(world).id, "told": {}, "synced_at": clock.now()}
        session.add(SessionSchedule(schedule_id=7, **taken))
        session.add(Attempt(system="questionmark", attempt="1", schedule_id=7, participant="9", seen_at=clock.now()))
    batch = send(world, header, "D3,Biology")
    assert world.codes(batch.id) == [(2, "DELIVERY_FIXED")]
    assert found(world).delivery == "D2"
    assert send(world, f"{header},session_readAloud", "D2,Biology,content-based").updated == 1


def test_a_battery_takes_the_place_of_a_delivery(world: World) -> None:
    send(world, HEADER, FULL)
    send(world, "session_batteryId,session_name", "B7,Biology")
    assert (found(world).battery, found(world).delivery) == ("B7", "")


@pytest.mark.parametrize(
    ("column", "date", "code"),
    [
        ("session_endDate", "2031-01-10T07:00:00Z", "DATE_ORDER"),
        ("session_startDate", "2031-01-10T10:30:00Z", "DATE_ORDER"),
    ],
)
def test_the_dates_that_are_there_count_too(world: World, column: str, date: str, code: str) -> None:
    send(world, HEADER, FULL)
    batch = send(world, f"session_deliveryId,session_name,{column}", f"D1,Biology,{date}")
    assert world.codes(batch.id) == [(2, code)]


def test_a_date_without_a_zone_is_that_of_the_session(world: World) -> None:
    send(world, HEADER, FULL)
    send(world, "session_deliveryId,session_name,session_startDate", "D1,Biology,2031-01-10T08:00:00")
    assert found(world).start_at == utc(7)
    batch = send(world, "session_deliveryId,session_name,session_startDate", "D1,Biology,2031-03-30T02:30:00")
    assert (2, "DATE_SKIPPED") in world.codes(batch.id)


def test_new_groups_come_with_their_sessions(world: World) -> None:
    header = "session_deliveryId,group_name,group_description,group_active,session_name,group_organizationId"
    send(world, header, "D1,Group C,Grade 10,TRUE,Mathematics,root", "D2,Group C,Grade 10,TRUE,Statistics,root")
    made = group(world, "Group C")
    assert (made.description, made.active, made.organization) == ("Grade 10", True, "root")
    send(world, "group_name,group_active", "Group C,FALSE", name="groups.csv")
    assert (group(world, "Group C").active, group(world, "Group C").description) == (False, "Grade 10")


def test_groups_land_before_sessions_whatever_their_names(world: World) -> None:
    for name, lines in {
        "a.csv": "session_deliveryId,group_name,session_name\nD1,G,S\n",
        "b.csv": "user_username,group_name,group_role\na.hurst,G,TEST_TAKER\na.hurst,G,GRADER\n",
        "c.csv": "group_name,group_description\nG,first\n",
    }.items():
        (world.zone.inbox("sessions") / name).write_text(lines)
    world.sweep()
    assert {batch.feed: (batch.created, batch.unchanged) for batch in world.batches()} == {
        "groups": (1, 0),
        "members": (2, 0),
        "sessions": (1, 0),
    }
    with world.intake.store.session() as session:
        links = session.execute(select(SessionMember.username, SessionMember.role).order_by(SessionMember.role))
        assert [tuple(link) for link in links] == [("a.hurst", "GRADER"), ("a.hurst", "TEST_TAKER")]


def test_a_replay_is_the_newest_word(world: World) -> None:
    batch = send(world, HEADER, FULL)
    send(world, "session_deliveryId,session_name,session_readAloud", "D1,Biology,content-based")
    world.intake.replay(batch.id)
    world.sweep()
    assert found(world).read_aloud == "always-enabled"


def test_every_change_of_a_session_is_remembered(world: World) -> None:
    send(world, HEADER, FULL)
    batch = send(world, "session_deliveryId,session_name,session_readAloud", "D1,Biology,")
    changes = [row for row in world.dump()["change"] if "exam_session" in row]
    assert len(changes) == 2
    assert batch.id in changes[1]


def test_a_reject_file_heals(world: World) -> None:
    batch = send(
        world, "session_deliveryId,group_name,session_name,session_securitySettings", 'D1,G,S,"TRUE"', "D2,G,T,"
    )
    (path,) = world.intake.report_folder(batch).glob("rejects-*.csv")
    content = path.read_text(encoding="utf-8")
    assert content.splitlines()[0].endswith("session_deliveryId,group_name,session_name,session_securitySettings")
    healed = world.zone.inbox("sessions") / path.name
    healed.write_text(content.replace('"TRUE"', "requireFullscreen"), encoding="utf-8")
    world.sweep()
    assert world.batches()[-1].created == 1
    assert found(world, "S").security == ["requireFullscreen"]


def test_a_password_that_came_along_is_in_no_reject_file(world: World) -> None:
    header = "user_username,user_password,group_role,group_name"
    batch = send(world, header, "a,Secret-1,TEST_TAKER,", "b,Secret-2,TEST_TAKER,G,and more", "c,Secret-3,TEST_TAKER,G")
    assert (batch.created, batch.rejected) == (1, 2)
    (path,) = world.intake.report_folder(batch).glob("rejects-*.csv")
    assert "Secret" not in path.read_text()
    path.rename(world.zone.inbox("sessions") / "healed.csv")
    healed = (world.zone.inbox("sessions") / "healed.csv").read_text()
    assert healed.splitlines()[1].endswith("a,,TEST_TAKER,")
    assert (world.zone.root / batch.place).stat().st_mode & 0o777 == 0o600, "they are still in the archive"


def test_a_template_that_names_a_column_twice_can_be_borne_with_and_its_rejects_heal(tmp_path: Path) -> None:
    world = World(tmp_path, f"sqlite:///{tmp_path}/store.db", lenient_header=True)
    header = f"session_deliveryId,group_name,session_name,{WAITING},session_reviewSettings,{WAITING},session_readAloud"
    day = "2026-05-04T07:00:00Z"
    batch = send(world, header, f"D1,G,S,{day},,content-based", f"D2,G,T,{day},,{day},no", f"D3,G,U,{day},,no")
    assert (batch.created, batch.rejected) == (1, 2)
    (path,) = world.intake.report_folder(batch).glob("rejects-*.csv")
    healed = path.read_text(encoding="utf-8").replace(",no", ",always-enabled")
    (world.zone.inbox("sessions") / path.name).write_text(healed, encoding="utf-8")
    world.sweep()
    assert world.batches()[-1].created == 2
    assert {found(world, name).waiting_at for name in "STU"} == {datetime(2026, 5, 4, 7, tzinfo=UTC)}
    world.intake.store.engine.dispose()
