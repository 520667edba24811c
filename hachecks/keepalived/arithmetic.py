"""Whole numbers as bash's arithmetic takes them from a text, which no shell ever sees here.

OpenShift's generator reckons with its variables as they are, and bash takes much more for a number than people do: 010
is eight, 08 an error, a word the number of the variable of that name, and an index of an array may hold a command,
which is run.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LITERAL = re.compile(r"(?:0[xX]([0-9a-fA-F]*)|([1-9][0-9]*)#([0-9A-Za-z@_]*)|(0[0-9A-Za-z@_]*)|([0-9][0-9A-Za-z@_]*))")
NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
SIGNED = re.compile(r"([+-]?)(.*)", re.DOTALL)
OPERATORS = re.compile(r"[-+*/%<>=!&|^~?:,()]")
STRANGE = re.compile(r"[^-0-9A-Za-z_@#+*/%<>=!&|^~?:,() \t\n]")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@_"


class Number(NamedTuple):
    """What bash takes a text for; without a value, `error` tells an error from what is known to bash alone.

    `runs` says that bash may run a command that is in it.
    """

    value: int | None
    error: bool = False
    runs: bool = False


ERROR = Number(None, error=True)
UNKNOWN = Number(None)


def number(text: str) -> Number:
    """What bash takes the text for: a number with a sign or none, or the name of a variable that is not set.

    An expression is not worked out.
    """
    text = text.strip(" \t\n")
    if "[" in text:
        return Number(None, runs="$(" in text or "`" in text)
    if STRANGE.search(text):
        return ERROR
    sign, word = SIGNED.fullmatch(text).groups()  # type: ignore[union-attr]  # it matches every text
    word = word.strip(" \t\n")
    if not word:
        return ERROR if sign else Number(0)
    if NAME.fullmatch(word):
        return Number(0)
    literal = LITERAL.fullmatch(word)
    if literal:
        value = _value(literal)
        return ERROR if value is None else Number(_wrapped(-value if sign == "-" else value))
    return UNKNOWN if OPERATORS.search(text) else ERROR


def _value(literal: re.Match[str]) -> int | None:
    hexadecimal, base, digits, octal, decimal = literal.groups()
    if base is not None:
        return _of_base(digits, int(base[:3])) if digits else None
    if hexadecimal is not None:
        return int(hexadecimal or "0", 16)
    return _of_base(octal, 8) if octal else _of_base(decimal, 10)


def _of_base(text: str, base: int) -> int | None:
    if not 2 <= base <= 64:
        return None
    # Up to base 36 capitals are the same digits as small letters.
    digits = [DIGITS.index(one.lower() if base <= 36 else one) for one in text]
    value = 0
    for one in digits:
        if one >= base:
            return None
        value = _wrapped(value * base + one)
    return value


def _wrapped(value: int) -> int:
    """A number as 64 bits hold it."""
    return (value + 2**63) % 2**64 - 2**63
