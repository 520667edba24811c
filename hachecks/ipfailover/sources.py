"""Sources of the variables: the environment and env files; `workloads` has those in YAML.

No shell sees any of it, and nothing is expanded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.settings import is_ours
from hachecks.ipfailover.variable import Given
from hachecks.settings import Invalid
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII)


class Source(NamedTuple):
    """A configuration as it is given: what it is called in messages, its variables, and its stock version if told."""

    place: str
    given: Mapping[str, Given]
    stock: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


def environment(environ: Mapping[str, str]) -> Source:
    """What this process was started with."""
    given = {name: Given(text, name) for name, text in environ.items() if is_ours(name)}
    return Source("the environment", given)


def env_file(text: str, place: str) -> Source:
    """Lines of `NAME=VALUE`, quoted or not, `export` before it or not, comments and blank lines; raises `Invalid`."""
    given: dict[str, Given] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = ASSIGNMENT.fullmatch(stripped)
        if not found:
            raise Invalid(f"{place}:{number}: expected NAME=VALUE, not {one_line(stripped)}")
        name, value = found[1], found[2].strip()
        if not is_ours(name):
            continue
        if name in given:
            raise Invalid(f"{place}:{number}: {name} is set twice; keep one")
        given[name] = Given(_unquoted(value, f"{place}:{number}: {name}"), f"{place}:{number}: {name}")
    return Source(place, given)


def _unquoted(value: str, place: str) -> str:
    if value[:1] not in ("'", '"'):
        # A shell takes blank and # for the beginning of a comment.
        return re.split(r"\s#", value)[0].strip()
    end = value.find(value[0], 1)
    rest = value[end + 1 :].strip()
    if end < 0 or (rest and not rest.startswith("#")):
        raise Invalid(f"{place}: the quotes do not match")
    return value[1:end]
