"""The overseer: a thread of its own that looks for checks that do not end, and for an agent that stood still."""

from __future__ import annotations

import threading
from time import monotonic, sleep
from typing import TYPE_CHECKING

from hachecks.agent.run import Run
from hachecks.verdict import Verdict, in_words

if TYPE_CHECKING:
    from hachecks.agent.workers import Workers
    from hachecks.deadline import Deadline

TICK = 0.1
"""Seconds between two looks."""
HELD_UP = 0.01
"""Seconds for which others wait for one check, until another thread takes the lead."""
GRACE = 0.1
"""Seconds beyond its deadline in which a check that keeps it has ended, however busy the machine is."""
STALL = 0.2
"""Seconds without a look, after which the agent has stood still: it was stopped, or had no processor."""
AGAIN = 1.0
"""Seconds that a run has after that, and no more than its whole time: what kept the agent may not be over."""


class Overseer:
    """Looks after the workers.

    A run that overruns its deadline is told as FAIL, once, and its verdict is thrown away when it comes after all;
    until then the check is not run again, and what was told expires, so that `hacheck run` looks by itself. When the
    agent itself stood still, no run is blamed for that.
    """

    def __init__(self, workers: Workers) -> None:
        self.workers = workers
        self.beat = self.stalled_at = 0.0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look from now on; once is enough."""
        if self._thread is None:
            self.beat = monotonic()
            self._thread = threading.Thread(target=self._oversee, name="overseer", daemon=True)
            self._thread.start()

    def _oversee(self) -> None:
        pause = TICK
        while not self.workers.scheduler.closed:
            sleep(pause)
            # Where one is held up, the next is as well when all ask what has gone silent.
            pause = HELD_UP if self.look(monotonic()) else TICK

    def look(self, now: float) -> bool:
        """Look once; returns whether others were held up."""
        workers = self.workers
        if now - self.beat > STALL:
            self.stalled_at = now
            workers.figures.stalls += 1
        self.beat = now
        held_up = workers.relieve(now - HELD_UP)
        if now - self.stalled_at > GRACE:
            for run in list(workers.runs):
                if now > self._ends(run) + GRACE and not run.settled and run.pause is None:
                    self._time_out(run, now)
        return held_up

    def _ends(self, run: Run) -> float:
        """When a run has had its time, and some of it again where the agent stood still meanwhile."""
        again = self.stalled_at + min(run.deadline.seconds, AGAIN) if self.stalled_at > run.began else 0.0
        return max(run.deadline.at, again)

    def _time_out(self, run: Run, now: float) -> None:
        """Have somebody else than the thread that is stuck say that the check gave no answer."""
        check = run.check
        if not check.lock.acquire(blocking=False):
            return  # its verdict is being published just now
        try:
            if run.settled:
                return
            run.settled = run.is_stuck = True
        finally:
            check.lock.release()
        notice = Run(check)
        notice.began, notice.pause, notice.is_notice = run.began, Overrun(check.probe.subject, now), True
        self.workers.replace_stuck()
        self.workers.scheduler.pause(notice, now - check.early)

    def excuses(self, run: Run, verdict: Verdict, now: float) -> bool:
        """Whether a bad verdict is not to be believed, once: the agent stood still while it was found."""
        check = run.check
        stood_still = self.stalled_at > run.began or now - self.beat > STALL
        is_bad = not check.options.counts_as_good(verdict.status)
        check.is_excused = stood_still and is_bad and not check.is_excused and not run.settled
        self.workers.figures.excused += check.is_excused
        return check.is_excused


class Overrun:
    """What stands for the answer of a run that does not end."""

    def __init__(self, subject: str, at: float) -> None:
        self.subject = subject
        self.began = self.at = at

    def end(self, deadline: Deadline) -> Verdict:
        """FAIL."""
        told = f"{self.subject} gave no answer within {in_words(deadline.seconds)}, and the check does not end"
        return Verdict.failing(told, "timeout")
