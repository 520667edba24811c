"""What a file of state says is believed only where it is of the kind and within the bounds that it should be."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST = 2**53
"""No counter of ours comes so far, and every JSON reader takes it exactly."""
LATEST = 32503680000.0
"""The year 3000 in seconds of the epoch: a time beyond is a mistake, and many libraries cannot say it."""


def document(text: str) -> dict[str, Any]:
    """The object of JSON that a text is; raises `ValueError` at anything else."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


def is_whole(value: object, most: int = MOST) -> bool:
    """Whether it is a whole number from zero on; True is none."""
    return type(value) is int and 0 <= value <= most


def is_number(value: object, most: float = LATEST) -> bool:
    """Whether it is a number from zero on, and finite; NaN is in no range."""
    return type(value) in (int, float) and 0 <= value <= most  # type: ignore[operator]


def is_text(value: object) -> bool:
    """Whether it is a text that can be written as UTF-8, which half of a character cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_word(value: object) -> bool:
    """Whether it is a text that is not empty."""
    return bool(value) and is_text(value)


def is_words(value: object) -> bool:
    """Whether it is a list of texts."""
    return isinstance(value, list) and all(map(is_text, value))
