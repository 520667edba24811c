"""The threads that run checks, with probes that take what time they like."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from hachecks.agent.overseer import AGAIN, GRACE, STALL
from hachecks.agent.run import Run
from hachecks.agent.scheduler import Scheduler
from hachecks.agent.workers import Workers
from hachecks.checks.composition import Composition, Member
from hachecks.checks.runner import RunOptions
from hachecks.deadline import Deadline
from hachecks.verdict import Status, Verdict
from tests.agent.probes import PATIENCE, Published, Scripted, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.agent.check import AgentCheck
    from hachecks.agent.overseer import Overseer
    from hachecks.agent.publisher import Publisher


@contextmanager
def workers(*checks: AgentCheck, threads: int = 8) -> Iterator[tuple[Workers, Published]]:
    """Workers that run these."""
    published = Published()
    some = Workers(Scheduler(), cast("Publisher", published), threads)
    some.start(checks)
    try:
        yield some, published
    finally:
        some.scheduler.close()


def until(what: str, true: Any) -> None:
    ends = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < ends, what
        time.sleep(0.01)


def takes(seconds: float) -> Any:
    """What passes after so long."""

    def act(_: Deadline) -> Verdict:
        time.sleep(seconds)
        return Verdict.passing("slow")

    return act


class Hanging:
    """A probe's act that hangs until it is let go; `limit` is how often."""

    def __init__(self, limit: int = 1) -> None:
        self.go = threading.Event()
        self.left = limit

    def __call__(self, _: Deadline) -> Verdict:
        if self.left:
            self.left -= 1
            self.go.wait(PATIENCE)
            return Verdict.passing("late")
        return Verdict.passing("in time")


def test_checks_are_run_again_and_again_and_never_two_runs_of_one_at_once() -> None:
    slow = check("slow", takes(0.15), interval=0.1, timeout=1)
    quick = [check(f"quick{number}", interval=0.1) for number in range(5)]
    with workers(slow, *quick) as (some, _):
        until("each has run five times", lambda: all(one.probe.asked >= 5 for one in (slow, *quick)))  # type: ignore[attr-defined]
        assert slow.probe.most_at_once == 1  # type: ignore[attr-defined]
        assert some.figures.threads <= 4, "made on demand"


def test_a_check_that_does_not_end_is_told_once_and_by_another_thread() -> None:
    hanging = Hanging()
    stuck, other = check("stuck", hanging, interval=0.1, timeout=0.2), check("other", interval=0.1)
    with workers(stuck) as (some, published):
        found, verdict, began = published.next()
        assert found is stuck
        assert (verdict.status, verdict.kind) == (Status.FAIL, "timeout")
        assert verdict.reason == "scripted gave no answer within 200 ms, and the check does not end"
        assert 0.2 < time.monotonic() - began < PATIENCE
        assert some.figures.stuck == some.figures.overdue == 1
        some.start([stuck, other])
        for _ in range(10):
            assert published.next()[0] is other, "nothing more is told of the one that is stuck"
        assert stuck.probe.asked == 1  # type: ignore[attr-defined]
        hanging.go.set()
        until("it is run again", lambda: stuck.probe.asked > 1)  # type: ignore[attr-defined]
        until("its verdict counts", lambda: stuck.verdict is not None and stuck.verdict.reason == "in time")
        assert some.figures.late_verdicts == 1
        assert some.figures.stuck == 0


def test_a_check_that_does_not_end_is_told_also_where_the_agent_stood_still_meanwhile() -> None:
    """Once that is over for as long as the check may take."""
    hanging = Hanging()
    stuck = check("stuck", hanging, interval=0.1, timeout=0.2)
    with workers(stuck) as (some, published):
        until("it is asked", lambda: stuck.probe.asked)  # type: ignore[attr-defined]
        some.overseer.look(time.monotonic() + 2 * STALL)
        _, verdict, _ = published.next()
        assert "the check does not end" in verdict.reason
        assert time.monotonic() > some.overseer.stalled_at + 0.2
        hanging.go.set()


def test_threads_that_are_stuck_are_replaced_up_to_as_many_again() -> None:
    hanging = [Hanging() for _ in range(3)]
    stuck = [check(f"stuck{number}", act, interval=0.1, timeout=0.1) for number, act in enumerate(hanging)]
    with workers(*stuck, threads=2) as (some, published):
        told = {published.next()[0].name for _ in range(2)}
        assert len(told) == 2
        until("four threads are there", lambda: some.figures.threads >= 3)
        healthy = check("healthy", interval=0.1)
        some.start([*stuck, healthy])
        until("the third is stuck, too", lambda: some.figures.stuck >= 2)
        for act in hanging:
            act.go.set()
        until("all are run again", lambda: all(one.probe.asked > 1 for one in (*stuck, healthy)))  # type: ignore[attr-defined]
        until("no thread is too many", lambda: some.figures.threads <= 2)


def test_a_check_that_is_held_up_does_not_hold_up_the_others() -> None:
    slow = check("slow", takes(1.0), interval=5, timeout=2)
    quick = check("quick", interval=0.1)
    with workers(slow, quick) as (_, published):
        names: list[str] = []
        while names.count("slow") < 2 and len(names) < 14:
            names.append(published.next()[0].name)
        assert names.count("quick") >= 8


