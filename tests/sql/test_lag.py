"""A lag is written with its unit."""

from __future__ import annotations

import pytest

from hachecks.sql.lag import Lag, bytes_of, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds", "size"),
    [
        pytest.param("10s", 10.0, None, id="seconds"),
        pytest.param("500ms", 0.5, None, id="milliseconds"),
        pytest.param("5m", 300.0, None, id="minutes"),
        pytest.param("16MB", None, 16_000_000, id="megabytes"),
        pytest.param("64KiB", None, 65536, id="kibibytes"),
        pytest.param("1b", None, 1, id="byte"),
    ],
)
def test_is_seconds_or_bytes(text: str, seconds: float | None, size: int | None) -> None:
    lag = Lag.parse(text)
    assert (lag.seconds, lag.bytes, repr(lag)) == (seconds, size, text)


@pytest.mark.parametrize("text", ["10", "", "ten", "10x", "-1s", "0s", "16M"])
def test_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is n"):
        Lag.parse(text)


def test_several_are_told_apart() -> None:
    limits = (Lag.parse("16MB"), Lag.parse("10s"))
    assert (seconds_of(limits), bytes_of(limits)) == (10.0, 16_000_000)
    assert (seconds_of(()), bytes_of(())) == (None, None)
