"""The `~SEQ` and `~LST` of a keepalived.conf: one line stands for many."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Repetition = tuple[Sequence[str], Iterable[Sequence[str]], str]

SEQUENCE = re.compile(r"~SEQ(x?)[ \t]*\([ \t]*([^ \t,)]+)[ \t]*[^)]([^)]*\))[ \t]*(.*)", re.DOTALL)
LIST = re.compile(r"~LST[ \t]*\(([^)]*)\)[ \t]*(.*)", re.DOTALL)
ROW = re.compile(r"\{([^{}]*)\}|([^ \t,{}]+)")
ROWS = re.compile(r"[ \t]*(?:\{[^{}]*\}|[^ \t,{}]+)[ \t]*(?:,[ \t]*(?:\{[^{}]*\}|[^ \t,{}]+)[ \t]*)*")
NUMBER = re.compile(r"\s*([+-]?)(?:0x([0-9a-f]+)|(0[0-7]*)|([1-9][0-9]*)|)[ \t]*([,)])", re.ASCII | re.IGNORECASE)
MAX_NUMBERS_LENGTH = 64
"""Characters of the numbers of a sequence, with their closing bracket."""
MAX_NUMBER = 2**63 - 1
"""What Keepalived's 64 bits hold."""


def sequence(line: str, resolve: Callable[[str], str]) -> Repetition | None:
    """The names that a sequence or list sets, the rows of their values, and the text to be read for each; None if bad.

    `resolve` puts definitions in place of their names, which only the numbers of a sequence may be.
    """
    found = SEQUENCE.match(line)
    if found:
        numbers = found[3].lstrip(" \t")
        values = _values(resolve(numbers)) if len(numbers) < MAX_NUMBERS_LENGTH else None
        if values is None or (found[1] and min(values[0], values[-1]) < 0):
            return None
        form = "{:x}" if found[1] else "{}"
        return (found[2],), ((form.format(value),) for value in values), found[4]
    listed = LIST.match(line)
    rows = [] if listed is None else _rows(listed[1])
    if listed is None or len(rows) < 2 or any(len(row) > len(rows[0]) for row in rows):
        return None
    names = rows[0]
    return names, (row + [""] * (len(names) - len(row)) for row in rows[1:]), listed[2]


def _values(text: str) -> range | None:
    """Up to a number, from one to another, or so in steps."""
    numbers: list[int] = []
    match = NUMBER.match(text)
    while match:
        sign, hexadecimal, octal, decimal = match[1], match[2], match[3], match[4]
        number = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal or "0")
        numbers.append(max(-MAX_NUMBER, min(MAX_NUMBER, -number if sign == "-" else number)))
        if match[5] == ")":
            break
        match = NUMBER.match(text, match.end())
    if not match or not 1 <= len(numbers) <= 3:
        return None
    end = numbers[-1]
    start = numbers[0] if len(numbers) > 1 else -1 if end < 0 else 1
    step = numbers[1] if len(numbers) == 3 else 1 if start <= end else -1
    if not step or (end - start) * step < 0:
        return None
    return range(start, end + (1 if step > 0 else -1), step)


def _rows(text: str) -> list[list[str]]:
    """`{A, B}, {1, 2}, {3, 4}` as lists; none where it is no such list."""
    if not ROWS.fullmatch(text):
        return []
    return [[one.strip(" \t") for one in (braced or plain).split(",")] for braced, plain in ROW.findall(text)]
