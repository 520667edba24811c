"""The journal as a source: what Keepalived has said of each instance, read bit by bit as it is recorded."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from hachecks.exporter.instance_history import InstanceHistories, Said
from hachecks.transitions import follower, journal

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from hachecks.exporter.source import SourceHealth
    from hachecks.node import Node
    from hachecks.transitions.event import Event

READING_SECONDS = 0.05
"""Seconds for which the history is read at a time: a week's would hold up everybody for seconds."""
EVENTS_PER_CLOCK_LOOK = 200
"""Events between two looks at the clock."""


class JournalSource:
    """Follows the journal; `said` is what all of it comes to, and empty until what is remembered is read.

    `is_behind` says that there is more to be read at once, and `version` grows with each change of `said`.
    """

    def __init__(self, node: Node, health: SourceHealth) -> None:
        self.places = node.places
        self.health = health
        self.said = Said()
        self.is_behind = False
        self.version = 0
        self.users: Container[int] = journal.trusted_users()
        self._seen: object = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.follower = follower.EventFollower(self.places, self.users)
        self.histories = InstanceHistories()
        self._unread: Iterator[Event] | None = None

    def trust(self, users: Container[int]) -> None:
        """Read what these users record."""
        self.users = self.follower.users = users

    def directories(self) -> list[str]:
        """The directories that are read now."""
        return self.follower.directories()

    @property
    def passed_over(self) -> list[str]:
        """Why some of what is there is not to be trusted, in sentences."""
        return self.follower.passed_over

    def refresh(self) -> None:
        """Take in what is new, for a moment at most."""
        began = time.monotonic()
        unread, self._unread = self._unread or self.follower.read_on(), None
        self.is_behind, events = False, 0
        try:
            for event in unread:
                self.histories.add([event])
                events += 1
                if events % EVENTS_PER_CLOCK_LOOK == 0 and time.monotonic() > began + READING_SECONDS:
                    self._unread, self.is_behind = unread, True
                    return
        except Exception:
            self._begin_anew()  # the follower is further than what was taken in
            raise
        if self.follower.trouble:
            self.health.failed(self.follower.trouble)
        elif not any(os.path.lexists(os.path.join(one, journal.NAME)) for one in self.follower.directories()):
            places = " or ".join(self.places)
            self.health.failed(f"nothing is recorded in {places}; have Keepalived call `hacheck notify`")
        else:
            self.health.succeeded(bool(events), time.monotonic() - began)

    def settle(self, keepalived_alive: bool) -> None:
        """Make `said` of what was taken in, if that is news; the words of a dead Keepalived say nothing any more.

        Before all is read, the last word that is known is an old one.
        """
        seen = (self.histories, self.histories.version, keepalived_alive)
        if seen == self._seen or self.is_behind:
            return
        now = time.time()
        self.histories.set_keepalived_alive(keepalived_alive, now)
        self.histories.forget(now)
        self.said = self.histories.frozen()
        self._seen = seen
        self.version += 1
