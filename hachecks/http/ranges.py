"""Ranges of HTTP status codes, as `2xx,401`."""

from __future__ import annotations

LOWEST, HIGHEST = 100, 599


class StatusRanges:
    """Status codes and ranges of them, as in `200-299,401` or `2xx,401`."""

    __slots__ = ("ranges",)

    def __init__(self, *ranges: tuple[int, int]) -> None:
        self.ranges = ranges

    @classmethod
    def parse(cls, text: str) -> StatusRanges:
        """From codes and ranges with commas between them; raises `ValueError`."""
        return cls(*(_range(part.strip(), text) for part in text.split(",")))

    def __contains__(self, status: int) -> bool:
        return any(low <= status <= high for low, high in self.ranges)

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges)

    __repr__ = __str__


def _range(part: str, whole: str) -> tuple[int, int]:
    low, dash, high = part.partition("-")
    ends = _end(low, "0"), _end(high if dash else low, "9")
    if not LOWEST <= ends[0] <= ends[1] <= HIGHEST:
        raise ValueError(f"{whole!r} is not a list of status codes (write 2xx,401 or 200-299,401)")
    return ends


def _end(text: str, digit: str) -> int:
    """A code whose last digits may be an x, which stands for this digit; 0 if it is none."""
    digits = text.rstrip("xX")
    if not (digits.isascii() and digits.isdigit() and len(text) == 3):
        return 0
    return int(digits + digit * (3 - len(digits)))
