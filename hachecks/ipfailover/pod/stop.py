"""The end of a pod: Keepalived first, which gives its VIPs away, then the agent, which tells of that, then the rest."""

from __future__ import annotations

import contextlib
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.delivery.notifications import Queues
from hachecks.ipfailover.pod import leftovers
from hachecks.ipfailover.pod.guard import guarded
from hachecks.ipfailover.pod.pod import STOP
from hachecks.pod_report import STOPPING
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.ipfailover.pod.pod import Pod

LOOK_EVERY = 0.02
HASTENED = 1.0
"""Seconds that Keepalived has from a second SIGTERM on."""
CLOSING = 5.0
"""Seconds for the firewall to be as before, from when all else has ended: its rules harm nobody."""
READING, TELLING, ENDING = 2.0, 3.0, 4.0
"""Seconds for the agent to read what Keepalived said last, to tell it once to everybody, and to end."""
TOLD_EVERY = 0.2
"""Seconds between two looks at what waits to be told, each of which reads the history."""


class Stop:
    """Ends everything; `is_well` tells whether nothing was left and nobody had to be killed."""

    def __init__(self, pod: Pod) -> None:
        self.is_well = True
        self._pod = pod
        self._is_hastened = False
        self._next_told = 0.0

    def run(self) -> bool:
        """End everything; returns whether all is well."""
        pod = self._pod
        pod.phase = STOPPING
        served = (self._end_keepalived, self._see_vips_gone)
        # A pod that waits for our claim opens the firewall: not before we have closed it.
        for step in (*served, pod.gate.close, pod.claim.let_go, self._end_follow, self._end_agent, self._close):
            if not guarded(step, pod.teller):
                self.is_well = False
        return self.is_well

    def _wait(self, true: Callable[[], bool], seconds: float, hastened: float = 0.0) -> bool:
        """Whether it comes true within so many seconds, or fewer from a second SIGTERM on."""
        pod, until = self._pod, monotonic() + (hastened if self._is_hastened else seconds)
        while not true():
            if monotonic() >= until:
                return False
            if any(number in STOP for number in pod.signals.wait(LOOK_EVERY)) and not self._is_hastened:
                self._is_hastened = True
                until = min(until, monotonic() + hastened)
            guarded(pod.tidy_up, pod.teller)
        return True

    def _fail(self, line: str) -> None:
        self.is_well = False
        self._pod.teller.tell(line)

    def _end_keepalived(self) -> None:
        pod = self._pod
        child = pod.keepalived.child
        if child.pid:
            child.ask_to_end()
            seconds = pod.command.stop_timeout
            if not self._wait(lambda: child.has_ended() or not child.pid, seconds, HASTENED):
                why = "after a second SIGTERM" if self._is_hastened else f"within {seconds:g} s (--stop-timeout)"
                self._fail(f"Keepalived (process {child.pid}) has not ended {why} and was killed: see what it hung on")
                child.kill()
                self._wait(lambda: child.has_ended() or not child.pid, ENDING, ENDING)
        if not self._wait(pod.keepalived.has_left_nobody, ENDING, HASTENED):
            self._fail("processes of Keepalived are left, and were killed")
            pod.keepalived.has_left_nobody(at_once=True)
            self._wait(pod.keepalived.has_left_nobody, ENDING, ENDING)

    def _see_vips_gone(self) -> None:
        wanted = self._pod.configuration.in_force
        # Where ours has never run, VIPs are somebody else's.
        if wanted and self._pod.keepalived.child.has_run:
            directory = self._pod.directory if self._pod.disk.is_free() else ""
            for line in leftovers.remove(wanted.vips, wanted.settings.interface, directory):
                self._fail(line)

    def _end_follow(self) -> None:
        follow = self._pod.follow
        follow.ask_to_end()
        if follow.pid and not self._wait(lambda: follow.has_ended() or not follow.pid, ENDING, HASTENED):
            follow.kill()

    def _end_agent(self) -> None:
        pod, agent = self._pod, self._pod.agent
        if agent.pid:
            self._wait(lambda: not pod.pipe.waiting or agent.has_ended(), READING)
            if pod.disk.is_free():
                guarded(lambda: self._wait(self._is_told, TELLING), pod.teller)
            agent.ask_to_end()
            if not self._wait(lambda: agent.has_ended() or not agent.pid, ENDING, HASTENED):
                self._fail(f"the agent (process {agent.pid}) has not ended within {ENDING:g} s and was killed")
                agent.kill()
                self._wait(lambda: agent.has_ended() or not agent.pid, ENDING, ENDING)
        if pod.disk.is_free():
            pod.pipe.record()

    def _is_told(self) -> bool:
        """Whether nothing waits that could be told, or nobody is there to tell it."""
        if monotonic() < self._next_told and self._pod.agent.pid:
            return False
        self._next_told = monotonic() + TOLD_EVERY
        if self._pod.agent.has_ended():
            return True
        with contextlib.suppress(Invalid):  # hacheck.toml is wrong, which the agent tells
            return not Queues(self._pod.node, lambda _: None).untried()
        return True

    def _close(self) -> None:
        pod = self._pod
        if not self._wait(pod.gate.is_closed, CLOSING, CLOSING):
            pod.gate.give_up()
        for line in pod.gate.left:
            self._fail(line)
        if not pod.disk.is_free():
            self._fail(f"{pod.directory} hangs, and what is there is left")
            return
        pod.watchdog.close()
        pod.pipe.remove()
        pod.configuration.close()
