"""What the pod's first process tells: each thing when it is new, and once a minute what keeps coming."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

AGAIN = 60.0
"""Seconds after which what keeps coming is told again."""
LONGEST = 1000
MOST = 256


def shortened(line: str) -> str:
    """A line that is not too long for anybody: what it names may be what others wrote."""
    shown = visible(line[: LONGEST + 1])
    return shown if len(line) <= LONGEST else f"{shown[:LONGEST]}…"


class Teller:
    """Lines for people, on standard error."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._said: frozenset[str] = frozenset()
        self._quiet_until: dict[str, float] = {}

    def tell(self, line: str) -> None:
        """Tell it."""
        self._complain(f"run: {shortened(line)}")

    def news(self, lines: Collection[str]) -> None:
        """Tell those that were not there the last time."""
        for line in lines:
            if line not in self._said:
                self.tell(line)
        self._said = frozenset(lines)

    def rarely(self, line: str) -> None:
        """Tell it, and not again within a minute."""
        now = monotonic()
        if now >= self._quiet_until.get(line, 0.0):
            if len(self._quiet_until) >= MOST:
                self._quiet_until.clear()
            self._quiet_until[line] = now + AGAIN
            self.tell(line)
