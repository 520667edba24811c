r"""Conditions on a JSON document, in a small language with jq's notation for paths.

    .status == "ok"     .queue.depth < 100     .nodes[0]."read only" == false     .version =~ "^1[45]\."
    .checks | length >= 3     .replica exists     .error absent     .ready

A path alone wants a value that is neither null nor false. `==` and `!=` compare with any JSON value, the others with a
number or a string. What is not there, or is of another type, meets no condition, `!=` included; it is never an error.
NaN and infinite numbers, which JSON has not but servers send, meet none but `exists`.
"""

from __future__ import annotations

from hachecks.http import json_value
from hachecks.http.patterns import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPERATORS = ("==", "!=", "<=", ">=", "=~", "!~", "<", ">")
COMPARING = frozenset(OPERATORS) - {"=~", "!~"}
BLANKS = " \t\r\n"
NAME_ENDS = frozenset(".[]\"'|=!<>~ \t\r\n")


class Condition:
    """A path into a document, whether the length of what is there is meant, an operator and an operand."""

    __slots__ = ("length", "operand", "operator", "steps", "text")

    def __init__(self, text: str, steps: tuple[str | int, ...], length: bool, operator: str, operand: Any) -> None:
        self.text = text
        self.steps = steps
        self.length = length
        self.operator = operator
        self.operand = operand

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition; raises `ValueError` with what was not understood."""
        text = text.strip(BLANKS)
        try:
            steps, rest = _path(text)
            length, rest = _length(rest.lstrip(BLANKS))
            operator, operand = _comparison(rest)
            if length and (operator not in COMPARING or json_value.kind(operand) != "number"):
                raise ValueError("a length is compared with a number")
        except ValueError as error:
            raise ValueError(f"{text!r} is not a condition: {error}") from None
        return cls(text, steps, length, operator, operand)

    def complaint(self, document: Any) -> str | None:
        """Why the document does not meet the condition, or None."""
        try:
            value = self._value(document)
        except LookupError as gap:
            return None if self.operator == "absent" else f"{self.text} is not so: {gap.args[0]}"
        return None if self._holds(value) else f"{self.text} is not so: it is {json_value.preview(value)}"

    def _value(self, document: Any) -> Any:
        """What the path leads to; raises `LookupError` saying where it ends."""
        value, way = document, ""
        for step in self.steps:
            place = way or "the document"
            way += f"[{step}]" if isinstance(step, int) else f".{step}"
            if not isinstance(value, list if isinstance(step, int) else dict):
                raise LookupError(f"{place} is {json_value.preview(value)}")
            try:
                value = value[step]  # type: ignore[index]  # it is of the type the step wants
            except LookupError:
                raise LookupError(f"there is no {way}") from None
        if not self.length:
            return value
        if not isinstance(value, (list, dict, str)):
            raise LookupError(f"{way or 'the document'} is {json_value.preview(value)}, which has no length")
        return len(value)

    def _holds(self, value: Any) -> bool:
        if json_value.kind(value) == "no number":
            return self.operator == "exists"
        if self.operator == "true":
            return value is not None and value is not False
        if self.operator in ("exists", "absent"):
            return self.operator == "exists"
        if self.operator in ("==", "!="):
            return json_value.equal(value, self.operand) == (self.operator == "==")
        if json_value.kind(value) != ("string" if self.operator not in COMPARING else json_value.kind(self.operand)):
            return False
        if self.operator in ("=~", "!~"):
            return bool(self.operand.found_in(value) == (self.operator == "=~"))
        if value == self.operand:
            return self.operator in ("<=", ">=")
        return bool((value < self.operand) == (self.operator[0] == "<"))

    def __repr__(self) -> str:
        return self.text


def _path(text: str) -> tuple[tuple[str | int, ...], str]:
    """The steps of the path a text begins with, and the rest of the text."""
    if not text.startswith("."):
        raise ValueError("expected a path, such as .status")
    steps: list[str | int] = []
    rest = text
    while rest[:1] in (".", "["):
        if rest[0] == "." and (rest == "." or rest[1] in NAME_ENDS - {"[", '"'}):
            if steps:
                raise ValueError("expected a name after a dot")
            return (), rest[1:]
        rest = rest[1:] if rest[0] == "." else rest
        step, rest = _bracketed(rest) if rest[0] == "[" else _named(rest)
        steps.append(step)
    return tuple(steps), rest


def _named(text: str) -> tuple[str, str]:
    """A key, bare or as a JSON string."""
    if text.startswith('"'):
        return json_value.parse_prefix(text)
    end = next((at for at, character in enumerate(text) if character in NAME_ENDS), len(text))
    return text[:end], text[end:]


def _bracketed(text: str) -> tuple[str | int, str]:
    """`[0]`, `[-1]` or `["key"]`."""
    step, rest = json_value.parse_prefix(text[1:].lstrip(BLANKS))
    rest = rest.lstrip(BLANKS)
    if type(step) not in (int, str) or not rest.startswith("]"):
        raise ValueError('expected a number or a "key" in brackets')
    return step, rest[1:]


def _length(text: str) -> tuple[bool, str]:
    """Whether `| length` comes next, and what comes then."""
    if not text.startswith("|"):
        return False, text
    word = text[1:].lstrip(BLANKS)
    if not word.startswith("length"):
        raise ValueError("only length can come after |")
    return True, word[len("length") :].lstrip(BLANKS)


def _comparison(text: str) -> tuple[str, Any]:
    """The operator and what it compares with."""
    if text in ("", "exists", "absent"):
        return text or "true", None
    operator = next((known for known in OPERATORS if text.startswith(known)), None)
    if operator is None:
        raise ValueError(f"{text!r} begins with none of {' '.join(OPERATORS)} exists absent")
    operand, rest = json_value.parse_prefix(text[len(operator) :].lstrip(BLANKS))
    if rest.strip(BLANKS):
        raise ValueError(f"{rest.strip(BLANKS)!r} comes after it")
    if operator in ("=~", "!~"):
        if not isinstance(operand, str):
            raise ValueError('a regular expression is written "…"')
        return operator, Pattern.parse(operand)
    if operator not in ("==", "!=") and json_value.kind(operand) not in ("number", "string"):
        raise ValueError(f"{operator} compares with a number or a string")
    return operator, operand
