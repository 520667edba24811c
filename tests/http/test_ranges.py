"""Status codes, phase limits and header fields as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.http.headers import Header, HeaderPattern
from hachecks.http.limits import PhaseLimit
from hachecks.http.patterns import Pattern
from hachecks.http.ranges import StatusRanges

if TYPE_CHECKING:
    from collections.abc import Callable

CODES = st.integers(100, 599)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        pytest.param("200", {200}, {199, 201}, id="one"),
        pytest.param("200-299,401", {200, 250, 299, 401}, {199, 300, 400, 402}, id="range-and-one"),
        pytest.param("2xx,301", {200, 299, 301}, {199, 300, 302}, id="hundred-and-one"),
        pytest.param("2XX-3xx", {200, 399}, {199, 400}, id="hundreds-in-capitals"),
        pytest.param("50x", {500, 509}, {499, 510}, id="ten"),
        pytest.param(" 100-599 , 204 ", {100, 204, 599}, {99, 600}, id="blanks"),
    ],
)
def test_status_is_inside(text: str, inside: set[int], outside: set[int]) -> None:
    ranges = StatusRanges.parse(text)
    assert all(status in ranges for status in inside)
    assert not any(status in ranges for status in outside)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "200,",
        "x00",
        "6xx",
        "xxx",
        "2x",
        "2x0",
        "3xx-2xx",
        "20",
        "2000",
        "299-200",
        "099",
        "600",
        "200-",
        "-200",
        "²00",
    ],
)
def test_what_is_no_status_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        StatusRanges.parse(text)
    assert str(raised.value) == f"{text!r} is not a list of status codes (write 2xx,401 or 200-299,401)"


@given(st.lists(st.tuples(CODES, CODES).map(sorted), min_size=1), CODES)
def test_ranges_read_what_they_write(pairs: list[list[int]], status: int) -> None:
    ranges = StatusRanges(*((low, high) for low, high in pairs))
    assert str(StatusRanges.parse(str(ranges))) == str(ranges)
    assert (status in ranges) == any(low <= status <= high for low, high in pairs)


@pytest.mark.parametrize(
    "parse", [StatusRanges.parse, PhaseLimit.parse, Header.parse, HeaderPattern.parse, Pattern.parse]
)
@given(text=st.text() | st.text(alphabet="123xX-,=ms:()[]{}*+?\\^$|", max_size=12))
def test_any_text_is_read_or_refused(parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except ValueError:
        return


def test_phase_limit_complains_of_what_took_longer() -> None:
    limit = PhaseLimit.parse("first-byte=200ms")
    assert limit.complaint({"first_byte": 0.2}) is None
    assert limit.complaint({}) is None
    assert limit.complaint({"first_byte": 0.25}) == "first-byte took 250 ms, limit 200 ms"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("no colon s3cret", "a header is written 'Name: value'", id="no-colon"),
        pytest.param("My Name: s3cret", "a header is written 'Name: value'", id="blank-in-name"),
        pytest.param("Token: s3cret\r\nX: y", "the value of the header Token has a control character", id="newline"),
        pytest.param(
            "transfer-encoding: x", "transfer-encoding is what the body makes it; drop the header", id="framing"
        ),
    ],
)
def test_what_is_no_header_is_refused_without_its_value(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        Header.parse(text)
    assert str(raised.value) == why


def test_secret_header_is_not_shown() -> None:
    assert repr(Header.parse("authorization: s3cret")) == "authorization: …"
    assert repr(Header.parse("X-Plain: shown")) == "X-Plain: shown"
