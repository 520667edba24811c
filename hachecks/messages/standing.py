"""What still stands on a node: for services that forget a problem unless they are told of it again and again."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Standing(NamedTuple):
    """The state of each instance and group of a node, by kind and name, and the seconds until it is told the next time.

    `state_dir` is where notifiers may remember something.
    """

    node: str
    states: Mapping[tuple[str, str], str]
    interval: float
    state_dir: str
