"""What preflight found: one line with its cure, and what is to come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal

TOLD = 3
"""Things of a kind that a line names; of more it has the number."""


class Finding(NamedTuple):
    """One line: what, where, and the cure.

    `fatal`: nothing can come of it, and whoever asked ends. `wait`: Keepalived would do harm or nothing, and is not
    started until it is gone. `warn`: it is said, and Keepalived is started. `place` is that of a rule of the firewall
    that is to blame.
    """

    text: str
    kind: Literal["fatal", "wait", "warn"]
    place: str = ""


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b, c and 4 more`."""
    found: Sequence[str] = list(names)
    told, more = found[:TOLD], len(found) - TOLD
    if more > 0:
        return f"{', '.join(told)} and {more} more"
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)