def test_what_hangs_all_at_once_is_found_out_at_once() -> None:
    """Checks that were quick until now are held up one after the other, each for as long as nobody has noticed.

    That takes 3.5 s, and 21 with ten threads in a second. On a busy machine the agent may stand still, and ask again.
    """
    hanging = threading.Event()

    def act(deadline: Deadline) -> Verdict:
        if hanging.is_set():
            time.sleep(max(0.0, deadline.at - time.monotonic()))
            return Verdict.failing("gone", "timeout")
        return Verdict.passing("quick")

    many = [check(f"c{number}", act, interval=0.5, timeout=1) for number in range(200)]
    with workers(*many, threads=256) as (_, published):
        until("each is quick", lambda: all(one.verdict for one in many))
        hanging.set()
        began = time.monotonic()
        until("each is found out", lambda: all(one.verdict and one.verdict.status is Status.FAIL for one in many))
        assert time.monotonic() - began < 14
        assert published.lines == []


def test_a_trigger_runs_a_check_at_once() -> None:
    one = check(interval=600, timeout=1)
    with workers(one) as (some, published):
        published.next()
        for _ in range(3):
            some.scheduler.trigger(one)
            published.next()


def test_after_a_reload_only_what_is_declared_otherwise_begins_anew() -> None:
    kept, gone, old, new = check("kept", interval=0.1), check("gone", interval=0.1), check("x"), check("x")
    with workers(kept, gone, old) as (some, published):
        until("all have run", lambda: all(one.verdict for one in (kept, gone, old)))
        standing = kept.standing
        some.start([kept, new])
        until("the new one has run", lambda: new.verdict)
        asked = gone.probe.asked, old.probe.asked  # type: ignore[attr-defined]
        while not published.verdicts.empty():
            published.next()
        assert {published.next()[0] for _ in range(10)} <= {kept, new}
        assert (gone.probe.asked, old.probe.asked) == asked  # type: ignore[attr-defined]
        assert kept.standing is standing


def test_the_late_verdict_of_a_check_that_is_replaced_is_dropped() -> None:
    hanging = Hanging()
    old, new = check("x", hanging, interval=0.1, timeout=60), check("x", interval=0.1, timeout=60)
    with workers(old) as (some, published):
        until("it runs", lambda: old.probe.asked)  # type: ignore[attr-defined]
        some.start([new])
        assert new.due is not None
        assert new.due > time.monotonic() + 10, "not while the run before of that name may last"
        hanging.go.set()
        until("it was dropped", lambda: some.figures.dropped)
        assert published.verdicts.empty()


def test_an_error_of_ours_ends_neither_the_thread_nor_the_check() -> None:
    one = check(interval=0.1)
    with workers() as (some, published):
        publish, calls = published.publish, []

        def fails_once(*words: Any) -> None:
            calls.append(words)
            if len(calls) == 1:
                raise KeyError("x")
            publish(*words)

        published.publish = fails_once  # type: ignore[method-assign, assignment]
        some.start([one])
        assert published.next()[0] is one
        assert published.lines == ["one: KeyError: 'x'"]


def overseen(check: AgentCheck) -> tuple[Overseer, Run]:
    """An overseer that looks when it is told to, and a run of this check."""
    some = Workers(Scheduler(), cast("Publisher", Published()), 0)
    run = Run(check)
    some.runs.add(run)
    some.overseer.beat = run.began
    return some.overseer, run


def test_no_check_is_blamed_for_the_time_in_which_the_agent_stood_still() -> None:
    overseer, run = overseen(check())
    bad, now = Verdict.failing("no answer", "timeout"), run.began + STALL * 2
    overseer.look(now)
    assert overseer.workers.figures.stalls == 1
    assert not overseer.excuses(run, Verdict.passing("yes"), now)
    assert overseer.excuses(run, bad, now), "it is asked again"
    assert not overseer.excuses(run, bad, now), "once"


@pytest.mark.parametrize(("timeout", "again"), [(0.1, 0.1), (60.0, AGAIN)])
def test_a_run_that_the_agent_slept_through_is_not_overdue(timeout: float, again: float) -> None:
    overseer, run = overseen(check(timeout=timeout))
    woke = run.deadline.at + 200
    ends = woke + again + GRACE
    for at in (woke, woke + (ends - woke) / 2, ends - 0.01):
        overseer.look(at)
        overseer.beat = ends
        assert not run.settled
    overseer.look(ends + 0.01)
    assert run.settled
    assert overseer.workers.figures.stalls == 1


def test_a_member_that_hangs_is_not_asked_again_and_again() -> None:
    hanging = Hanging()
    member = Member("m", Scripted(hanging), RunOptions(timeout=0.1))
    composition = Composition("all", [member], 1)
    verdicts = [composition.check(Deadline.after(seconds)) for seconds in (0.1, PATIENCE, PATIENCE)]
    assert {verdict.status for verdict in verdicts} == {Status.FAIL}
    assert verdicts[-1].reason == "m: gives no answer to a run before"
    assert member.probe.asked == 1  # type: ignore[attr-defined]
    hanging.go.set()
    until("it ends", lambda: not member.is_stuck)
    assert composition.check(Deadline.after(5)).status is Status.PASS


@pytest.mark.parametrize("threads", [1, 2])
def test_few_threads_do_all_the_work(threads: int) -> None:
    some = [check(f"c{number}", interval=0.1) for number in range(30)]
    with workers(*some, threads=threads) as (group, _):
        until("each has run twice", lambda: all(one.probe.asked > 1 for one in some))  # type: ignore[attr-defined]
        assert group.figures.threads <= threads
