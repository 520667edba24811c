"""A verdict counts after `rise` good ones or `fall` bad ones in a row."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hachecks.checks.runner import RunOptions, attempt, counted
from hachecks.checks.streak import Streak, StreakFiles, StreakRecord, lifetime
from hachecks.deadline import Deadline
from tests.checks.doing import Doing, failing, hindered, passing

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.verdict import Verdict

HERE = StreakRecord("boot", 100.0, 60.0)


def ups_and_downs(answers: str, rise: int, fall: int) -> str:
    """What counts after each answer, `+` good and `-` bad."""
    streak = Streak(answers[0] == "+", 0)
    told = "+" if streak.up else "-"
    for answer in answers[1:]:
        streak = streak.after(answer == "+", rise, fall)
        told += "+" if streak.up else "-"
    return told


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        pytest.param("+--+--", "++++++", id="two-failures-of-three-do-not-count"),
        pytest.param("+---", "+++-", id="the-third-does"),
        pytest.param("-+-++", "----+", id="two-good-ones-in-a-row-raise-it"),
        pytest.param("-", "-", id="the-first-counts-at-once"),
    ],
)
def test_it_takes_two_to_rise_and_three_to_fall(answers: str, told: str) -> None:
    assert ups_and_downs(answers, rise=2, fall=3) == told


def test_a_streak_is_remembered() -> None:
    recalled = HERE.load(HERE.dump(Streak(up=True, opposing=2)))
    assert recalled is not None
    assert (recalled.up, recalled.opposing) == (True, 2)


def test_what_0_1_0_has_left_is_read() -> None:
    recalled = HERE.load("boot 99.0 down 1\n")
    assert recalled is not None
    assert (recalled.up, recalled.opposing) == (False, 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("other 99.0 up 1 1.0\n", "the node was started anew", id="another-boot"),
        pytest.param("boot 39.0 up 1 1.0\n", "the last run was 61 s ago", id="too-long-ago"),
        pytest.param("boot 101.0 up 1 1.0\n", "what was remembered is from the future", id="in-the-future"),
        *(
            pytest.param(text, "what was remembered cannot be read", id=name)
            for name, text in {
                "torn": "boot 99.0 up\n",
                "no-time": "boot x up 1 1.0\n",
                "no-word": "boot 99.0 sideways 1 1.0\n",
                "blank": " \n",
                "a-negative-count": "boot 99.0 up -1000 1.0\n",
                "an-absurd-count": "boot 99.0 up 99999999999 1.0\n",
                "a-count-of-other-digits": "boot 99.0 up 1_0 1.0\n",
                "more-than-there-is": "boot 99.0 up 1 1.0 1.0\n",
                "a-gap-longer-than-the-boot": "boot 99.0 up 1 1e300\n",
                "a-negative-gap": "boot 99.0 up 1 -1.0\n",
                "a-gap-that-is-no-number": "boot 99.0 up 1 nan\n",
                "a-time-that-is-no-number": "boot nan up 1 1.0\n",
            }.items()
        ),
    ],
)
def test_what_cannot_be_believed_is_forgotten_and_that_is_said(text: str, why: str) -> None:
    memory = StreakRecord("boot", 100.0, 60.0)
    assert memory.load(text) is None
    assert memory.forgotten == why


def test_nothing_is_forgotten_where_nothing_was_remembered() -> None:
    memory = StreakRecord("boot", 100.0, 60.0)
    assert memory.load("") is None
    assert memory.forgotten == ""


def remembered(times: list[float], lifetime: float = 60.0) -> list[bool]:
    """Whether the run before is remembered, for each run after the first."""
    text, told = "", []
    for at in times:
        memory = StreakRecord("boot", at, lifetime)
        told.append(memory.load(text) is not None)
        text = memory.dump(Streak(up=True, opposing=0))
    return told[1:]


def test_the_memory_follows_the_pace_of_the_runs() -> None:
    assert remembered([1000, 1059, 1119]) == [True, True]
    assert remembered([1000, 1600, 2200, 2800, 4500]) == [False, True, True, True]
    assert remembered([1000, 1600, 2200, 4100]) == [False, True, False]


def test_a_run_by_hand_in_between_does_not_make_it_forget() -> None:
    assert remembered([1000, 1600, 1601, 2200, 2800, 2801, 3400]) == [False, True, True, True, True, True]


def test_a_pause_does_not_make_the_memory_long_for_good() -> None:
    every_two_seconds = [90000 + 2.0 * number for number in range(20)]
    assert remembered([1000, *every_two_seconds, every_two_seconds[-1] + 61])[-1] is False


@given(st.sampled_from(["up", "down"]), st.integers(), st.integers(1, 5), st.integers(1, 5))
def test_no_count_that_is_believed_holds_a_verdict_back_for_longer_than_it_may(
    way: str, count: int, rise: int, fall: int
) -> None:
    streak = HERE.load(f"boot 99.0 {way} {count} 1.0\n")
    if streak is not None:
        opposite = way == "down"
        for _ in range(rise if opposite else fall):
            streak = streak.after(opposite, rise, fall)
        assert streak.up is opposite


@given(st.text(max_size=60) | st.text(alphabet="boot .0123456789updwn-einfa\t\n", max_size=60))
def test_any_text_is_survived(text: str) -> None:
    HERE.load(text)


@given(st.text(alphabet="+-", min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_what_counts_changes_only_after_enough_in_a_row(answers: str, rise: int, fall: int) -> None:
    told = ups_and_downs(answers, rise, fall)
    for at in range(1, len(told)):
        if told[at] != told[at - 1]:
            needed = rise if told[at] == "+" else fall
            assert answers[: at + 1].endswith(told[at] * needed)


@settings(max_examples=60, deadline=None)
@given(answers=st.lists(st.sampled_from([passing, failing, hindered]), min_size=1, max_size=12),
       rise=st.integers(1, 3), fall=st.integers(1, 3), lenient=st.booleans())  # fmt: skip
def test_files_remember_what_a_resident_process_would(
    answers: list[Callable[[Deadline], Verdict]], rise: int, fall: int, lenient: bool
) -> None:
    """The agent keeps streaks in memory, a forked check in a file: what counts is the same."""
    options = RunOptions(rise=rise, fall=fall, on_unknown="pass" if lenient else "fail")
    streak: Streak | None = None
    with tempfile.TemporaryDirectory() as directory:
        files = StreakFiles(directory)
        for act in answers:
            deadline = Deadline.after(60)
            verdict = attempt(Doing(act), options, deadline)
            good = options.counts_as_good(verdict.status)
            streak = streak.after(good, rise, fall) if streak else Streak(good, 0)
            assert repr(files.counted(verdict, options, "x", deadline)) == repr(counted(verdict, streak, options))


def test_a_check_with_long_timeouts_is_remembered_for_ten_of_them() -> None:
    assert lifetime(RunOptions(timeout=100.0)) == 1000
    assert lifetime(RunOptions(timeout=1.0)) == 180
    assert lifetime(RunOptions(timeout=1.0, interval=100.0)) == 300
