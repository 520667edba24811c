"""Triggers: a check is run at once for a cause, so many times a second at most; what is too much waits."""

from __future__ import annotations

from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hachecks.agent.check import AgentCheck

CONNECTION, LINK, PROCESS = "connection", "link", "process"
CAUSES = (CONNECTION, LINK, PROCESS)
RATE, BURST = 2.0, 4
"""Triggers of one check: so many a second, after so many at once. A server that crash-loops is no reason for more."""
RATE_OF_ALL, BURST_OF_ALL = 250.0, 500
"""And of all checks together: a link that flaps must not take the processor that Keepalived needs just then."""


class Allowance:
    """So many at once, and so many a second after that; `now` is seconds of the monotonic clock."""

    __slots__ = ("at", "burst", "left", "rate")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self.rate, self.burst = rate, burst
        self.left, self.at = float(burst), now

    def has_one(self, now: float) -> bool:
        """Whether one more is allowed now."""
        self.left = min(float(self.burst), self.left + (now - self.at) * self.rate)
        self.at = now
        return self.left >= 1

    def take(self) -> None:
        """Count one."""
        self.left -= 1


class Triggers:
    """Has checks run at once. What is one too many waits until it is not, and comes to one run with those after it."""

    def __init__(self, trigger: Callable[[AgentCheck], None]) -> None:
        self._trigger = trigger
        self._of_all = Allowance(RATE_OF_ALL, BURST_OF_ALL, monotonic())
        self._of_each: dict[str, Allowance] = {}
        self._waiting: dict[str, tuple[AgentCheck, str]] = {}
        self.made: Counter[tuple[str, str]] = Counter()
        self.held_back: Counter[tuple[str, str]] = Counter()

    def fire(self, check: AgentCheck, cause: str) -> None:
        """Run the check now, or as soon as it may be."""
        if check.name in self._waiting or not self._is_allowed(check):
            self._waiting.setdefault(check.name, (check, cause))
            self.held_back[check.name, cause] += 1
            return
        self.made[check.name, cause] += 1
        self._trigger(check)

    def _is_allowed(self, check: AgentCheck) -> bool:
        now = monotonic()
        own = self._of_each.setdefault(check.name, Allowance(RATE, BURST, now))
        if not own.has_one(now) or not self._of_all.has_one(now):
            return False
        own.take()
        self._of_all.take()
        return True

    @property
    def are_waiting(self) -> bool:
        """Whether there is something to be released."""
        return bool(self._waiting)

    def release(self) -> None:
        """Run those that have waited long enough; to be called a few times a second."""
        for name, (check, cause) in list(self._waiting.items()):
            if self._is_allowed(check):
                del self._waiting[name]
                self.made[name, cause] += 1
                self._trigger(check)

    def keep(self, checks: Iterable[AgentCheck]) -> None:
        """Forget what is none of these checks."""
        names = {check.name: check for check in checks}
        self._waiting = {name: (names[name], waits[1]) for name, waits in self._waiting.items() if name in names}
        self._of_each = {name: own for name, own in self._of_each.items() if name in names}
        for counts in (self.made, self.held_back):
            for key in [key for key in counts if key[0] not in names]:
                del counts[key]
