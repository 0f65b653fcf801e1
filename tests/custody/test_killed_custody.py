"""A worker that is killed at any step between the first look and the end leaves what the next one ends well."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from crash.kill import Step, in_a_process
from custody.pcs import MakePc, Pc, client_of, put_older, scores, sent, taken, two_copies
from fixtures.sandboxes import Hall
from gradeway.custody import files
from gradeway.custody.custody import Pass
from gradeway.custody.keep import Keeper
from sessions.exams import Clock
from vendors.profiles import DROPPED

CUSTODY = "gradeway.custody."
CLIENT = "gradeway.vendors.assessmentq:AssessmentQ.upload"
GRACE, DAY = 91, 86_400
SENDING = [
    *(
        Step(where, when, number)
        for where in (f"{CUSTODY}ledger:claim", CLIENT, f"{CUSTODY}ledger:ended")
        for when in ("before", "after")
        for number in (1, 2, 3)
    ),
    Step("gradeway.vendors.upload:FileBody._read", "before", 1),
    Step("gradeway.vendors.upload:FileBody._read", "before", 3),
    *(Step(f"{CUSTODY}ledger:reach", when) for when in ("before", "after")),
]
ASKING = [
    Step(where, when)
    for where in (f"{CUSTODY}ledger:_claim_again", f"{CUSTODY}ledger:send_again", CLIENT, f"{CUSTODY}ledger:ended")
    for when in ("before", "after")
]
STEPS = [
    *(
        Step(where, when)
        for where in ("gradeway.store.tenants:hold", f"{CUSTODY}files:look", f"{CUSTODY}ledger:note")
        for when in ("before", "after")
    ),
    *(Step(f"{CUSTODY}files:digest", "after", number) for number in (1, 2, 4)),
    *SENDING,
    *(
        Step(where, when, number)
        for where, numbers in (
            (f"{CUSTODY}keep:move", (1, 2)),
            ("pathlib:Path.rename", (1, 2, 3, 4)),  # each file gets a name of ours, and then its last one
            (f"{CUSTODY}ledger:kept", (1, 2)),
        )
        for when in ("before", "after")
        for number in numbers
    ),
]
PUTTING_BACK = [
    *(Step(where, when) for where in (f"{CUSTODY}ledger:ended", CLIENT) for when in ("before", "after")),
    *(
        Step(where, when)
        for where in (f"{CUSTODY}order:overtaken", f"{CUSTODY}ledger:send_again")
        for when in ("before", "after")
    ),
    *(Step(where, when, 2) for where in (f"{CUSTODY}ledger:ended", CLIENT) for when in ("before", "after")),
]
GIVING_BACK = [
    Step(where, when)
    for where in (f"{CUSTODY}keep:give_back", f"{CUSTODY}moving:os.link", "pathlib:Path.unlink")
    for when in ("before", "after")
]
ELSEWHERE = [
    *(Step(f"{CUSTODY}moving:shutil.copy2", when) for when in ("before", "halfway", "after")),
    *(Step("pathlib:Path.rename", when, 3) for when in ("before", "after")),  # the second is refused: another disk
    *(Step(where, when) for where in ("pathlib:Path.unlink", f"{CUSTODY}ledger:kept") for when in ("before", "after")),
]


def kill(pc: Pc, step: Step) -> bool:
    """Do a pass in a process that is killed at a step; returns whether it came to that step."""
    pc.store.engine.dispose()  # no connection may be shared with the fork

    def work() -> None:
        pc.client = client_of(pc.hall, **pc.changed)
        step.arm()
        pc.go_on()

    return in_a_process(work) == signal.SIGKILL


class Scene:
    """Two exams that have ended, and one that goes on."""

    def __init__(self, pc: Pc, sittings: Iterator[str]) -> None:
        self.pc, self.hall = pc, pc.hall
        self.ended = [pc.play(next(sittings), "start", "finish", place=f"{name}.aqr") for name in "ac"]
        self.begun = pc.play(next(sittings), "start", place="b.aqr")

    def check_nothing_is_early(self) -> None:
        """Nothing has its last name before the server has it."""
        for content in self.ended:
            if content not in [self.pc.path(name).read_bytes() for name in self.pc.names() if name.endswith(".aqr")]:
                assert taken(self.hall, content) == [1]
        assert self.begun in [self.pc.path(name).read_bytes() for name in self.pc.names()]

    def go_on(self, passing: Clock) -> None:
        """What the next workers do."""
        for _ in range(3):
            self.pc.go_on()
            self.check_nothing_is_early()
            passing.pass_by(GRACE)

    def check(self, *, times: int = 1) -> None:
        """All is where it should be, and was sent so often at most."""
        assert self.pc.states() == {"kept": 2, "sent": 1}
        assert max(sent(self.hall, *self.ended, self.begun)) <= times
        assert taken(self.hall, *self.ended) == [1, 1]


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_next_pass_ends_well(one_pc: Pc, sittings: Iterator[str], passing: Clock, step: Step) -> None:
    scene = Scene(one_pc, sittings)
    assert kill(one_pc, step)
    scene.check_nothing_is_early()
    scene.go_on(passing)
    scene.check()
    assert one_pc.names() == ["a.bak", "b.aqr", "c.bak"]
    assert sent(one_pc.hall, *scene.ended, scene.begun) == [1, 1, 1]


@pytest.mark.parametrize("is_occupied", [False, True])
@pytest.mark.parametrize("step", GIVING_BACK, ids=str)
def test_killed_while_it_gives_a_file_that_changed_its_name_back(
    one_pc: Pc, hall: Hall, sittings: Iterator[str], passing: Clock, step: Step, is_occupied: bool
) -> None:
    changed, new = (one_pc.play(next(sittings), "start", "finish") for _ in range(2))
    one_pc.play(next(sittings), "start", "finish")
    one_pc.note()
    one_pc.custody.send(one_pc.row(), Pass())
    one_pc.store.engine.dispose()

    def work() -> None:
        rename = Path.rename

        def meddle(source: Path, target: Path) -> None:
            rename(source, target)
            target.write_bytes(changed)
            if is_occupied:
                source.write_bytes(new)

        Path.rename = meddle  # type: ignore[method-assign, assignment]
        step.arm()
        one_pc.custody.put_away(Pass())

    assert in_a_process(work) == signal.SIGKILL
    for _ in range(5):
        one_pc.go_on()
        passing.pass_by(GRACE)
    wanted = [changed, new] if is_occupied else [changed]
    assert taken(hall, *wanted) == [1] * len(wanted)
    assert sorted(path.read_bytes() for path in one_pc.folder.iterdir()) == sorted(wanted)
    assert one_pc.states()["kept"] == len(wanted)


@pytest.mark.parametrize("step", SENDING, ids=str)
def test_on_postgresql(
    make_pc: MakePc, postgres_store: str, sittings: Iterator[str], passing: Clock, step: Step
) -> None:
    scene = Scene(pc := make_pc(postgres_store), sittings)
    assert kill(pc, step)
    scene.go_on(passing)
    scene.check()


@pytest.mark.parametrize("step", SENDING, ids=str)
def test_where_the_server_cannot_be_asked(
    make_pc: MakePc, sqlite_store: str, sittings: Iterator[str], passing: Clock, step: Step
) -> None:
    scene = Scene(pc := make_pc(sqlite_store, received_path=DROPPED), sittings)
    assert kill(pc, step)
    scene.go_on(passing)
    scene.check(times=2)


@pytest.mark.parametrize("step", ASKING, ids=str)
def test_killed_again_while_it_asks(one_pc: Pc, sittings: Iterator[str], passing: Clock, step: Step) -> None:
    scene = Scene(one_pc, sittings)
    assert kill(one_pc, Step(CLIENT, "before", 1))
    passing.pass_by(GRACE)
    assert kill(one_pc, step)
    scene.check_nothing_is_early()
    passing.pass_by(GRACE)
    scene.go_on(passing)
    scene.check()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("where", ["files:copy", "ledger:renew", "ledger:claim", "ledger:ended"])
def test_killed_while_it_sends_a_file_that_does_not_stand_still(
    one_pc: Pc, hall: Hall, sitting: str, passing: Clock, where: str, when: str
) -> None:
    one_pc.play(sitting, "start")
    one_pc.go_on()
    one_pc.store.engine.dispose()
    contents = [one_pc.play(sitting, "save", size=900)]

    def work() -> None:
        one_pc.client = client_of(hall)
        custody, before = one_pc.custody, files.look(one_pc.folder)
        for _ in range(2):
            contents.append(one_pc.write(contents[-1] + b" "))
            Step(f"{CUSTODY}{where}", when).arm()
            custody.go_on(before)
            passing.pass_by(60)

    assert in_a_process(work) == signal.SIGKILL
    ended = one_pc.play(sitting, "finish")
    for _ in range(3):
        passing.pass_by(GRACE)
        one_pc.go_on()
    assert (one_pc.names(), sent(hall, ended), taken(hall, ended)) == (["exam.bak"], [1], [1])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "where", ["gradeway.vendors.assessmentq:AssessmentQ.received", f"{CUSTODY}ledger:sittings_ended"]
)
def test_killed_while_it_learns_of_an_end(
    make_pc: MakePc, sqlite_store: str, hall: Hall, sitting: str, passing: Clock, where: str, when: str
) -> None:
    pc = make_pc(sqlite_store, keeper=Keeper.as_archive(Path(make_url(sqlite_store).database or "").parent / "archive"))
    begun = pc.play(sitting, "start")
    if where.endswith("ended"):
        pc.go_on()
        passing.pass_by(600)
    assert hall.upload(hall.play(sitting, "finish")).status_code == 201
    assert kill(pc, Step(where, when))
    for _ in range(3):
        passing.pass_by(600)
        pc.go_on()
    assert (pc.names(), pc.states(), sent(hall, begun)[0] <= 1) == ([], {"kept": 1}, True)


@pytest.mark.parametrize("step", PUTTING_BACK, ids=str)
def test_killed_while_it_puts_a_newer_copy_back(
    one_pc: Pc, hall: Hall, sitting: str, passing: Clock, step: Step
) -> None:
    older, newer = two_copies(hall, sitting)
    one_pc.write(newer, "a.aqr")
    one_pc.go_on()
    put_older(one_pc, older, "b.aqr")
    assert kill(one_pc, step)
    for _ in range(4):
        passing.pass_by(2 * GRACE)
        one_pc.go_on()
    assert (scores(hall, sitting), one_pc.states()) == ([9], {"sent": 2})
    assert sent(hall, older)[0] == 1
    assert sent(hall, newer)[0] <= 3


@pytest.mark.parametrize("step", ELSEWHERE, ids=str)
def test_killed_while_it_moves_a_file_to_another_disk(
    make_pc: MakePc, sqlite_store: str, sittings: Iterator[str], passing: Clock, step: Step, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    pc = make_pc(sqlite_store, keeper=Keeper.as_archive(archive))
    if pc.folder.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one disk here")
    scene = Scene(pc, sittings)
    assert kill(pc, step)
    scene.go_on(passing)
    scene.check()
    assert pc.names() == ["b.aqr"]
    assert sorted(path.read_bytes() for path in archive.glob("*/*")) == sorted(scene.ended)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("where", ["pathlib:Path.unlink", f"{CUSTODY}ledger:purged"])
def test_killed_while_it_lets_backups_go(
    one_pc: Pc, sittings: Iterator[str], passing: Clock, where: str, when: str
) -> None:
    scene = Scene(one_pc, sittings)
    one_pc.write(b"somebody's own", "own.bak")
    one_pc.go_on()
    passing.pass_by(15 * DAY)
    assert kill(one_pc, Step(where, when))
    one_pc.go_on()
    assert one_pc.names() == ["b.aqr", "own.bak"]
    scene.check()


def test_killed_again_and_again(one_pc: Pc, hall: Hall, sittings: Iterator[str], passing: Clock) -> None:
    scene = Scene(one_pc, sittings)
    for step in STEPS:
        kill(one_pc, step)
        scene.check_nothing_is_early()
        passing.pass_by(GRACE)
    scene.go_on(passing)
    scene.check()
    assert sent(hall, *scene.ended, scene.begun) == [1, 1, 1]
