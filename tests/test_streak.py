"""A verdict counts after `rise` good ones or `fall` bad ones in a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.streak import Memory, Streak

HERE = Memory("boot", 100.0, 60.0)


def counted(answers: str, rise: int, fall: int) -> str:
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
    assert counted(answers, rise=2, fall=3) == told


def test_a_streak_is_remembered() -> None:
    recalled = HERE.recall(HERE.told(Streak(up=True, contrary=2)))
    assert recalled is not None
    assert (recalled.up, recalled.contrary) == (True, 2)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("other 99.0 up 1\n", id="another-boot"),
        pytest.param("boot 39.0 up 1\n", id="too-long-ago"),
        pytest.param("boot 101.0 up 1\n", id="in-the-future"),
        pytest.param("boot 99.0 up\n", id="torn"),
        pytest.param("boot x up 1\n", id="garbled"),
    ],
)
def test_what_cannot_be_believed_is_forgotten(text: str) -> None:
    assert HERE.recall(text) is None


@given(st.text(max_size=60))
def test_any_text_is_survived(text: str) -> None:
    HERE.recall(text)


@given(st.text(alphabet="+-", min_size=1, max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_what_counts_changes_only_after_enough_in_a_row(answers: str, rise: int, fall: int) -> None:
    told = counted(answers, rise, fall)
    for at in range(1, len(told)):
        if told[at] != told[at - 1]:
            needed = rise if told[at] == "+" else fall
            assert answers[: at + 1].endswith(told[at] * needed)
