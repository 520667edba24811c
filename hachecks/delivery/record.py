"""Recording what Keepalived says, and seeing to its delivery, where the shell has not done it already."""

from __future__ import annotations

import os
import time

from hachecks.delivery.starting import is_delivering, start
from hachecks.settings import Invalid
from hachecks.transitions import journal
from hachecks.transitions.fifo import FifoReader
from hachecks.transitions.transition import Transition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hachecks.node import Node

START_GRACE_SECONDS = 2.0
"""Seconds that a deliverer is given to leave its mark before another is started."""


def record(words: Sequence[str], node: Node) -> None:
    """Record what Keepalived says and see to its delivery; raises `Invalid` or `OSError`."""
    try:
        transition = Transition.of_this_process(words)
    except ValueError as error:
        raise Invalid(f"notify: {error}") from None
    path = journal.append(transition, node.places, sync=node.syncs)
    if not is_delivering(os.path.dirname(path)):
        start(node.environ_of_child)


def follow_fifo(path: str, node: Node, complain: Callable[[str], None]) -> None:
    """Record what comes out of Keepalived's notify FIFO until SIGTERM; raises `Invalid` where there is no FIFO."""
    starter = DeliveryStarter(node, complain)

    def record_line(transition: Transition) -> None:
        journal.append(transition, node.places, sync=node.syncs)

    FifoReader(path, record_line, complain, starter.see_to_delivery).follow()


class DeliveryStarter:
    """Starts a deliverer where none lives, for one who records again and again."""

    def __init__(self, node: Node, complain: Callable[[str], None]) -> None:
        self.node = node
        self.complain = complain
        self.starting_until = 0.0

    def see_to_delivery(self) -> None:
        """Start one, unless one lives or has just been started; complains where that cannot be done."""
        if time.monotonic() < self.starting_until:
            return
        try:
            if not is_delivering(journal.state_directory(self.node.places)):
                self.starting_until = time.monotonic() + START_GRACE_SECONDS
                start(self.node.environ_of_child)
        except OSError as error:
            self.starting_until = time.monotonic() + START_GRACE_SECONDS
            self.complain(f"notify: recorded, but nobody delivers: {error}")
