"""The watches of all checks: what they hold open, and what they have run at once."""

from __future__ import annotations

import asyncio
import math
import resource
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.agent.watch import metrics, triggers
from hachecks.agent.watch.connection import ENDED, GREETS, OPEN, TALKS, Watch
from hachecks.agent.watch.links import Changes, Concerns
from hachecks.agent.watch.openers import Openers
from hachecks.agent.watch.processes import Processes
from hachecks.agent.watch.targets import MYSQL, watched
from hachecks.agent.watch.triggers import Triggers
from hachecks.exporter.beat import beat
from hachecks.exporter.source import SourceHealth
from hachecks.verdict import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Coroutine, Sequence
    from typing import Any

    from hachecks.agent.check import AgentCheck
    from hachecks.agent.watch.targets import Held
    from hachecks.exporter.body import CachedSection
    from hachecks.exporter.sources import Sources
    from hachecks.verdict import Verdict

RESERVED_FILES = 640
"""Files that are kept for all but watches: what checks open when they run must never fail for want of one."""
TICK, IDLE_TICK = 0.25, 1.0
"""Seconds between two looks at what is to be opened: a check that passes again, a pause that has passed; or at none."""


class Watches:
    """Holds a connection to each target that is to be watched, as long as its check passes.

    Its end, or that none can be opened, is a reason to run the check at once. While the check fails nothing is opened:
    its own runs say when the server is back.
    """

    def __init__(
        self,
        checks: Callable[[], Sequence[AgentCheck]],
        trigger: Callable[[AgentCheck], None],
        tell: Callable[[str], None],
    ) -> None:
        self._checks = checks
        self._known: Sequence[AgentCheck] = ()
        self.triggers = Triggers(trigger)
        self.tell = tell
        self.watches: list[Watch] = []
        self.processes = Processes(self._process_ended, tell)
        self._changes = Changes()
        self._concerns = Concerns(())
        self.most = max(0, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_FILES)
        self._told_of_files = False
        self._health = SourceHealth("watches", tell)
        self._openers: Openers

    def tasks(self, sources: Sources) -> list[Coroutine[Any, Any, None]]:
        """What runs on the loop."""
        sources.addresses.message_listeners.append(lambda message: self._hear(message, sources.addresses.on))
        return [self.run(), self.processes.run()]

    def section(self) -> CachedSection:
        """What is told of it."""
        return metrics.section(self)

    def held(self) -> list[tuple[str, int]]:
        """For how many targets of a check a connection is held, by the check's name."""
        counts: Counter[str] = Counter()
        for watch in self.watches:
            counts[watch.check.name] += watch.held is not None
        return list(counts.items())

    async def run(self) -> None:
        """Watch until it is cancelled."""
        self._openers = Openers(asyncio.get_running_loop(), self._opened)
        try:
            while True:
                with self._health.looked_at():
                    self._follow_configuration()
                    self._open_what_may_be()
                    self.triggers.release()
                    self._health.succeeded(changed=False)
                await beat(TICK if self.watches or self.triggers.are_waiting else IDLE_TICK)
        finally:
            self._openers.close()
            for watch in self.watches:
                self._close(watch)

    def _follow_configuration(self) -> None:
        """Watch for the checks that there are now; what is watched for one that is still there goes on."""
        checks = self._checks()
        if checks == self._known:
            return
        self._known = list(checks)
        self.triggers.keep(self._known)
        self._concerns = Concerns(self._known)
        self.processes.want({one.name: one.schedule.process for one in self._known if one.schedule.process})
        before = {id(watch.check) for watch in self.watches}
        wanted = {id(check): check for check in self._known if check.schedule.watch}
        for watch in self.watches:
            if id(watch.check) not in wanted:
                self._close(watch)
        self.watches = [watch for watch in self.watches if not watch.is_closed]
        for number, check in wanted.items():
            if number not in before:
                self.watches += [Watch(check, one) for one in watched(check.probe)]

    def _open_what_may_be(self) -> None:
        now = monotonic()
        coming = [watch for watch in self.watches if watch.may_be_opened(now)]
        room = self.most - sum(watch.is_open for watch in self.watches) if coming else 0
        for watch in coming[: max(0, room)]:
            self._openers.open(watch)
            watch.is_open = True
            watch.next = math.inf
        if len(coming) > room and not self._told_of_files:
            self._told_of_files = True
            self.tell(f"only {self.most} connections are held, so that files are left for the checks (ulimit -n)")

    def _opened(self, watch: Watch, verdict: Verdict, held: Held | None) -> None:
        if held is None:
            watch.let_go()
            if watch.is_closed:
                return
            if verdict.status is Status.FAIL:
                self._fire(watch)
            elif verdict.kind == "mysql":
                watch.give_up()
            self._tell_once(watch, verdict.reason if verdict.status is Status.UNKNOWN else "")
        elif watch.is_closed:
            held.leave()
        else:
            asyncio.get_running_loop().add_reader(watch.hold(held), self._readable, watch)

    def _tell_once(self, watch: Watch, line: str) -> None:
        if line and line != watch.told:
            watch.told = line
            self.tell(f"{watch.check.name}: it is not watched: {line}")

    def _readable(self, watch: Watch) -> None:
        found = watch.look()
        if found == OPEN:
            return
        if found == ENDED:
            self._fire(watch)
        self._let_go(watch)
        if found == TALKS:
            watch.pause_long()
            self._tell_once(watch, f"{watch.watched.target} does not wait to be asked, but sends on and on")
        elif found == GREETS:
            watch.give_up()
            self._tell_once(watch, f"{watch.watched.target} {MYSQL}")

    def _process_ended(self, name: str) -> None:
        for check in self._known:
            if check.name in self.processes.checks_of(name):
                self.triggers.fire(check, triggers.PROCESS)

    def _hear(self, message: Any, known: Container[str]) -> None:
        change = self._changes.of(message, known)
        for check in self._concerns.of(change) if change else ():
            self.triggers.fire(check, triggers.LINK)

    def _fire(self, watch: Watch) -> None:
        """Run the check, unless its last run has said already that something is wrong."""
        if watch.check.good:
            watch.seen = watch.check.results
            self.triggers.fire(watch.check, triggers.CONNECTION)

    def _let_go(self, watch: Watch) -> None:
        if watch.held is not None:
            asyncio.get_running_loop().remove_reader(watch.held.sock.fileno())
        watch.let_go()

    def _close(self, watch: Watch) -> None:
        watch.is_closed = True
        self._let_go(watch)
