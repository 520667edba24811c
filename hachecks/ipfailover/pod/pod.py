"""The pod's first process at work: it looks each second, and at once when a signal comes or a child ends."""

from __future__ import annotations

import os
import signal
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from hachecks import pod_report
from hachecks.ipfailover.pod import commands, conf_file, leftovers, standing
from hachecks.ipfailover.pod.before import Before
from hachecks.ipfailover.pod.child import Child
from hachecks.ipfailover.pod.disk import MOMENT, PATIENCE
from hachecks.ipfailover.pod.gate import Gate
from hachecks.ipfailover.pod.guard import guarded
from hachecks.ipfailover.pod.keepalived import STOPPED_PATIENCE, Keepalived
from hachecks.ipfailover.pod.reaper import Reaper
from hachecks.ipfailover.pod.texts import Watch
from hachecks.ipfailover.pod.watchdog import Watchdog
from hachecks.pod_report import PREFLIGHT, RUNNING

if TYPE_CHECKING:
    from hachecks.ipfailover.commands.run import RunCommand
    from hachecks.ipfailover.pod.claim import Claim
    from hachecks.ipfailover.pod.configuration import Configuration
    from hachecks.ipfailover.pod.pipe import Pipe
    from hachecks.ipfailover.pod.signals import Signals
    from hachecks.ipfailover.pod.teller import Teller
    from hachecks.ipfailover.render.target import Target
    from hachecks.node import Node
    from hachecks.pod_report import PodReport

STOP = (signal.SIGTERM, signal.SIGINT)
QUIET = 2.0
"""Seconds before that instant in which nothing is begun that takes time."""
HURRIED = 0.05
"""Seconds between two looks while a child ends or reloads."""


