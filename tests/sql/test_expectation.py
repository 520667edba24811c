"""An expectation is met by a value, a number in a range, or a number of rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.sql.expectation import Expectation, answer, number
from hachecks.verdict import Status

NUMBERS = st.integers(-(10**12), 10**12)


@pytest.mark.parametrize(
    ("text", "met", "unmet"),
    [
        pytest.param("ok", ["ok"], ["OK", "okay", "", None], id="text"),
        pytest.param("", [""], ["x", None], id="empty-text"),
        pytest.param("1", ["1", "1.0", "1.00"], ["2", "one", None], id="number"),
        pytest.param("t", ["t"], ["f", "true"], id="boolean"),
        pytest.param("1..10", ["1", "10", "5.5"], ["0.9", "11", "x", None], id="range"),
        pytest.param("-5..-1", ["-3"], ["3", "-6"], id="negative"),
        pytest.param("100..", ["100", "1e9"], ["99", "inf", "nan"], id="at-least"),
        pytest.param("..0.5", ["0.5", "-7"], ["0.51"], id="at-most"),
        pytest.param("=1..10", ["1..10"], ["5"], id="literal"),
        pytest.param("=", [""], ["="], id="literal-nothing"),
        pytest.param("a..b", ["a..b"], ["a"], id="no-range"),
        pytest.param("9007199254740993", ["9007199254740993"], ["9007199254740992"], id="beyond-floats"),
    ],
)
def test_is_met_by_the_first_value(text: str, met: list[str | None], unmet: list[str | None]) -> None:
    expectation = Expectation.parse(text)
    assert [value for value in met if not expectation.is_met([[value, "other"], ["other"]])] == []
    assert [value for value in unmet if expectation.is_met([[value]])] == []
    assert not expectation.is_met([])


@pytest.mark.parametrize(
    ("text", "met"),
    [
        pytest.param("rows=0", [0], id="none"),
        pytest.param("rows=2", [2], id="exactly"),
        pytest.param("rows=1..", [1, 2, 3], id="at-least"),
        pytest.param("rows=1..2", [1, 2], id="between"),
    ],
)
def test_is_met_by_the_number_of_rows(text: str, met: list[int]) -> None:
    assert [count for count in range(4) if Expectation.parse(text).is_met([["x"]] * count)] == met


@pytest.mark.parametrize("text", ["rows=", "rows=many", "rows=..", "9..1", "rows=2..1"])
def test_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"counts no rows|is an empty range"):
        Expectation.parse(text)


@pytest.mark.parametrize(
    ("rows", "expected", "told"),
    [
        pytest.param([["42"]], None, "PASS - answers the query with 42", id="nothing-expected"),
        pytest.param([], None, "PASS - answers the query with no rows", id="no-rows"),
        pytest.param([[None]], None, "PASS - answers the query with NULL", id="null"),
        pytest.param([[""]], None, "PASS - answers the query with an empty text", id="empty"),
        pytest.param([["42"]], "1..50", "PASS - answers the query with 42", id="met"),
        pytest.param([["42"]], "1..5", "FAIL - answers the query with 42, expected 1..5", id="unmet"),
        pytest.param([["x"]], "rows=1", "PASS - answers the query with 1 row", id="rows"),
        pytest.param([["x"]] * 3, "rows=1", "FAIL - answers the query with 3 rows, expected rows=1", id="too-many"),
    ],
)
def test_is_told(rows: list[list[str | None]], expected: str | None, told: str) -> None:
    assert repr(answer(rows, None if expected is None else Expectation.parse(expected))) == told


def test_number_is_measured() -> None:
    assert answer([["42"], ["x"]], None).measured == {"query": 42, "query_rows": 2}
    assert answer([["x"]], None).measured == {"query_rows": 1}


@given(NUMBERS, NUMBERS, NUMBERS)
def test_range_holds_what_lies_in_it(low: int, high: int, value: int) -> None:
    low, high = sorted((low, high))
    verdict = answer([[str(value)]], Expectation.parse(f"{low}..{high}"))
    assert (verdict.status is Status.PASS) == (low <= value <= high)


@given(st.text(), st.text())
def test_text_is_met_by_itself_alone_or_an_equal_number(wanted: str, value: str) -> None:
    expectation = Expectation.parse("=" + wanted)
    assert expectation.is_met([[wanted]])
    equal = number(value) is not None and number(value) == number(wanted)
    assert expectation.is_met([[value]]) == (value == wanted or equal)


@given(st.text(max_size=60))
def test_number_is_finite_or_none(text: str) -> None:
    value = number(text)
    assert value is None or value - value == 0
