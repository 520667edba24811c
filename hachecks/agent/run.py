"""One run of a check: when it began, and whether anybody has told what came of it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from hachecks.checks.runner import attempt, begin, end
from hachecks.deadline import Deadline
from hachecks.verdict import Verdict

if TYPE_CHECKING:
    from hachecks.agent.check import AgentCheck
    from hachecks.probes import Pause


class Run:
    """A run; `began` is a monotonic instant, and `resumed` the one at which it went on after a pause.

    `settled` says that its verdict is told, and `is_stuck` that this is because it did not end. `is_notice` is what
    stands for such a run, and tells the verdict.
    """

    __slots__ = ("began", "check", "deadline", "is_notice", "is_stuck", "pause", "resumed", "settled")

    def __init__(self, check: AgentCheck) -> None:
        self.check = check
        self.began = self.resumed = monotonic()
        self.deadline = Deadline(self.began + check.options.timeout, check.options.timeout)
        self.pause: Pause | None = None
        self.settled = self.is_stuck = self.is_notice = False

    def go_on(self) -> Verdict | None:
        """The verdict, or None where it pauses: it is to go on at `pause.at`."""
        pause = self.pause
        if pause is not None:
            self.pause = None
            self.resumed = monotonic()
            waited = self.resumed - pause.began  # for nothing that the target has to do with
            return end(self.check.probe, pause, self.check.options, self.deadline, self.began + waited)
        check = self.check
        if check.patient is None:
            return attempt(check.probe, check.options, self.deadline)
        answer = begin(check.patient, check.options, self.deadline, self.began)
        if isinstance(answer, Verdict):
            return answer
        self.pause = answer
        return None
