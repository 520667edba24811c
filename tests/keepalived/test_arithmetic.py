"""Numbers are what bash takes texts for."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hachecks.keepalived.arithmetic import Number, number

RECKON = "while IFS= read -r -d '' t; do (n=0; printf '%s' $((t + n))) 2>/dev/null || printf error; printf '\\0'; done"
"""What the generator does with an offset; an error ends the subshell alone."""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0),
        ("7", 7),
        (" 7\n", 7),
        ("010", 8),
        ("0x1f", 31),
        ("2#101", 5),
        ("-3", -3),
        ("abc", 0),
        ("9" * 19, -8446744073709551617),
    ],
)
def test_a_number_is_read_as_bash_reads_it(text: str, value: int) -> None:
    assert number(text) == Number(value)


@pytest.mark.parametrize("text", ["08", "1.5", "5 3", "12abc", "1e2", "$(id)", '"5"', "٣", "1#1", "-"])
def test_what_bash_refuses_is_an_error(text: str) -> None:
    assert number(text) == Number(None, error=True)


@pytest.mark.parametrize(("text", "runs"), [("a[$(id)]", True), ("a[`id`]", True), ("a[1]", False), ("1+1", False)])
def test_what_only_bash_knows_is_not_worked_out(text: str, runs: bool) -> None:
    assert number(text) == Number(None, runs=runs)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(alphabet="0123456789abxzAX#@_+- .,*(\n", max_size=6), min_size=20, max_size=60))
def test_bash_itself_says_the_same(texts: list[str]) -> None:
    data = "".join(f"{text}\0" for text in texts).encode()
    run = subprocess.run(["bash", "-c", RECKON], input=data, capture_output=True, check=True, timeout=60)
    for text, said in zip(texts, run.stdout.decode().split("\0")):
        found = number(text)
        if found.value is not None or found.error:
            assert said == ("error" if found.error else str(found.value)), text
