"""The progress of the workers: whether what is due is run, or all of them hang."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from hachecks.verdict import in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hachecks.agent.check import AgentCheck
    from hachecks.agent.figures import Figures

STALL_SECONDS = 10.0
"""Seconds for which something is due and nothing is begun, after which the workers hang."""
LOOK_SECONDS = 5.0
"""Seconds without a look after which this process itself stood still, and nobody is to blame for that time."""


class Progress:
    """Is asked each second or so (`look`); `trouble` says in a few words what hangs, and is empty while all is well."""

    def __init__(
        self, figures: Figures, checks: Callable[[], Iterable[AgentCheck]], clock: Callable[[], float] = monotonic
    ) -> None:
        self.figures = figures
        self.checks = checks
        self.clock = clock
        self.trouble = ""
        self._runs = -1
        self._since = self._looked = clock()

    def look(self) -> str:
        """Look whether a run has begun since, where one was due; returns the trouble."""
        now = self.clock()
        if self.figures.runs != self._runs or now - self._looked > LOOK_SECONDS:
            self._runs, self._since = self.figures.runs, now
        self._looked = now
        self.trouble = ""
        if now - self._since > STALL_SECONDS:
            late = max((now - due for check in self.checks() if (due := check.due) is not None), default=0.0)
            if late > STALL_SECONDS:
                self.trouble = f"no check has begun for {in_words(now - self._since)}, and one is due"
        return self.trouble
