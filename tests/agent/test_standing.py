"""What counts of a check's answers."""

from __future__ import annotations

from typing import Any

import pytest

from hachecks.agent.standing import Standing
from hachecks.checks.runner import RunOptions
from hachecks.checks.schedule import Schedule
from hachecks.verdict import Verdict

GOOD, BAD = Verdict.passing("it serves"), Verdict.failing("it is gone", "refused")


def counts(standing: Standing, *answers: tuple[float, bool]) -> str:
    """What counts after each answer: + or -."""
    return "".join(
        "+" if standing.options.counts_as_good(standing.after(GOOD if good else BAD, at).status) else "-"
        for at, good in answers
    )


def standing(rise: int = 1, fall: int = 1, **schedule: Any) -> Standing:
    return Standing(RunOptions(rise=rise, fall=fall), Schedule(**schedule))


@pytest.mark.parametrize(
    ("rise", "fall", "answers", "expected"),
    [
        (1, 1, "+-+-", "+-+-"),
        (1, 3, "+--+---", "+++++" + "+-"),
        (2, 1, "-++-+", "--+--"),
        (2, 2, "--+-++", "-----+"),
        (3, 2, "+-+--+++", "++++---+"),
    ],
)
def test_rise_and_fall_are_counted(rise: int, fall: int, answers: str, expected: str) -> None:
    asked = [(float(at), word == "+") for at, word in enumerate(answers)]
    assert counts(standing(rise, fall), *asked) == expected


def test_the_first_answer_counts_at_once_and_without_a_slow_start() -> None:
    one = standing(rise=3, hold_down=60.0, slow_start=60.0)
    assert counts(one, (1, True)) == "+"
    assert one.percent(1) == 100


def test_a_check_that_fails_again_soon_is_held_down_until_it_has_been_good_for_as_long() -> None:
    one = standing(hold_down=10.0)
    assert counts(one, (0, True), (1, False), (2, True)) == "+-+", "a first failure and recovery count at once"
    assert counts(one, (5, False), (6, True), (10, True)) == "---"
    assert one.percent(10) == 0
    assert one.changes_at(10) == 16
    assert counts(one, (11, False), (12, True), (21, True)) == "---", "a bad answer begins it anew"
    assert counts(one, (22, True), (23, True)) == "++"
    assert counts(one, (25, False), (26, True)) == "--", "it flaps still"


def test_a_check_that_fails_again_late_is_not_held_down() -> None:
    assert counts(standing(hold_down=10.0), (0, True), (1, False), (2, True), (13, False), (14, True)) == "+-+-+"


def test_a_bad_answer_below_fall_interrupts_a_hold_down() -> None:
    one = standing(fall=2, hold_down=10.0)
    assert counts(one, (0, True), (1, False), (2, False), (3, True), (4, False), (5, False)) == "++-++-"
    assert counts(one, (6, True), (10, True), (11, False), (12, True), (17, True), (21, True)) == "------"
    assert counts(one, (22, True)) == "+"


def test_what_is_held_down_says_so() -> None:
    one = standing(hold_down=10.0)
    counts(one, (0, True), (1, False), (2, True), (3, False), (4, True))
    assert one.after(GOOD, 7).reason == "held down, good for 3 s of 10 s: it serves"


def test_without_a_weight_a_slow_start_is_a_failure_for_as_long() -> None:
    one = standing(slow_start=10.0)
    assert counts(one, (0, True), (1, False), (2, True), (11, True), (12, True)) == "+---+"
    assert one.percent(12) == 100


def test_with_a_weight_it_comes_back_in_steps() -> None:
    one = standing(slow_start=10.0, weight=-50, track_file="/run/t")
    assert counts(one, (0, True), (1, False), (2, True)) == "+-+"
    assert [one.percent(at) for at in (2, 2.9, 3.1, 7.05, 11.9, 12)] == [0, 0, 10, 50, 90, 100]
    assert one.changes_at(2.5) == 3
    assert counts(one, (8, False)) == "-"
    assert one.percent(8) == 0
    assert one.changes_at(8) is None
    assert counts(one, (9, True)) == "+"
    assert one.percent(14.1) == 50, "it begins anew"


def test_a_slow_start_comes_after_a_hold_down() -> None:
    one = standing(slow_start=5.0, hold_down=10.0)
    assert counts(one, (0, True), (1, False), (2, True), (8, True), (9, False), (10, True)) == "+--+--"
    assert counts(one, (19, True), (20, True), (24, True), (25, True)) == "---+"


def test_it_is_undecided_while_the_last_answers_say_otherwise() -> None:
    one = standing(rise=2, fall=2)
    seen = []
    for at, good in enumerate((True, False, False, True, True)):
        counts(one, (at, good))
        seen.append(one.is_undecided)
    assert seen == [False, True, False, True, False]
