"""The agent's delivery: a thread that tells notifiers what is recorded, as the deliverer does where no agent runs."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from hachecks.config import Configuration
from hachecks.delivery.channels import channels_of
from hachecks.delivery.delivery_log import DeliveryLog
from hachecks.delivery.loop import DeliveryLoop
from hachecks.delivery.mark import leave_mark, remove_mark
from hachecks.exporter.source import SourceHealth
from hachecks.transitions import journal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hachecks.node import Node

LOCK_INTERVAL = 0.5
"""Seconds between two tries to get the lock that a deliverer has: it ends when it has told all it knows of."""
MARK_INTERVAL = 60.0
"""Seconds after which the mark is left anew: whoever tidies up the state directory shall not start deliverers."""
REPEAT_INTERVAL = 60.0
"""Seconds after which what goes on is told again to those who would forget it, as Prometheus does it."""
NOTIFIERS, VIPS = "notifiers", "vips"
"""What is to be read anew."""
FAREWELL = 0.5
"""Seconds for which the last words are told when the agent ends."""


def validate(path: str, environ: Mapping[str, str]) -> None:
    """Raise `Invalid` where a notifier of the file cannot be built."""
    channels_of(Configuration.read(path), environ)


class DeliveryThread:
    """Holds the lock and the mark of those who deliver, so that `hacheck notify` starts no deliverer.

    It tells what its own user has recorded. Nobody waits for it: a notifier that hangs holds up the others, and not
    the end of the agent. `health` says how it fares; its `trouble` is also that of a state directory.
    """

    def __init__(self, node: Node, tell: Callable[[str], None]) -> None:
        self.node = node
        self.tell = tell
        self.health = SourceHealth("delivery", tell)
        self.delivers = False
        self._loop: DeliveryLoop | None = None
        self._wanted: deque[str] = deque()
        self._ends_at = float("inf")
        self._thread = threading.Thread(target=self._work, name="delivery", daemon=True)

    def start(self) -> None:
        """Deliver from now on, or from when another one does not any more."""
        self._thread.start()

    def configure(self) -> None:
        """Tell the notifiers that hacheck.toml declares now."""
        self._want(NOTIFIERS)

    def learn_vips(self) -> None:
        """Keepalived's configuration is another."""
        self._want(VIPS)

    def _want(self, what: str) -> None:
        self._wanted.append(what)
        self._wake()

    def _wake(self) -> None:
        if loop := self._loop:
            loop.watch.wake()

    def close(self) -> None:
        """Tell the last words, and end; the mark stays where something is left to be told, as that of a killed one."""
        self._ends_at = time.monotonic() + FAREWELL
        self._wake()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is told: all is, or there is no time left."""
        return not self._thread.is_alive() or time.monotonic() > self._ends_at + FAREWELL / 2

    def _work(self) -> None:
        while self._ends_at == float("inf"):
            with self.health.looked_at():
                self._deliver()
            if self._ends_at == float("inf"):
                time.sleep(LOCK_INTERVAL)

    def _deliver(self) -> None:
        """Deliver until the agent ends; returns at once while another one delivers. Raises `OSError`."""
        directory = journal.state_directory(self.node.places)
        try:
            tell = DeliveryLog(directory, self.tell).tell
            with DeliveryLoop.locked(directory, self.node, tell, repeat_interval=REPEAT_INTERVAL) as loop:
                self._loop, self.delivers = loop, True
                self.health.succeeded(changed=True)
                self._follow(loop)
                if loop.is_idle:
                    remove_mark(loop.reader)
                    if loop.has_more():  # whoever recorded it relied on the mark
                        leave_mark(loop.reader)
        except BlockingIOError:
            self.health.succeeded(changed=False)
        finally:
            self._loop, self.delivers = None, False

    def _follow(self, loop: DeliveryLoop) -> None:
        mark_at = time.monotonic() + MARK_INTERVAL
        while (now := time.monotonic()) < self._ends_at:
            self._do_what_is_wanted(loop)
            if now >= mark_at:
                leave_mark(loop.reader)
                mark_at = now + MARK_INTERVAL
            seconds = loop.step(now)
            self.health.succeeded(changed=False)
            if self._ends_at < float("inf") and loop.is_idle:
                return
            loop.wait(seconds)

    def _do_what_is_wanted(self, loop: DeliveryLoop) -> None:
        while self._wanted:
            wanted = self._wanted.popleft()
            (loop.configure if wanted == NOTIFIERS else loop.learn_vips)()
