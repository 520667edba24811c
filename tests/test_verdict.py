"""What others wrote is shown as one line, and no character of it acts on the reader's screen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.verdict import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("VI_1", "VI_1"),
        ("Zürich 東京 \N{GRINNING FACE}", "Zürich 東京 \N{GRINNING FACE}"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("one\ntwo\r\tthree\x7f\x85", r"one\ntwo\r\tthree\x7f\x85"),
        ("VI_\u202e1\u2066\u200f", r"VI_\u202e1\u2066\u200f"),
        ("a\u2028b\u200bc\ufeff", r"a\u2028b\u200bc\ufeff"),
        ("\U000e0041", r"\U000e0041"),
        (b"VI_\xff\x80".decode("utf-8", "surrogateescape"), r"VI_\xff\x80"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_is_not_printed_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_whatever_is_shown_can_be_printed_and_encoded(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
    assert len(shown) >= len(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_is_printed_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
