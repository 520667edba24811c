"""Several checks at once, and what their verdicts come to."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hachecks.checks.composition import GRACE, MOST_THREADS, ROOM, Composition, Member
from hachecks.checks.runner import RunOptions, conclude
from hachecks.checks.streak import StreakFiles
from hachecks.deadline import Deadline
from hachecks.verdict import STATUSES, Status, Verdict
from tests.checks.doing import Doing, buggy, failing, hindered, passing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


ACTS = {Status.PASS: passing, Status.FAIL: failing, Status.UNKNOWN: hindered}
RANK = {Status.FAIL: 0, Status.UNKNOWN: 1, Status.PASS: 2}


def composed(
    acts: Sequence[Callable[[Deadline], Verdict]], needed: int, options: RunOptions | None = None
) -> Composition:
    members = [Member(name, Doing(act), options or RunOptions(timeout=60.0)) for name, act in zip("abcdefgh", acts)]
    return Composition("composed", members, needed)


def kleene(statuses: Sequence[Status], needed: int) -> Status:
    """Kleene's logic: the `or` over every choice of `needed` members of the `and` of the choice."""
    choices = itertools.combinations([RANK[status] for status in statuses], needed)
    rank = max(min(choice) for choice in choices)
    return next(status for status in STATUSES if RANK[status] == rank)


def certain(statuses: Sequence[Status | None], needed: int) -> Status | None:
    """The one status that all ways to fill in the missing ones come to, if it is one."""
    ways = itertools.product(*([status] if status else list(STATUSES) for status in statuses))
    ends = {kleene(way, needed) for way in ways}
    return ends.pop() if len(ends) == 1 else None


@st.composite
def compositions(draw: st.DrawFn) -> tuple[list[Status], int]:
    statuses = draw(st.lists(st.sampled_from(STATUSES), min_size=1, max_size=5))
    return statuses, draw(st.integers(1, len(statuses)))


@settings(deadline=None)
@given(compositions())
def test_the_verdict_is_that_of_kleenes_logic(example: tuple[list[Status], int]) -> None:
    statuses, needed = example
    verdict = conclude(composed([ACTS[status] for status in statuses], needed), Deadline.after(60))
    assert verdict.status is kleene(statuses, needed)


@settings(deadline=None)
@given(compositions(), st.data())
def test_an_answer_is_given_as_soon_as_it_is_certain_and_not_before(
    example: tuple[list[Status], int], data: st.DataObject
) -> None:
    statuses, needed = example
    composition = composed([ACTS[status] for status in statuses], needed)
    order = data.draw(st.permutations(range(len(statuses))))
    known: list[Status | None] = [None] * len(statuses)
    told: list[tuple[Member, Verdict]] = []
    for at in (None, *order):
        if at is not None:
            known[at] = statuses[at]
            told.append((composition.members[at], Verdict(statuses[at], "so")))
        verdict = composition._judge(told)
        assert (verdict and verdict.status) == certain(known, needed)


@pytest.mark.parametrize(
    ("acts", "needed", "told"),
    [
        pytest.param([passing, passing], 2, "PASS - a: it works; b: it works", id="all-pass"),
        pytest.param([failing, failing], 1, "FAIL - a: it is broken; b: it is broken", id="none-passes"),
        pytest.param([hindered], 1, "UNKNOWN - a: it is dark", id="unknown"),
        pytest.param([buggy], 1, "UNKNOWN - a: it: KeyError: 'x'", id="our-own-bug"),
    ],
)
def test_the_reason_names_the_members_that_decide(
    acts: list[Callable[[Deadline], Verdict]], needed: int, told: str
) -> None:
    verdict = conclude(composed(acts, needed), Deadline.after(60))
    status, reasons = told.split(" - ")
    assert verdict.status.value == status
    assert sorted(verdict.reason.split("; ")) == reasons.split("; ")


def test_members_are_asked_at_once() -> None:
    together = threading.Barrier(4, timeout=10)

    def meet(_: Deadline) -> Verdict:
        together.wait()
        return Verdict.passing("met")

    assert conclude(composed([meet] * 4, 4), Deadline.after(60)).status is Status.PASS


@pytest.mark.parametrize(
    ("acts", "needed", "status"),
    [
        pytest.param([passing], 1, Status.PASS, id="any"),
        pytest.param([failing], 2, Status.FAIL, id="all"),
        pytest.param([passing, passing], 2, Status.PASS, id="at-least"),
        pytest.param([hindered, hindered], 2, Status.UNKNOWN, id="unknown"),
    ],
)
def test_a_slow_member_does_not_delay_an_answer_that_is_certain(
    acts: list[Callable[[Deadline], Verdict]], needed: int, status: Status
) -> None:
    decided = threading.Event()

    def slow(_: Deadline) -> Verdict:
        assert decided.wait(30)
        return Verdict.passing("late")

    try:
        verdict = conclude(composed([*acts, slow], needed), Deadline.after(20))
        assert verdict.status is status
        assert "late" not in verdict.reason
        assert "no answer" not in verdict.reason
    finally:
        decided.set()


def test_a_member_that_is_stuck_fails_at_the_deadline_and_is_named() -> None:
    freed = threading.Event()

    def stuck(_: Deadline) -> Verdict:
        freed.wait(30)
        return Verdict.passing("too late")

    started = time.monotonic()
    verdict = conclude(composed([passing, stuck], 2), Deadline.after(1.0))
    freed.set()
    assert repr(verdict) == "FAIL - b: gave no answer within 1 s"
    assert 1.0 <= time.monotonic() - started < 20


