"""What the agent remembers between two runs of the members of compositions: their streaks, in memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hachecks.checks.runner import counted
from hachecks.checks.streak import Streak

if TYPE_CHECKING:
    from hachecks.checks.runner import RunOptions
    from hachecks.deadline import Deadline
    from hachecks.verdict import Verdict


class StreaksInMemory:
    """The streaks of members, by the name of the composition and theirs in it."""

    def __init__(self) -> None:
        self._streaks: dict[str, Streak] = {}
        self._lock = threading.Lock()

    def counted(self, verdict: Verdict, options: RunOptions, name: str, deadline: Deadline) -> Verdict:  # noqa: ARG002
        """The verdict that counts, given the runs before."""
        if not options.needs_memory:
            return verdict
        good = options.counts_as_good(verdict.status)
        with self._lock:
            before = self._streaks.get(name)
            streak = before.after(good, options.rise, options.fall) if before else Streak(good, 0)
            self._streaks[name] = streak
        return counted(verdict, streak, options)
