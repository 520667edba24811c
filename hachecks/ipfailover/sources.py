"""Sources of the variables: the environment and env files; `workloads` has those in YAML.

No shell sees any of it, and nothing is expanded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.settings import is_ours
from hachecks.ipfailover.variable import Given, Place
from hachecks.settings import Invalid
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import TypeAlias

    from hachecks.ipfailover.resources import Container

    Refuse: TypeAlias = Callable[[Place, str], None]

ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII)


class Source(NamedTuple):
    """A configuration as it is given: what it is called in messages, its variables, and its stock version if told.

    `container` has them where they are a pod's, and `partial` says that there are more, which are not known here.
    """

    place: Place
    given: Mapping[str, Given]
    stock: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    container: Container | None = None
    partial: bool = False


def refuse(place: Place, why: str) -> None:
    """Raise `Invalid` for what is wrong at a place; who tells all that is wrong does otherwise."""
    raise Invalid(f"{place}: {why}")


def environment(environ: Mapping[str, str]) -> Source:
    """What this process was started with."""
    given = {name: Given(text, name) for name, text in environ.items() if is_ours(name)}
    return Source(Place("the environment"), given)


def env_file(text: str, place: str, refuse: Refuse = refuse) -> Source:
    """Lines of `NAME=VALUE`, quoted or not, `export` before it or not, comments and blank lines; the rest is refused.

    A shell takes the last of two lines of one name.
    """
    given: dict[str, Given] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        at = Place(f"{place}:{number}", place, number)
        found = ASSIGNMENT.fullmatch(stripped)
        if not found:
            refuse(at, f"expected NAME=VALUE, not {one_line(stripped)}")
            continue
        name, value = found[1], found[2].strip()
        if not is_ours(name):
            continue
        if name in given:
            refuse(at, f"{name} is set twice; keep one")
        at = Place(f"{place}:{number}: {name}", place, number, name)
        unquoted = _unquoted(value)
        if unquoted is None:
            refuse(at, "the quotes do not match")
            continue
        given[name] = Given(unquoted, at)
    return Source(Place(place, place), given)


def _unquoted(value: str) -> str | None:
    """The text between quotes, or up to a comment; None where quotes do not match."""
    if value[:1] not in ("'", '"'):
        # A shell takes blank and # for the beginning of a comment.
        return re.split(r"\s#", value)[0].strip()
    end = value.find(value[0], 1)
    rest = value[end + 1 :].strip()
    if end < 0 or (rest and not rest.startswith("#")):
        return None
    return value[1:end]
