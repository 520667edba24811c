"""Differences between the nodes of a group in what they must have alike, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hachecks.group.answer import Answer

MOST_NAMED = 3
"""Virtual routers, checks or nodes that a sentence names; the others are counted."""


def differences(answers: Sequence[tuple[str, Answer]]) -> Iterator[str]:
    """What is not alike, in sentences; a node that tells nothing of something is not compared in it."""
    versions = {name: answer.version for name, answer in answers}
    if len(set(versions.values())) > 1:
        yield f"hachecks is {' and '.join(f'{each} on {listed(on)}' for each, on in _by_value(versions))}"
    settings = {name: answer.settings for name, answer in answers if answer.settings}
    for what, parts in _parted(settings):
        yield _sentence(what, parts, "configured")
    checks = {name: answer.checks for name, answer in answers if answer.checks}
    for what, parts in _parted({name: {f"check {one}": each[one] for one in each} for name, each in checks.items()}):
        yield _sentence(what, parts, "declared")


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, or `a, b, c and 252 more`."""
    shown = list(names) if len(names) <= MOST_NAMED + 1 else [*names[:MOST_NAMED], f"{len(names) - MOST_NAMED} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _by_value(values: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Each value with the nodes that have it, the most nodes first."""
    found: dict[str, list[str]] = {}
    for name, value in values.items():
        found.setdefault(value, []).append(name)
    return sorted(found.items(), key=lambda pair: -len(pair[1]))


def _parted(told: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[list[str], list[tuple[str, list[str]]]]]:
    """What differs: all that parts the nodes in the same way, and the nodes by what they have of it."""
    alike: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    parts: dict[tuple[tuple[str, ...], ...], list[tuple[str, list[str]]]] = {}
    for key in dict.fromkeys(key for values in told.values() for key in values):
        by_value = _by_value({name: values.get(key, "") for name, values in told.items()})
        if len(by_value) > 1:
            pattern = tuple((str(bool(value)), *names) for value, names in by_value)
            alike.setdefault(pattern, []).append(key)
            parts[pattern] = by_value
    for pattern, keys in alike.items():
        yield keys, parts[pattern]


def _sentence(keys: Sequence[str], parts: Sequence[tuple[str, list[str]]], done: str) -> str:
    what = f"{listed(keys)} {'is' if len(keys) == 1 else 'are'} {done}"
    there = [names for value, names in parts if value]
    away = [name for value, names in parts if not value for name in names]
    if len(there) == 1:
        return f"{what} on {listed(there[0])}, and not on {listed(away)}"
    otherwise = ", and otherwise on ".join(map(listed, there))
    return f"{what} one way on {otherwise}{f', and not on {listed(away)}' if away else ''}"
