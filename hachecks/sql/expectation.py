"""Expectations of a query's answer: a value, a range of numbers, or a count of rows."""

from __future__ import annotations

from hachecks.verdict import Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Rows = Sequence[Sequence[str | None]]

MAX_NUMBER_CHARACTERS = 40
SHOWN_CHARACTERS = 80
ROWS = "rows="


class Expectation:
    """A value, a range of numbers, or a count of rows."""

    __slots__ = ("bounds", "counts_rows", "text", "wanted")

    def __init__(self, wanted: str, bounds: tuple[float | None, float | None] | None, counts_rows: bool) -> None:
        self.wanted = wanted
        self.bounds = bounds
        self.counts_rows = counts_rows
        self.text = f"{ROWS}{wanted}" if counts_rows else wanted

    @classmethod
    def parse(cls, text: str) -> Expectation:
        """From `TEXT`, `MIN..MAX`, `MIN..`, `..MAX`, `=TEXT`, `rows=N` or `rows=MIN..MAX`; raises `ValueError`."""
        if text.startswith(ROWS):
            wanted = text[len(ROWS) :]
            bounds = _bounds(wanted)
            count = number(wanted)
            if bounds is None and count is None:
                raise ValueError(f"{text!r} counts no rows (write rows=1, rows=1.. or rows=1..10)")
            return cls(wanted, bounds or (count, count), counts_rows=True)
        if text.startswith("="):
            return cls(text[1:], None, counts_rows=False)
        return cls(text, _bounds(text), counts_rows=False)

    def is_met(self, rows: Rows) -> bool:
        """Whether the number of rows, or the first value of the first row, is as wanted."""
        if self.counts_rows:
            return self._within(len(rows))
        if not rows or not rows[0] or rows[0][0] is None:
            return False
        value = rows[0][0]
        found = number(value)
        if self.bounds is not None:
            return found is not None and self._within(found)
        return value == self.wanted or (found is not None and found == number(self.wanted))

    def _within(self, found: float) -> bool:
        low, high = self.bounds or (None, None)
        return (low is None or found >= low) and (high is None or found <= high)

    def __repr__(self) -> str:
        return self.text


def answer(rows: Rows, expected: Expectation | None) -> Verdict:
    """What a query's rows mean."""
    told = f"answers the query with {_shown(rows)}"
    found = number(rows[0][0] or "") if rows and rows[0] else None
    measured = {"query_rows": float(len(rows))} if found is None else {"query_rows": float(len(rows)), "query": found}
    if expected is None or expected.is_met(rows):
        if expected is not None and expected.counts_rows:
            told = f"answers the query with {_counted(rows)}"
        return Verdict.passing(told, **measured)
    if expected.counts_rows:
        return Verdict.failing(f"answers the query with {_counted(rows)}, expected {expected.text}", "body", **measured)
    return Verdict.failing(f"{told}, expected {expected.wanted}", "body", **measured)


def _counted(rows: Rows) -> str:
    return f"{len(rows) or 'no'} row{'s' if len(rows) != 1 else ''}"


def _shown(rows: Rows) -> str:
    if not rows or not rows[0]:
        return _counted(rows)
    value = rows[0][0]
    return "NULL" if value is None else value[:SHOWN_CHARACTERS] or "an empty text"


def number(text: str) -> float | None:
    """The number a text is, whole ones exactly; None for any other text."""
    if len(text) > MAX_NUMBER_CHARACTERS or "_" in text or not text.isascii():
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value - value == 0 else None  # neither infinite nor NaN


def _bounds(text: str) -> tuple[float | None, float | None] | None:
    """The two ends of `MIN..MAX`, one of which may be open; None when it is no range."""
    low_text, dots, high_text = text.partition("..")
    low, high = number(low_text), number(high_text)
    if not dots or (low is None and low_text) or (high is None and high_text) or (low is None and high is None):
        return None
    if low is not None and high is not None and low > high:
        raise ValueError(f"{text!r} is an empty range; write the smaller number first")
    return low, high
