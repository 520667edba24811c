"""The deliverer: a process that the first notify of a storm starts where no agent runs, and that ends by itself."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from hachecks.delivery.delivery_log import DeliveryLog
from hachecks.delivery.loop import DeliveryLoop
from hachecks.delivery.mark import leave_mark, remove_mark
from hachecks.delivery.starting import is_delivering
from hachecks.delivery.storm import PACE, Pace
from hachecks.node import Node, NodeOptions
from hachecks.settings import settings
from hachecks.transitions import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hachecks.registry import Output

IDLE_EXIT_SECONDS = 5.0
"""Seconds for which the deliverer waits for more when everything has been told."""
CONFIGURATION_LIFETIME_SECONDS = 3600.0
"""Seconds after which the configuration is read again."""
LOCK_POLL_INTERVAL = 0.1


@settings
class Deliver(NodeOptions):
    """Deliver what has been recorded, until there is nothing left to deliver."""

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Deliver, apart from Keepalived, which may have started us."""
        leave_keepalived()
        deliver(Node(self, environ), output.say)
        return True


def deliver(
    node: Node, tell: Callable[[str], None], pace: Pace = PACE, idle_exit_seconds: float = IDLE_EXIT_SECONDS
) -> None:
    """Deliver until everything has been told and nothing has come for a while; one process of each user at a time.

    Raises `OSError` where there is no place to keep what is delivered.
    """
    directory = journal.state_directory(node.places)
    until = time.monotonic() + idle_exit_seconds
    while True:
        try:
            with DeliveryLoop.locked(directory, node, DeliveryLog(directory, tell).tell, pace) as loop:
                while _round(loop, idle_exit_seconds):
                    loop.configure()
            return
        except BlockingIOError:
            # Who has the lock sees what has been recorded as long as its mark is there; without, it is about to end.
            if is_delivering(directory) or time.monotonic() > until:
                return
            time.sleep(LOCK_POLL_INTERVAL)


def _round(loop: DeliveryLoop, idle_exit_seconds: float) -> bool:
    """Deliver with the configuration as it is now; returns whether there is more to do.

    Where that fails the mark stays, as that of one who was killed: a check starts the next deliverer.
    """
    leave_mark(loop.reader)
    _run(loop, time.monotonic() + CONFIGURATION_LIFETIME_SECONDS, idle_exit_seconds)
    remove_mark(loop.reader)
    # Whoever recorded something while the mark was there relies on us.
    return loop.has_more()


def _run(loop: DeliveryLoop, until: float, idle_exit_seconds: float) -> None:
    """Step by step, until there has been nothing left to do for a while."""
    while time.monotonic() < until:
        seconds = loop.step(time.monotonic())
        if loop.is_idle:
            left = loop.last_heard + idle_exit_seconds - time.monotonic()
            if left <= 0:
                return
            seconds = min(seconds, left)
        loop.wait(seconds)


def leave_keepalived() -> None:
    """Live on when Keepalived ends its scripts, but end at SIGTERM, which the shell that started us ignored.

    Its umask 0177 is left behind too: what is written is for everybody to read (see `state`).
    """
    os.umask(0o022)
    with contextlib.suppress(PermissionError):  # a session of our own already
        os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
