"""One instant by which everything ends, and where the time went."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.deadline import Deadline, TimedOut


def test_what_remains_grows_less_and_is_never_nothing() -> None:
    deadline = Deadline.after(0.02)
    left = [0.02 + 1e-6]  # the clock may not have gone on, and the sum has been rounded
    with pytest.raises(TimedOut):
        left += iter(deadline.remaining, None)
    assert time.monotonic() >= deadline.at
    assert left == sorted(left, reverse=True)
    assert left[-1] > 0


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_deadline_that_has_passed_leaves_nothing(seconds: float) -> None:
    with pytest.raises(TimedOut):
        Deadline.after(seconds).remaining()
    with pytest.raises(TimedOut):
        Deadline.after(seconds).share(2)


def test_to_time_out_is_no_error_of_the_operating_system() -> None:
    # The drivers catch OSError, and would call it a lost connection.
    assert not issubclass(TimedOut, OSError)


@given(st.floats(0.5, 3600), st.integers(1, 50))
def test_a_share_is_an_equal_part_of_what_is_left(seconds: float, parts: int) -> None:
    deadline = Deadline.after(seconds)

    def share_now() -> float:
        now = time.monotonic()
        return now + (deadline.at - now) / parts

    before = share_now()
    share = deadline.share(parts)
    rounding = 1e-6
    assert before - rounding <= share.at <= share_now() + rounding
    assert share.at <= deadline.at + rounding
    assert share.seconds == seconds


def test_the_last_share_is_all_that_is_left() -> None:
    deadline = Deadline.after(100)
    assert deadline.share(1).at == pytest.approx(deadline.at, abs=0.1)


def test_a_share_records_into_the_same_phases() -> None:
    deadline = Deadline.after(5)
    with deadline.share(2).during("connect"):
        pass
    assert set(deadline.phases) == {"connect"}


def test_a_phase_that_comes_twice_is_added_up() -> None:
    deadline = Deadline.after(5)
    for _ in range(2):
        with deadline.during("connect"):
            until = time.monotonic() + 0.01
            while time.monotonic() < until:
                pass
    assert 0.02 <= deadline.phases["connect"] < 4


def test_a_phase_is_to_blame_for_what_is_raised_in_it_alone() -> None:
    deadline = Deadline.after(5)
    with deadline.during("connect"):
        assert deadline.phase == "connect"
    assert deadline.phase == ""
    with pytest.raises(TimedOut), deadline.during("tls"):
        raise TimedOut
    assert deadline.phase == "tls"
    assert set(deadline.phases) == {"connect", "tls"}