def test_a_member_that_keeps_the_deadline_tells_its_own_reason() -> None:
    def to_the_end(deadline: Deadline) -> Verdict:
        try:
            while True:
                deadline.remaining()
        finally:
            threading.Event().wait(GRACE / 4)

    # On a busy machine a thread may get no processor for longer than the grace lasts.
    told = (repr(conclude(composed([to_the_end, passing], 2), Deadline.after(0.1))) for _ in range(100))
    assert "FAIL - a: it gave no full answer within 100 ms" in told


def test_a_member_has_its_own_timeout_within_that_of_the_composition() -> None:
    given_seconds: list[float] = []

    def look(deadline: Deadline) -> Verdict:
        given_seconds.append(deadline.remaining())
        return Verdict.passing("it works")

    for own, whole in ((10.0, 600.0), (600.0, 20.0)):
        conclude(composed([look], 1, RunOptions(timeout=own)), Deadline.after(whole))
    assert given_seconds == [pytest.approx(10.0, abs=3), pytest.approx(20.0, abs=6)]


def crowd(act: Callable[[Deadline], Verdict], size: int, needed: int) -> Composition:
    members = [Member(f"m{number}", Doing(act), RunOptions(timeout=60.0)) for number in range(size)]
    return Composition("crowd", members, needed)


@contextmanager
def room_for(count: int) -> Iterator[None]:
    """No more threads than these for all compositions, once those of former tests have ended."""
    taken = MOST_THREADS - count
    for _ in range(taken):
        assert ROOM.acquire(timeout=60)
    try:
        yield
    finally:
        ROOM.release(taken)


def test_many_members_share_a_bounded_number_of_threads() -> None:
    most = 0

    def look(_: Deadline) -> Verdict:
        nonlocal most
        most = max(most, threading.active_count())
        return Verdict.passing("it works")

    before = threading.active_count()
    inner = crowd(look, 100, 100)
    outer = Composition("outer", [Member(f"c{n}", inner, RunOptions(timeout=60.0)) for n in range(100)], 100)
    assert conclude(outer, Deadline.after(120)).status is Status.PASS
    assert most - before < 2 * MOST_THREADS, "who has just made room has not ended yet"


def test_where_no_thread_can_be_had_the_members_are_asked_in_turn_until_the_answer_is_certain() -> None:
    asked: list[str] = []

    def look(_: Deadline) -> Verdict:
        asked.append(threading.current_thread().name)
        return Verdict.passing("it works")

    with room_for(0):
        assert conclude(crowd(look, 5, 2), Deadline.after(60)).status is Status.PASS
        assert repr(conclude(crowd(slow_once, 3, 3), Deadline.after(0.1))).startswith("FAIL - ")
    assert asked == [threading.current_thread().name] * 2


def slow_once(deadline: Deadline) -> Verdict:
    """Take all the time there is."""
    while True:
        deadline.remaining()


def test_members_that_no_time_is_left_for_fail_and_are_named() -> None:
    with room_for(1):
        verdict = conclude(crowd(slow_once, 3, 1), Deadline.after(0.1))
    assert verdict.status is Status.FAIL
    assert verdict.reason.endswith("m1: gave no answer within 100 ms; m2: gave no answer within 100 ms")


def test_a_composition_whose_deadline_has_passed_asks_nobody() -> None:
    verdict = conclude(composed([passing], 1), Deadline.after(-1))
    assert verdict.status is Status.FAIL


def test_a_members_own_word_on_unknown_is_obeyed() -> None:
    options = RunOptions(on_unknown="pass", timeout=60.0)
    members = [Member("a", Doing(hindered), options), Member("b", Doing(passing), RunOptions())]
    verdict = conclude(Composition("both", members, 2), Deadline.after(60))
    assert verdict.status is Status.PASS
    assert verdict.measured == {"passing_count": 2}


def test_a_members_other_options_are_obeyed(tmp_path: Path) -> None:
    options = RunOptions(invert=True, timeout=60.0)
    inverted = Composition("one", [Member("a", Doing(failing), options)], 1)
    assert repr(conclude(inverted, Deadline.after(60))) == "PASS - a: it is broken"
    remembering = RunOptions(fall=2, timeout=60.0)
    for act, told in ((passing, "PASS - a: it works"), (failing, "PASS - a: bad answer 1 of 2: it is broken")):
        composition = Composition("one", [Member("a", Doing(act), remembering)], 1, StreakFiles(str(tmp_path)))
        assert repr(conclude(composition, Deadline.after(60))) == told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["streak-one.a", "streak-one.a~lock"]


def test_a_composition_in_a_composition_is_a_member_like_another() -> None:
    inner = composed([failing, passing], 1)
    outer = Composition("outer", [Member("inner", inner, RunOptions()), Member("c", Doing(passing), RunOptions())], 2)
    verdict = conclude(outer, Deadline.after(60))
    assert verdict.status is Status.PASS
    assert "inner: b: it works" in verdict.reason


@pytest.mark.parametrize(("needed", "subject"), [(1, "1 of a, b, c"), (2, "2 of a, b, c"), (3, "all of a, b, c")])
def test_the_subject_says_how_many_of_whom(needed: int, subject: str) -> None:
    assert composed([passing] * 3, needed).subject == subject
