"""The workers: threads that run what is due, as many as it takes, and no more than there may be.

One of them leads: it waits for what is due and runs it itself, one check after the other, which takes no thread to be
woken. Before a check that took long the last time it hands the lead on; where it is held up without that, the
`Overseer` takes the lead from it.
"""

from __future__ import annotations

import gc
import threading
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.agent.check import LONG_SECONDS
from hachecks.agent.overseer import Overseer
from hachecks.agent.run import Run
from hachecks.transitions.fifo import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hachecks.agent.check import AgentCheck
    from hachecks.agent.publisher import Publisher
    from hachecks.agent.scheduler import Scheduler
    from hachecks.verdict import Verdict

STACK_BYTES = 1024 * 1024
"""Address space of a thread, where the system's default is 8 MiB: 512 of them must fit into a container's limit."""
RETIRING_SECONDS = 0.5
"""Seconds to wait for a verdict that is being published, when its check is declared no more."""


class Workers:
    """Runs checks and has their verdicts published; the first runs are spread over each check's interval.

    With `once` each check is run once. `told` is called with a check whose verdict has been published.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        publisher: Publisher,
        most: int,
        once: bool = False,
        told: Callable[[AgentCheck], None] = lambda _: None,
    ) -> None:
        self.scheduler = scheduler
        self.publisher = publisher
        self.complaints = Complaints(publisher.tell)
        self.figures = scheduler.figures
        self.most = most
        self.once = once
        self.told = told
        self.checks: list[AgentCheck] = []
        self.runs: set[Run] = set()
        self.overseer = Overseer(self)
        self.leading_since = 0.0
        """Since when the one who leads has been running a check; 0 while it runs none."""
        self._lead = threading.Lock()
        self._term = 0
        self._idle = 0
        self._lock = threading.Lock()

    def start(self, checks: Iterable[AgentCheck]) -> None:
        """Run these from now on, and no others; who is among them already goes on as it is."""
        checks, before = list(checks), self.checks
        going_on = {id(check) for check in before} & {id(check) for check in checks}
        for check in before:
            if id(check) not in going_on:
                self._retire(check)
        ends = {run.check.name: run.deadline.at for run in list(self.runs) if not run.settled}
        now = monotonic()
        self.checks = checks
        for check in checks:
            if id(check) not in going_on:
                at = now if self.once else check.first_due(now)
                self.scheduler.put(check, max(at, ends.get(check.name, 0.0)))  # never two runs of one at once
        gc.freeze()  # what is there now stays: a full collection looked through all of it, and made runs late
        self.overseer.start()
        self.support()

    replace = start

    def _retire(self, check: AgentCheck) -> None:
        """Have no verdict of it published any more, not that of the run that may be under way either."""
        held = check.lock.acquire(timeout=RETIRING_SECONDS)
        check.is_retired = True
        if held:
            check.lock.release()
        self.scheduler.remove(check)

    def support(self) -> None:
        """See to it that somebody leads, or will when the one who does is held up."""
        with self._lock:
            figures = self.figures
            if self._idle or not self._has_room:
                return
            figures.threads += 1
            self._idle += 1
        try:
            threading.stack_size(STACK_BYTES)
            threading.Thread(target=self._work, name="check", daemon=True).start()
        except RuntimeError:  # the container may have no more threads; others will do it, or the overseer tries again
            with self._lock:
                figures.threads -= 1
                self._idle -= 1
                figures.refused += 1

    @property
    def _has_room(self) -> bool:
        """Whether there may be another thread: one for each that is stuck, up to twice as many as are allowed."""
        return self.figures.threads - min(self.figures.stuck, self.most) < self.most

    def _work(self) -> None:
        while self._serve():
            with self._lock:
                if self.figures.threads - min(self.figures.stuck, self.most) > self.most:
                    self.figures.threads -= 1  # one that was stuck came back
                    return
                self._idle += 1

    def _serve(self) -> bool:
        """Lead, until what is run takes long; returns whether to go on. It is idle until it leads."""
        self._lead.acquire()
        with self._lock:
            self._idle -= 1
            self._term += 1
            term = self._term
        while (what := self.scheduler.next()) is not None:
            run = what if isinstance(what, Run) else self._begin(what)
            if run.check.takes_long:
                self._hand_on()
                self.go_on(run)
                return True
            self.leading_since = monotonic()
            self.go_on(run)
            with self._lock:
                if self._term != term:
                    return True
                self.leading_since = 0.0
        self._lead.release()
        return False

    def _begin(self, check: AgentCheck) -> Run:
        run = Run(check)
        self.runs.add(run)
        return run

    def _hand_on(self) -> None:
        with self._lock:
            self.leading_since = 0.0
            self._term += 1
        self._lead.release()
        self.support()

    def relieve(self, since: float) -> bool:
        """Let another one lead, if the one who does has been running a check since then; returns whether he has."""
        with self._lock:
            held_up = 0.0 < self.leading_since < since
            if held_up:
                self.leading_since = 0.0
                self._term += 1
                self._lead.release()
        if held_up or not self._lead.locked():
            self.support()
        return held_up

    def replace_stuck(self) -> None:
        """One thread more is stuck in a check that does not end."""
        with self._lock:
            self.figures.overdue += 1
            self.figures.stuck += 1
        self.support()

    def go_on(self, run: Run) -> None:
        """Ask, until there is an answer or something to be waited for, and publish what comes of it."""
        try:
            verdict = run.go_on()
            if verdict is None:
                assert run.pause is not None  # noqa: S101 - for the type checker
                self.scheduler.pause(run, run.pause.at)
                return
            now = monotonic()
            run.check.takes_long = now - run.resumed > LONG_SECONDS
            if run.is_notice or not self.overseer.excuses(run, verdict, now):
                self._settle(run, verdict, now)
        except Exception as error:  # noqa: BLE001 - an error of ours must not end the thread, nor the check
            # What is not published expires, and `hacheck run` looks; ten times a second it would fill the log.
            self.complaints.tell(f"{run.check.name}: {type(error).__name__}: {error}")
        if not run.is_notice:
            self._again(run)

    def _settle(self, run: Run, verdict: Verdict, now: float) -> None:
        """Publish what counts after this verdict, unless somebody has told another one, or nobody wants it."""
        check = run.check
        with check.lock:
            if run.settled:
                self.figures.late_verdicts += 1
            elif check.is_retired:
                self.figures.dropped += 1
            else:
                run.settled = True
                try:
                    self.publisher.publish(check, check.standing.after(verdict, now), run.began)
                finally:
                    self.told(check)

    def _again(self, run: Run) -> None:
        """Let the check be run again when it is due."""
        check = run.check
        self.runs.discard(run)
        if run.is_stuck:
            with self._lock:
                self.figures.stuck -= 1
        if not check.is_retired and (not self.once or check.is_excused):
            self.scheduler.put(check, check.next_due(monotonic()))
