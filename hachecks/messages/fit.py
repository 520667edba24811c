"""A message within a limit of characters: whole lines as far as they fit, and then how many are left out."""

from __future__ import annotations

import re

from hachecks.verdict import in_words, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hachecks.messages.message import Change, Message

GROUPED_FROM = 10
"""Instances above which those of the same fate are told together."""
NAMES_ON_A_LINE = 5


class Line:
    """A line of text, and how many instances it tells of."""

    __slots__ = ("count", "text")

    def __init__(self, text: str, count: int = 1) -> None:
        self.text = visible(text)
        self.count = count


def lines_of(message: Message) -> list[Line]:
    """The message's text, or many instances grouped by what became of them, the worst first."""
    if len(message.changes) <= GROUPED_FROM or message.body != "\n".join(message.lines):
        lines = [line for line in map(Line, message.body.split("\n")) if line.text.strip()]
        return lines or [Line(message.summary)]
    groups: dict[tuple[str, ...], list[Change]] = {}
    for change in message.changes:
        groups.setdefault((change.state, change.before or "", change.why), []).append(change)
    return [line for group in groups.values() for line in _group(group)]


def _group(changes: Sequence[Change]) -> list[Line]:
    """The group's fate, and a few names on each line."""
    first = changes[0]
    lasted = [change.lasted for change in changes if change.lasted]
    was = f", was {first.before}" if first.before else ""
    longest = f" for up to {in_words(max(lasted))}" if first.before and lasted else ""
    why = f": {first.why}" if first.why else ""
    ordered = sorted(changes, key=lambda change: natural_key(change.name))
    names = [f"{change.label} ({', '.join(change.vips)})" if change.vips else change.label for change in ordered]
    few_each = [names[at : at + NAMES_ON_A_LINE] for at in range(0, len(names), NAMES_ON_A_LINE)]
    heading = Line(f"{len(changes)} {first.state}{was}{longest}{why}", 0)
    return [heading, *(Line(f"  {', '.join(few)}", len(few)) for few in few_each)]


def natural_key(name: str) -> list[str | int]:
    """A key that puts VI_9 before VI_10."""
    parts = re.split(r"([0-9]{1,9})", name)
    return [int(part) if at % 2 else part for at, part in enumerate(parts)]


def utf16_length(text: str) -> int:
    """The length as JavaScript counts it, which is the largest that any service may mean."""
    return len(text) + sum(character > "\uffff" for character in text)


def fit_lines(lines: Sequence[Line], limit: int, length: Callable[[str], int] = utf16_length) -> list[str]:
    """As many lines as fit, newlines included, and then `… and 37 more`; a line that is too long alone is cut."""
    kept: list[str] = []
    room = limit
    for at, line in enumerate(lines):
        rest = sum(other.count for other in lines[at + 1 :])
        reserve = length(left_out(rest)) + 1 if at + 1 < len(lines) else 0
        if length(line.text) + 1 + reserve > room:
            if kept:
                return [*kept, left_out(rest + line.count)]
            return [cut(line.text, room - reserve - 1, length), *([left_out(rest)] if reserve else [])]
        kept.append(line.text)
        room -= length(line.text) + 1
    return kept


def left_out(count: int) -> str:
    """`… and 37 more`."""
    return f"… and {count} more" if count else "…"


def cut(text: str, limit: int, length: Callable[[str], int] = utf16_length) -> str:
    """The text, or as much of its beginning as fits, with an ellipsis."""
    if length(text) <= limit:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if length(text[:middle] + "…") <= limit:
            fits = middle
        else:
            too_long = middle
    return text[:fits] + "…"
