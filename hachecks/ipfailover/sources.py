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
    from collections.abc import Callable, Iterator, Mapping

    from typing_extensions import TypeAlias

    from hachecks.ipfailover.resources import Container

    Refuse: TypeAlias = Callable[[Place, str], None]

ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII | re.DOTALL)


class Source(NamedTuple):
    """A configuration as it is given: what it is called in messages, its variables, and its stock version if told.

    `container` has them where they are a pod's, and `partial` says that there are more, which are not known here.
    `ledger` is the text of the ledger that the pod has.
    """

    place: Place
    given: Mapping[str, Given]
    stock: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    container: Container | None = None
    partial: bool = False
    ledger: Given | None = None


def refuse(place: Place, why: str) -> None:
    """Raise `Invalid` for what is wrong at a place; who tells all that is wrong does otherwise."""
    raise Invalid(f"{place}: {why}")


def environment(environ: Mapping[str, str]) -> Source:
    """What this process was started with."""
    given = {name: Given(text, name) for name, text in environ.items() if is_ours(name)}
    return Source(Place("the environment"), given)


def env_file(text: str, place: str, refuse: Refuse = refuse) -> Source:
    """Lines of `NAME=VALUE`, quoted or not, `export` before it or not, comments and blank lines; the rest is refused.

    What is between quotes may go over several lines. A shell takes the last of two lines of one name.
    """
    given: dict[str, Given] = {}
    for number, line in _lines(text):
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


def env_text(variables: Mapping[str, str]) -> str:
    """An env file that `env_file` reads as these variables; raises `ValueError` naming one that no quotes can hold."""
    return "".join(f"{name}={_quoted(name, text.strip())}\n" for name, text in variables.items())


def _quoted(name: str, text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_./,:=@%+-]*", text, re.ASCII):
        return text
    mark = next((one for one in ("'", '"') if one not in text), "")
    # Without quotes a text ends with its line, and before a comment.
    if not mark and (text[0] in ("'", '"') or re.search(r"\s#|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text)):
        raise ValueError(f"{name}: it has both kinds of quotes, which no env file can hold; keep to one kind")
    return f"{mark}{text}{mark}"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers, those of a value between quotes taken together."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        first, line = number, lines[number]
        found = ASSIGNMENT.fullmatch(line.strip())
        mark = found[2].strip()[:1] if found else ""
        if found and mark in ("'", '"') and mark not in found[2].strip()[1:]:
            end = next((later for later in range(first + 1, len(lines)) if mark in lines[later]), first)
            line = "\n".join([line.lstrip(), *lines[first + 1 : end + 1]])
            number = end
        number += 1
        yield first + 1, line


def is_env_file(text: str) -> bool:
    """Whether a text is lines of `NAME=VALUE`, of which one is a variable of ours."""
    lines = [line for line in (one.strip() for _, one in _lines(text)) if line and not line.startswith("#")]
    found = [ASSIGNMENT.fullmatch(line) for line in lines]
    return all(found) and any(is_ours(one[1]) for one in found if one)


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
