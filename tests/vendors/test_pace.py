"""The pace of calls: no faster than we allow, no more than the quota has, and nearly all of what it has."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gradeway import clock
from gradeway.errors import BudgetSpentError, VendorAwayError
from gradeway.vendors.ending import End
from gradeway.vendors.pace import DAY, Manners, Pace
from vendors.quotas import START, Bucket, Service, Time, Window, work

MakePace = Callable[..., Pace]
GOOD = End(200)


class Silent:
    """A service that tells nothing of its quota."""

    def answer(self, _time: float) -> End:
        return GOOD


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(clock, "now", made.now)
    return made


@pytest.fixture
def make(time: Time) -> MakePace:
    """Make a pace of so many calls a second."""

    def made(ceiling: float = 5, **options: Any) -> Pace:  # noqa: ANN401
        return Pace(Manners(interval=1 / ceiling), **options)

    return made


def left(remaining: int, limit: int = 10_000, status: int = 200, **headers: str) -> End:
    told = {"X-Rate-Limit-Limit": str(limit), "X-Rate-Limit-Remaining": str(remaining)}
    return End(status, told | {name.replace("_", "-"): value for name, value in headers.items()})


def start(pace: Pace, time: Time, **options: bool) -> int:
    """Start a call that need not wait."""
    turn = pace.ask("a call", time.time, **options)
    assert turn.wait == 0
    return turn.ticket


def tell(pace: Pace, time: Time, end: End) -> None:
    """Make a call that ends so, and let its interval pass."""
    pace.told(start(pace, time, urgent=True), end, time.time)
    time.time += 0.2


# --- the ceiling


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize(
    "service", [Silent, lambda: Bucket(1000, 50), lambda: Window(100_000, 3600)], ids=["silent", "bucket", "window"]
)
def test_all_threads_together_keep_to_the_ceiling_and_reach_it(
    time: Time, make: MakePace, service: Callable[[], Service], threads: int
) -> None:
    run = work(time, make(5), service(), 600, threads=threads)
    assert run.shortest == pytest.approx(0.2)
    assert run.made == pytest.approx(3000, abs=threads)


def test_after_a_rest_there_is_no_burst(time: Time, make: MakePace) -> None:
    pace = make(5)
    start(pace, time)
    time.time += 60
    start(pace, time)
    assert pace.ask("a call", time.time).wait == pytest.approx(0.2)


def test_the_calls_that_were_started_are_counted(time: Time, make: MakePace) -> None:
    pace = make(5, used_today=700)
    assert pace.calls == 0
    run = work(time, pace, Silent(), 10, threads=3)
    assert pace.calls == len(run.started) > 40


def test_no_two_threads_get_the_same_turn() -> None:
    pace, together = Pace(Manners(interval=0)), threading.Barrier(8)

    def ask(_number: int) -> list[int]:
        together.wait(30)
        return [pace.ask("a call", 0).ticket for _ in range(500)]

    with ThreadPoolExecutor(8) as pool:
        tickets = [ticket for each in pool.map(ask, range(8)) for ticket in each]
    assert sorted(tickets) == list(range(1, 4001))
    assert pace.calls == 4000


# --- a bucket that refills

BUCKETS = [(20, 50, 100), (20, 5, 20), (20, 0.1, 5), (5, 2, 20), (100, 1, 5), (1000, 10, 20), (300, 50, 5)]


@pytest.mark.parametrize("latency", [0, 0.1, 0.4])
@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize(("limit", "refill", "ceiling"), BUCKETS)
def test_a_bucket_is_used_to_what_it_gives_back(
    time: Time, make: MakePace, limit: int, refill: float, ceiling: float, threads: int, latency: float
) -> None:
    seconds = 40 * limit / refill + 300
    run = work(time, make(ceiling), Bucket(limit, refill), seconds, threads=threads, latency=latency)
    allowed = min(limit + refill * seconds, ceiling * seconds, threads / latency * seconds if latency else 10**9)
    assert run.made > 0.95 * allowed
    assert run.put_off <= 0.01 * run.made
    assert run.stops == []


@pytest.mark.parametrize(("limit", "refill", "ceiling"), BUCKETS)
def test_answers_that_overtake_one_another_do_no_harm(
    time: Time, make: MakePace, limit: int, refill: float, ceiling: float
) -> None:
    seconds = 40 * limit / refill + 300
    run = work(time, make(ceiling), Bucket(limit, refill), seconds, threads=8, latency=0.2, jitter=0.9)
    assert run.made > 0.95 * min(limit + refill * seconds, ceiling * seconds, 8 / 0.2 * seconds)
    assert run.put_off <= 0.01 * run.made


def test_what_others_use_is_left_to_them(time: Time, make: MakePace) -> None:
    run = work(time, make(20), Bucket(1000, 10, others=6), 4000, threads=4)
    assert run.made > 0.95 * (1000 + 4 * 4000)
    assert run.put_off <= 0.01 * run.made


def test_a_service_that_becomes_slower_is_followed(time: Time, make: MakePace) -> None:
    pace, bucket = make(20), Bucket(100, 10)
    work(time, pace, bucket, 600, threads=4)
    bucket.refill = 1
    run = work(time, pace, bucket, 3000, threads=4)
    assert run.made > 0.95 * 3000
    assert run.put_off <= 0.01 * run.made


def test_a_rest_does_not_make_a_bucket_look_slow(time: Time, make: MakePace) -> None:
    pace, bucket = make(20), Bucket(20, 0.5)
    work(time, pace, bucket, 60, threads=4)
    time.time += 3600
    run = work(time, pace, bucket, 600, threads=4)
    assert run.made > 0.95 * 320
    assert run.put_off == 0


def test_a_bucket_that_gives_back_too_slowly_to_wait_for_is_told(time: Time, make: MakePace) -> None:
    run = work(time, make(5), Bucket(20, 0.001), 36_000)
    assert run.made >= 18
    assert run.put_off <= 1
    (stop,) = run.stops
    assert stop.transient
    assert stop.wait is not None
    assert stop.wait > 120


# --- a day's budget


@pytest.mark.parametrize("threads", [1, 8])
def test_the_reserve_of_a_day_is_left(time: Time, make: MakePace, threads: int) -> None:
    bucket = Bucket(10_000, 10_000 / DAY)
    run = work(time, make(5, reserve=500), bucket, 3 * 3600, threads=threads)
    assert len(run.stops) == threads
    assert 9500 < run.made < 9800
    assert bucket.level == pytest.approx(500, abs=1)


def test_who_resumes_when_told_gets_nearly_all(time: Time, make: MakePace) -> None:
    run = work(time, make(5, reserve=500), Bucket(10_000, 10_000 / DAY), 3 * DAY, threads=4, resume=True)
    assert run.made > 0.95 * 40_000
    assert run.put_off == 0


def test_a_day_that_gives_back_enough_is_waited_for(time: Time, make: MakePace) -> None:
    bucket = Bucket(100_000, 100_000 / DAY)
    run = work(time, make(5, reserve=500), bucket, 2 * DAY, threads=2)
    assert run.stops == []
    assert run.made > 0.95 * 300_000
    assert bucket.level >= 500


def test_a_quota_that_is_seen_to_come_back_at_once_is_waited_for(time: Time, make: MakePace) -> None:
    bucket = Bucket(1000, 10)
    run = work(time, make(100, reserve=100), bucket, 3600, threads=4, latency=0.05)
    assert run.stops == []
    assert run.made > 0.95 * 37_000
    assert bucket.level >= 100


@pytest.mark.parametrize(("remaining", "may"), [(501, True), (500, False), (499, False), (0, False)])
def test_at_the_reserve_nothing_more_is_sent(time: Time, make: MakePace, remaining: int, may: bool) -> None:
    pace = make(reserve=500)
    tell(pace, time, left(remaining))
    if may:
        start(pace, time)
        return
    with pytest.raises(BudgetSpentError, match=rf"^a call: not sent: {remaining} of our 10000 calls") as caught:
        pace.ask("a call", time.time)
    # Until then a twentieth of the limit has come back, as it does in 24 hours / 20.
    lack = (501 - remaining) * DAY / 10_000
    assert caught.value.wait == pytest.approx(DAY / 20 + lack, abs=1)
    assert caught.value.resume_at == clock.now() + timedelta(seconds=caught.value.wait)
    assert pace.calls == 1


def test_calls_that_are_under_way_count(time: Time, make: MakePace) -> None:
    pace = make(reserve=500)
    tell(pace, time, left(503))
    for _ in range(3):
        start(pace, time)
        time.time += 0.2
    with pytest.raises(BudgetSpentError):
        pace.ask("a call", time.time)


def test_what_is_urgent_may_use_the_reserve(time: Time, make: MakePace) -> None:
    pace = make(reserve=500)
    tell(pace, time, left(500))
    start(pace, time, urgent=True)


def test_what_is_urgent_waits_for_the_next_call_when_there_is_none(time: Time, make: MakePace) -> None:
    pace = make(reserve=500)
    tell(pace, time, left(0))
    assert pace.ask("a call", time.time, urgent=True).wait == pytest.approx(8.44)


def test_an_older_answer_does_not_count(time: Time, make: MakePace) -> None:
    pace = make(reserve=500)
    first = start(pace, time)
    time.time += 0.2
    second = start(pace, time)
    time.time += 0.2
    pace.told(second, left(500), time.time)
    pace.told(first, left(600), time.time)
    with pytest.raises(BudgetSpentError):
        pace.ask("a call", time.time)


@pytest.mark.parametrize("limit", [20, 999])
def test_a_reserve_is_nothing_to_a_quota_that_it_would_eat_up(time: Time, make: MakePace, limit: int) -> None:
    run = work(time, make(100, reserve=500), Bucket(limit, 2), 1800, threads=4, latency=0.05)
    assert run.made > 0.95 * (limit + 3600)
    assert run.stops == []


# --- a service that tells nothing


def test_a_service_that_tells_nothing_is_counted(time: Time, make: MakePace) -> None:
    pace = make(100, daily_calls=1000, reserve=100, used_today=300)
    run = work(time, pace, Silent(), 3600, threads=3)
    assert 600 <= run.made < 603
    assert [vars(error)["resume_at"] for error in run.stops] == [datetime(2026, 9, 22, tzinfo=UTC)] * 3
    assert "not sent: 900 of 1000 calls a day are used, and 100 are kept back" in str(run.stops[0])
    start(pace, time, urgent=True)


def test_our_own_count_begins_anew_with_each_day(time: Time, make: MakePace) -> None:
    pace = make(100, daily_calls=1000, reserve=100, used_today=700)
    assert work(time, pace, Silent(), 3600).made == 200
    time.time += DAY
    assert work(time, pace, Silent(), 3600).made == 900


@pytest.mark.parametrize("limit", [10_000, 150])  # the smaller one has no place for the reserve
def test_more_than_we_allow_ourselves_is_not_used_though_the_service_has_more(
    time: Time, make: MakePace, limit: int
) -> None:
    pace = make(daily_calls=1000, reserve=100, used_today=898)
    for _ in range(2):
        tell(pace, time, left(limit - 1, limit))
    with pytest.raises(BudgetSpentError, match="not sent: 900 of 1000 calls a day are used, and 100 are kept back"):
        pace.ask("a call", time.time)
    assert work(time, pace, Bucket(limit, 10), 3600).made == 0
    start(pace, time, urgent=True)


def test_what_the_service_has_is_not_exceeded_though_we_allow_ourselves_more(time: Time, make: MakePace) -> None:
    pace = make(daily_calls=100_000, reserve=100, used_today=0)
    tell(pace, time, left(100))
    with pytest.raises(BudgetSpentError, match="not sent: 100 of our 10000 calls are left"):
        pace.ask("a call", time.time)


def test_without_a_budget_nothing_is_counted(time: Time, make: MakePace) -> None:
    assert work(time, make(100), Silent(), 600).stops == []


# --- a window, as it was before


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize(("limit", "length", "ceiling"), [(100, 60, 5), (1000, 60, 5), (50, 60, 20), (2000, 600, 5)])
def test_a_window_is_used_and_the_next_one_waited_for(
    time: Time, make: MakePace, limit: int, length: int, ceiling: float, threads: int
) -> None:
    manners = Manners(interval=1 / ceiling, longest_wait=3600)
    run = work(time, Pace(manners), Window(limit, length), 20 * length, threads=threads)
    assert run.made > 0.95 * min(20 * limit, 20 * length * ceiling)
    assert run.put_off <= 0.01 * run.made
    assert run.stops == []


@pytest.mark.parametrize(("reserve", "most"), [(0, 10_000), (500, 9500)])
def test_a_day_that_begins_later_than_we_wait_is_left_for_then(
    time: Time, make: MakePace, reserve: int, most: int
) -> None:
    run = work(time, make(5, reserve=reserve), Window(10_000, int(DAY)), DAY, threads=4)
    assert (run.made, run.put_off, len(run.stops)) == (most, 0, 4)
    assert {vars(error)["resume_at"].timestamp() for error in run.stops} == {START + DAY + 1}


def test_a_new_day_is_used(time: Time, make: MakePace) -> None:
    run = work(time, make(5, reserve=500), Window(10_000, int(DAY)), 3 * DAY, threads=4, resume=True)
    assert run.made == 3 * 9500


# --- put off


@pytest.mark.parametrize(
    "end",
    [
        End(429, {"Retry-After": "30"}),
        End(503, {"Retry-After": "30"}),
        left(0, status=429, X_Rate_Limit_Reset=str(START + 29)),
        End(429, {"X-Rate-Limit-Reset": str(START + 29)}),
    ],
)
def test_who_is_put_off_speaks_for_all(time: Time, make: MakePace, end: End) -> None:
    pace = make(100)
    pace.told(start(pace, time), end, time.time)
    assert pace.ask("another", time.time).wait == pytest.approx(30)
    time.time += 30
    assert pace.ask("another", time.time).wait == 0


def test_a_call_that_waits_already_waits_for_that_too(time: Time, make: MakePace) -> None:
    pace = make(5)
    first = start(pace, time)
    assert pace.ask("another", time.time).wait == pytest.approx(0.2)
    time.time += 0.1
    pace.told(first, End(429, {"Retry-After": "30"}), time.time)
    time.time += 0.1
    assert pace.ask("another", time.time).wait == pytest.approx(29.9)


def test_nobody_waits_longer_than_we_wait(time: Time, make: MakePace) -> None:
    pace = make()
    pace.told(start(pace, time), End(503, {"Retry-After": "3600"}), time.time)
    time.time += 600
    with pytest.raises(VendorAwayError, match=r"^another: not sent: .* left alone for 3000 s more") as caught:
        pace.ask("another", time.time, urgent=True)
    assert caught.value.wait == pytest.approx(3000)
    assert pace.calls == 1


@pytest.mark.parametrize(
    "headers", [{}, {"X-Rate-Limit-Reset": str(START - 60)}, {"X-Rate-Limit-Reset": "soon"}, {"Retry-After": "-5"}]
)
def test_who_is_put_off_without_a_time_speaks_for_itself(time: Time, make: MakePace, headers: dict[str, str]) -> None:
    pace = make()
    pace.told(start(pace, time), End(429, headers), time.time)
    time.time += 0.2
    assert pace.ask("another", time.time).wait == 0


@pytest.mark.parametrize("limit", ["0", "1", "-5", "10.5", "many", "9" * 400, ""])
@pytest.mark.parametrize("remaining", ["0", "1", "-5", "many", "9" * 400, ""])
def test_no_header_stops_us_for_ever(time: Time, make: MakePace, limit: str, remaining: str) -> None:
    pace = make()
    for _ in range(20):
        pace.told(
            start(pace, time), End(200, {"X-Rate-Limit-Limit": limit, "X-Rate-Limit-Remaining": remaining}), time.time
        )
        time.time += min(120, max(0.2, pace.ask("a call", time.time).wait) + 0.001)
