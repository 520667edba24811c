"""YAML as people read it: mappings, lists and texts in the order in which they are given, with comments."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 116
"""Columns of a comment, the # included."""
PLAIN = re.compile(r"(?:--)?[A-Za-z/](?:[A-Za-z0-9_./@-]|[ :](?=[^\s:#]))*|[1-9][0-9]{0,8}(?:m|[KMG]i)", re.ASCII)
"""Texts that stand without quotes, unless they are one of the words below."""
WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
BLOCK = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff][^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]*")
"""Texts that may be a block: they begin with no blank, and no character of theirs needs to be escaped."""


class Noted(NamedTuple):
    """A value with the comment that stands above it."""

    value: Any
    comment: str


def document(fields: dict[str, Any], comment: str = "") -> str:
    """One document, without the dashes in front; None is left out, as are lists and mappings that say nothing."""
    return "".join(f"{line}\n" for line in (*_comment(comment, ""), *_mapping(bare(fields, noted=True), "")))


def bare(value: Any, *, noted: bool = False) -> Any:
    """The value without what is None; without its comments as well, unless these are to stay."""
    if isinstance(value, Noted):
        inner = bare(value.value, noted=noted)
        return Noted(inner, value.comment) if noted else inner
    if isinstance(value, dict):
        return {key: bare(one, noted=noted) for key, one in value.items() if _plain(one) is not None}
    if isinstance(value, list):
        return [bare(one, noted=noted) for one in value if _plain(one) is not None]
    return value


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Noted) else value


def _comment(text: str, indent: str) -> Iterator[str]:
    """The lines of a comment."""
    line = f"{indent}#"
    for word in text.split():
        if len(line) + 1 + len(word) > WIDTH and not line.endswith("#"):
            yield line
            line = f"{indent}#"
        line += f" {word}"
    if text:
        yield line


def _mapping(fields: dict[str, Any], indent: str) -> Iterator[str]:
    for key, noted in fields.items():
        value = _plain(noted)
        if isinstance(noted, Noted):
            yield from _comment(noted.comment, indent)
        name = f"{indent}{scalar(key)}:"
        if isinstance(value, dict) and value:
            yield name
            yield from _mapping(value, f"{indent}  ")
        elif isinstance(value, list) and value:
            yield name
            yield from _items(value, f"{indent}  ")
        elif isinstance(value, str) and "\n" in value and BLOCK.fullmatch(value):
            yield f"{name} {_mark(value)}"
            yield from _block(value, f"{indent}  ")
        else:
            yield f"{name} {scalar(value)}"


def _items(values: list[Any], indent: str) -> Iterator[str]:
    for noted in values:
        value = _plain(noted)
        if isinstance(noted, Noted):
            yield from _comment(noted.comment, indent)
        if not (isinstance(value, (dict, list)) and value):
            yield f"{indent}- {scalar(value)}"
            continue
        inner = f"{indent}  "
        lines = list(_mapping(value, inner) if isinstance(value, dict) else _items(value, inner))
        first = next(number for number, line in enumerate(lines) if not line.lstrip().startswith("#"))
        # A comment above the first key stands above the dash.
        yield from (f"{indent}{line.lstrip()}" for line in lines[:first])
        yield f"{indent}- {lines[first][len(indent) + 2 :]}"
        yield from lines[first + 1 :]


def _mark(text: str) -> str:
    """How a block begins, by the line ends that the text ends in."""
    ends = len(text) - len(text.rstrip("\n"))
    return "|" if ends == 1 else "|-" if ends == 0 else "|+"


def _block(text: str, indent: str) -> Iterator[str]:
    for line in text.split("\n")[: -1 if text.endswith("\n") else None]:
        yield f"{indent}{line}" if line else ""


def scalar(value: Any) -> str:
    """A text, number or truth value, as it is read again."""
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in WORDS:
        return value
    if isinstance(value, str):
        # As in JSON, but for what YAML does not take as it is.
        return re.sub(r"[\x7f-\x9f\u2028\u2029\ufeff]", _escaped, json.dumps(value, ensure_ascii=False))
    return json.dumps(value)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
