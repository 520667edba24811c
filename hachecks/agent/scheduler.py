"""The scheduler: what is due next, and a way to wait for it that no clock set anew prolongs."""

from __future__ import annotations

import heapq
import itertools
import os
import select
import threading
from time import monotonic
from typing import TYPE_CHECKING, Union

from hachecks.agent.check import AgentCheck
from hachecks.agent.figures import Figures
from hachecks.agent.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_SLEEP = 1.0
What = Union[AgentCheck, Run]
"""A check that is to be run, or a run that goes on after a pause."""


class Scheduler:
    """Checks by the instant at which they are due, in seconds of the monotonic clock.

    A check that runs is not in it, so that there are never two runs of one at once. Checks are taken a little before
    they are due (`AgentCheck.early`), and what pauses goes on a little later, so that one waking serves several:
    after each the processor's caches are cold, and all takes three times as long.
    """

    def __init__(self, clock: Callable[[], float] = monotonic, figures: Figures | None = None) -> None:
        self.figures = figures or Figures()
        self.closed = False
        self._clock = clock
        self._lock = threading.Lock()
        self._due: list[tuple[float, int, AgentCheck]] = []
        self._pausing: list[tuple[float, int, Run, float]] = []
        self._numbers = itertools.count()
        self._sleeps_until = 0.0
        # Not a lock's timeout: before Python 3.11 that is kept by the wall clock, and a day long when that is set back.
        self._bell, self._ringer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)

    def put(self, check: AgentCheck, at: float) -> None:
        """Let it be run at this instant, or at once when it has been triggered meanwhile."""
        with self._lock:
            if check.is_triggered:
                check.is_triggered = False
                at = min(at, self._clock())
            self._push(check, at)

    def pause(self, run: Run, at: float) -> None:
        """Let a run go on after this instant, at the latest by as much later as its check may be early."""
        at_last = at + run.check.early
        with self._lock:
            heapq.heappush(self._pausing, (at_last, next(self._numbers), run, at))
            if at_last < self._sleeps_until:
                self._ring()

    def trigger(self, check: AgentCheck) -> None:
        """Let it be run at once; one that runs just now is run again."""
        with self._lock:
            self.figures.triggered += 1
            now = self._clock()
            if check.due is None:
                check.is_triggered = True
            elif check.due > now:
                self._push(check, now)

    def remove(self, check: AgentCheck) -> None:
        """Let it not be run any more, unless it is put again."""
        with self._lock:
            check.due = None
            check.is_triggered = False

    def _push(self, check: AgentCheck, at: float) -> None:
        check.due = at
        heapq.heappush(self._due, (at, next(self._numbers), check))
        if at < self._sleeps_until:
            self._ring()

    def _ring(self) -> None:
        self._sleeps_until = 0.0
        try:
            os.write(self._ringer, b"!")
        except BlockingIOError:  # it rings already
            pass

    def due_by(self, now: float) -> What | None:
        """What is due by now, taken out of here; None where nothing is."""
        with self._lock:
            if self._pausing and self._pausing[0][3] <= now:
                return heapq.heappop(self._pausing)[2]
            due = self._due
            while due:
                at, _, check = due[0]
                if check.due != at:
                    heapq.heappop(due)  # it was triggered since, or removed
                    continue
                if at > now + check.early:
                    return None
                heapq.heappop(due)
                check.due = None
                check.was_due = at
                self.figures.began(now - at)
                return check
        return None

    def wakes_at(self, now: float) -> float:
        """When something is due for which nothing else is waited, a second from now at most."""
        at = now + LONGEST_SLEEP
        if self._due:
            at = min(at, self._due[0][0])
        if self._pausing:
            at = min(at, self._pausing[0][0])
        return at

    def next(self) -> What | None:
        """What is due, as soon as it is; None when the scheduler is closed. One thread at a time may wait here."""
        while not self.closed:
            now = self._clock()
            what = self.due_by(now)
            if what is not None:
                return what
            with self._lock:
                at = self.wakes_at(now)
                self._sleeps_until = at
            if at > now:
                self._sleep(at - now)
        return None

    def _sleep(self, seconds: float) -> None:
        rung = self._poll.poll(seconds * 1000)
        self._sleeps_until = 0.0
        if rung:
            try:
                os.read(self._bell, 4096)
            except BlockingIOError:
                pass

    def close(self) -> None:
        """Send all threads home."""
        self.closed = True
        with self._lock:
            self._ring()
