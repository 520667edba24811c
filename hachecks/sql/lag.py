"""The lag that a standby may have, in seconds or in bytes."""

from __future__ import annotations

from hachecks.units import parse_duration, parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Lag:
    """The most a standby may be behind: in seconds, or in bytes."""

    __slots__ = ("bytes", "seconds", "text")

    def __init__(self, text: str, seconds: float | None, size: int | None) -> None:
        self.text = text
        self.seconds = seconds
        self.bytes = size

    @classmethod
    def parse(cls, text: str) -> Lag:
        """From a duration with its unit (`10s`) or a size with its unit (`16MB`); raises `ValueError`."""
        if not text.strip()[-1:].isalpha():
            raise ValueError(f"{text!r} is neither seconds nor bytes without a unit (write 10s or 16MB)")
        if text.strip().lower().endswith("b"):
            return cls(text, None, parse_size(text))
        return cls(text, parse_duration(text), None)

    def __repr__(self) -> str:
        return self.text


def seconds_of(limits: Iterable[Lag]) -> float | None:
    """The limit in seconds, if one is given."""
    return next((limit.seconds for limit in limits if limit.seconds is not None), None)


def bytes_of(limits: Iterable[Lag]) -> int | None:
    """The limit in bytes, if one is given."""
    return next((limit.bytes for limit in limits if limit.bytes is not None), None)
