"""What is due, without waiting for it."""

from __future__ import annotations

import pytest

from hachecks.agent.check import EARLY, JITTER
from hachecks.agent.run import Run
from hachecks.agent.scheduler import Scheduler
from hachecks.verdict import Verdict
from tests.agent.probes import check

PASSING, FAILING = Verdict.passing("yes"), Verdict.failing("no")


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_is_due_first_comes_first_and_nothing_before_its_time() -> None:
    scheduler = Scheduler(Clock())
    late, soon = check("late"), check("soon")
    scheduler.put(late, 1010.0)
    scheduler.put(soon, 1005.0)
    assert scheduler.due_by(1004.7) is None
    assert scheduler.due_by(1005.0) is soon
    assert scheduler.due_by(1009.7) is None
    assert scheduler.due_by(1010.0) is late
    assert scheduler.due_by(2000.0) is None


def test_a_check_is_taken_a_little_early() -> None:
    scheduler, one = Scheduler(Clock()), check(interval=0.2)
    scheduler.put(one, 1005.0)
    assert scheduler.due_by(1005.0 - EARLY * 0.2 - 0.001) is None
    assert scheduler.due_by(1005.0 - EARLY * 0.2 + 0.001) is one


def test_a_trigger_makes_it_due_at_once_and_only_once() -> None:
    scheduler, one = Scheduler(Clock()), check()
    scheduler.put(one, 1900.0)
    scheduler.trigger(one)
    scheduler.trigger(one)
    assert scheduler.due_by(1000.0) is one
    assert scheduler.due_by(2000.0) is None, "not at its old time, too"
    assert scheduler.figures.triggered == 2


def test_a_check_that_runs_is_run_again_when_it_is_triggered() -> None:
    clock = Clock()
    scheduler, one = Scheduler(clock), check()
    scheduler.put(one, 1000.0)
    assert scheduler.due_by(1000.0) is one
    scheduler.trigger(one)
    assert scheduler.due_by(1000.0) is None
    clock.now = 1001.0
    scheduler.put(one, 1900.0)
    assert scheduler.due_by(1001.0) is one
    scheduler.put(one, 1900.0)
    assert scheduler.due_by(1001.0) is None, "once"


def test_a_check_that_is_removed_does_not_come() -> None:
    scheduler, one = Scheduler(Clock()), check()
    scheduler.put(one, 1000.0)
    scheduler.remove(one)
    assert scheduler.due_by(1001.0) is None


def test_a_run_that_pauses_goes_on_after_its_pause_and_waits_for_company() -> None:
    scheduler, one = Scheduler(Clock()), check(interval=1.0)
    run = Run(one)
    scheduler.pause(run, 1000.005)
    assert scheduler.due_by(1000.004) is None
    assert scheduler.wakes_at(1000.0) == pytest.approx(1000.005 + one.early)
    assert scheduler.due_by(1000.006) is run


def test_how_late_runs_begin_is_counted() -> None:
    scheduler = Scheduler(Clock())
    for late in (0.0, 0.002, 0.03, 5.0):
        one = check()
        scheduler.put(one, 1000.0 - late)
        scheduler.due_by(1000.0)
    assert scheduler.figures.late == [1, 1, 0, 0, 1, 0, 0, 0, 1]
    assert scheduler.figures.late_most == 5.0


def test_a_run_is_planned_by_when_the_last_was_due_not_by_when_it_ended() -> None:
    one = check(interval=10.0)
    one.was_due, one.results.runs = 1000.0, 5
    planned = [one.next_due(1003.0) for _ in range(500)]
    assert 1010.0 * (1 - JITTER * 0.01) - 0.4 <= min(planned) < 1009.7
    assert 1010.3 < max(planned) <= 1010.5
    assert one.next_due(1020.0) == 1020.0, "and at once when it is late"


def test_after_the_first_run_it_is_spread_over_its_interval() -> None:
    one = check(interval=100.0)
    one.was_due, one.results.runs = 1000.0, 1
    planned = [one.next_due(1000.0) for _ in range(500)]
    assert min(planned) < 1010
    assert max(planned) > 1090
    assert all(1000 <= at <= 1100 for at in planned)
    assert all(0 <= one.first_due(5.0) - 5.0 <= 1.0 for _ in range(100))


def test_a_bad_answer_makes_it_fast_until_rise_or_fall_is_reached() -> None:
    one = check(interval=10.0, fall=2, rise=2, schedule={"fast_interval": 0.5})
    one.was_due, one.results.runs = 1000.0, 5
    fast = []
    for verdict in (PASSING, FAILING, FAILING, PASSING, PASSING):
        one.standing.after(verdict, 1000.0)
        fast.append(one.next_due(1000.0) < 1001.0)
        assert one.early == EARLY * (0.5 if fast[-1] else 1.0), "a share of what it is run after"
    assert fast == [False, True, False, True, False]


def test_a_check_whose_weight_comes_back_is_run_at_each_step() -> None:
    one = check(interval=60.0, schedule={"slow_start": 10.0, "weight": -50, "track_file": "/run/t"})
    one.was_due, one.results.runs = 1000.0, 5
    for verdict in (PASSING, FAILING, PASSING):
        one.standing.after(verdict, 1000.0)
    assert one.next_due(1000.0) == 1001.0
    assert one.next_due(1009.5) == 1010.0
    assert one.early == 0.0, "not before the step"
    assert one.next_due(1010.5) > 1050
    assert one.early > 0.0