class Pod:
    """All that runs in it, and the order in which it is looked after."""

    def __init__(
        self,
        command: RunCommand,
        node: Node,
        directory: str,
        configuration: Configuration,
        pipe: Pipe,
        signals: Signals,
        teller: Teller,
    ) -> None:
        self.command, self.node, self.directory = command, node, directory
        self.configuration, self.pipe, self.signals, self.teller = configuration, pipe, signals, teller
        self.disk = configuration.disk
        self.keepalived = Keepalived(command, node.environ)
        self.agent = Child("the agent")
        self.follow = Child("following Services")
        self.before = Before(command.preflight, teller)
        self.gate = Gate()
        self.reaper = Reaper()
        self.phase = PREFLIGHT
        self.is_to_end = False
        self._drain_file = ""
        self._asked = self._is_clearing = self._is_leaving = False
        self.watchdog = Watchdog(directory)
        self._toml = Watch()
        self._toml.follow([node.config])
        self._next_look = 0.0

    @property
    def claim(self) -> Claim:
        """The ids that are ours alone on this node."""
        return self.configuration.claim

    @property
    def children(self) -> tuple[Child, ...]:
        """Those that are started again."""
        return self.keepalived.child, self.agent, self.follow

    def work(self) -> None:
        """Until a signal says that it is to end, or nothing can come of it."""
        self._is_clearing = True  # of what a Keepalived before us may have left
        while not self.is_to_end and not self.before.fatal:
            self.step()
            for number in self.signals.wait(self._pause()):
                guarded(lambda number=number: self._heed(number), self.teller)  # type: ignore[misc]

    def step(self) -> None:
        """One look at everything."""
        looks = (self._configure, self.gate.look, self._look_after_agent, self._look_after_follow)
        for look in (*looks, self._look_after_keepalived, self.tidy_up):
            guarded(look, self.teller)

    def tidy_up(self) -> None:
        """What is due each second, whatever else happens."""
        if monotonic() < self._next_look:
            return
        self._next_look = monotonic() + pod_report.EVERY
        if not self.command.agent:
            self.pipe.record()
        self.reaper.look([self.gate.pid, *(one.pid for one in self.children)])
        self.tell_news()
        report = standing.report(self)
        self.disk.do(lambda: self._write(report), "the agent is not told how this pod fares", MOMENT)

    def _write(self, report: PodReport) -> None:
        try:
            report.write(self.directory)
        except OSError:
            # An old one says that we hang, and has kubelet end the pod.
            conf_file.remove(os.path.join(self.directory, pod_report.NAME))
            raise

    def tell_news(self) -> None:
        """Tell what is wrong since it was told last."""
        self.teller.news([*standing.findings(self), *filter(None, [self.configuration.held])])

    def _pause(self) -> float:
        """Seconds until the next look, unless a signal comes."""
        left = self.configuration.seconds_left
        looks = self.before.is_looking or self.configuration.newcomers.is_looking
        busy = self.keepalived.is_reloading() or self._is_clearing or looks
        return min(left, HURRIED if busy else max(0.0, self._next_look - monotonic()))

    def _heed(self, number: int) -> None:
        if number in STOP:
            self.is_to_end = True
        elif number == signal.SIGHUP:
            self._asked = self.keepalived.is_asked = True
            self.agent.signal(number)
        elif number != signal.SIGCHLD:
            self.keepalived.child.signal(number)

    def _configure(self) -> None:
        asked, self._asked = self._asked, False
        if not guarded(lambda: self._judge(asked=asked), self.teller):
            self.configuration.fail()

    def _judge(self, *, asked: bool) -> None:
        if self.configuration.look(asked=asked):
            self._is_leaving = False
            self._remember()
            self.tell_news()  # before it serves what is new

    def _look_after_agent(self) -> None:
        if not self.command.agent:
            return
        wanted = self.configuration.in_force
        drain_file = wanted.settings.drain_file if wanted else ""
        if self.agent.has_ended():
            self.teller.rarely(f"the agent has ended ({self.agent.in_words()}); it is started again")
        if self.agent.pid:
            if drain_file != self._drain_file:
                self._drain_file = drain_file
                self.agent.ask_to_end()
            if self._toml.has_changed():
                self.agent.signal(signal.SIGHUP)
            if self.watchdog.is_silent():
                self.teller.tell(f"the agent (process {self.agent.pid}) hangs, and is killed")
                self.agent.kill()
        elif monotonic() >= self.agent.due:
            self._drain_file = drain_file
            words = commands.of_agent(self.command, self.pipe.path, drain_file)
            self.agent.start(words, {**commands.environ_of(self.node), **self.watchdog.environ})
            self.watchdog.begin()

    def _look_after_follow(self) -> None:
        if not self.command.follow_services:
            return
        if self.follow.has_ended():
            self.teller.rarely(f"{self.follow.name} has ended ({self.follow.in_words()}); it is started again")
        if not self.follow.pid and monotonic() >= self.follow.due:
            self.follow.start(commands.of_follow(self.command), commands.environ_of(self.node))

    def _look_after_keepalived(self) -> None:
        wanted, child = self.configuration.in_force, self.keepalived.child
        if child.has_ended():
            self._is_clearing = True
            if not self._is_leaving:
                self.teller.rarely(f"Keepalived has ended ({child.in_words()}); it is started again")
        if wanted is None:
            return
        if child.pid:
            if self.keepalived.end_if_stopped():
                self.teller.tell(f"Keepalived was stopped for {STOPPED_PATIENCE:g} s with its VIPs here, and is killed")
            elif wanted.target:
                self._is_open(wanted.target)
                if self.disk.is_free() and self.keepalived.keep_up(wanted):
                    self.claim.keep(wanted.target)
            elif not self._is_leaving:
                self._is_leaving, self.phase = True, PREFLIGHT
                self.before.again()
                child.ask_to_end()
            return
        if wanted.target and not self.claim.take(wanted.target):
            return  # VIPs that are here are another's
        if self._is_clearing and not self.clear():
            return
        if wanted.target is None:
            self.claim.let_go()
            self.gate.close()  # when its last advert has gone out
            self.phase = RUNNING  # a node that the plan does not have is ready: a roll-out goes past it
            return
        if monotonic() < child.due or not self._is_open(wanted.target):
            return
        if self.disk.is_free() and self.before.may_begin(wanted):
            self._remember()
            self.tell_news()  # before the first advert
            self.keepalived.start(wanted)
            self.phase = RUNNING

    def _is_open(self, target: Target) -> bool:
        """Have the firewall open, but for the last moments before an instant at which all nodes reload."""
        if self.configuration.seconds_left > QUIET:
            self.gate.open(target, self.configuration.coming)
        return self.gate.is_open

    def _remember(self) -> None:
        """Note the VIPs that Keepalived is going to have; on a full disk it has them all the same."""
        wanted = self.configuration.in_force
        if wanted and wanted.target:
            vips, interface = wanted.vips, wanted.settings.interface
            remember = partial(leftovers.remember, self.directory, vips, interface)
            self.disk.do(remember, "a VIP may stay that leaves the configuration and is left by a killed pod", PATIENCE)

    def clear(self) -> bool:
        """See that a Keepalived that has ended has left nothing; returns whether that is done."""
        wanted = self.configuration.in_force
        if not self.keepalived.has_left_nobody():
            return False
        self._is_clearing = False
        if wanted:
            directory = self.directory if self.disk.is_free() else ""
            for line in leftovers.remove(wanted.vips, wanted.settings.interface, directory):
                self.teller.tell(line)
        return True
