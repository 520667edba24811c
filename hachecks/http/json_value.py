"""JSON values: Python's own reader, made strict and total, and comparisons that know JSON's types.

`json` is imported by the functions that need it: a plain HTTP check does not owe it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

PREVIEW_CHARACTERS = 60


class NotANumber:
    """What stands for a number and is none: NaN, Infinity, or one that no computer holds."""

    __slots__ = ("word",)

    def __init__(self, word: str) -> None:
        self.word = word


KINDS = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}
KINDS[NotANumber] = "no number"


def parse(text: str) -> Any:
    """The JSON document that a text is; raises `ValueError` saying why it is none.

    Many servers write NaN where JSON has nothing for it; what they say beside it is to be judged nevertheless.
    """
    import json

    try:
        return json.loads(text, parse_constant=NotANumber, parse_int=_whole, parse_float=_real)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos}") from None


def parse_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is; None where it is anything else."""
    try:
        document = parse(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def parse_prefix(text: str) -> tuple[Any, str]:
    """The JSON value that a text begins with, and the rest of the text; raises `ValueError`."""
    from json import JSONDecoder

    try:
        value, end = JSONDecoder(parse_constant=_refuse).raw_decode(text)
    except (ValueError, RecursionError):
        raise ValueError(f'{text!r} does not begin with a JSON value (a string is written "…")') from None
    return value, text[end:]


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _whole(word: str) -> int | NotANumber:
    try:
        return int(word)
    except ValueError:  # Python converts no more than 4300 digits
        return NotANumber(word)


def _real(word: str) -> float | NotANumber:
    number = float(word)
    return NotANumber(word) if number in (float("inf"), float("-inf")) else number


def kind(value: Any) -> str:
    """`boolean`, `number`, `no number`, `string`, `list`, `object` or `null`."""
    return KINDS.get(type(value), "null")


def equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; unlike in Python, true is not 1."""
    if kind(one) != kind(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return bool(one == other)


def preview(value: Any) -> str:
    """The value as a reason tells it: in JSON, or by its size."""
    if isinstance(value, (list, dict)):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    import json

    text = value.word if isinstance(value, NotANumber) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= PREVIEW_CHARACTERS else text[: PREVIEW_CHARACTERS - 1] + "…"
