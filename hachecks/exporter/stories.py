"""What has become of each instance, as Keepalived tells it?"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hachecks.history import Event

ENTERED = ("BACKUP", "MASTER", "FAULT", "STOP")
DAY = 86400.0
MOST_CHANGES = 2000
"""Changes of an instance that are remembered for its timeline: one that flaps each second must not fill the memory."""


class Story:
    """One instance: its state, since when, and what was counted. Times are seconds of the epoch."""

    __slots__ = ("boot", "changes", "entered", "left_master", "priority", "served", "serving_since", "since", "state")

    def __init__(self) -> None:
        self.state = "UNKNOWN"
        self.since: float | None = None
        self.serving_since: float | None = None
        self.priority: int | None = None
        self.boot = ""
        self.entered = dict.fromkeys(ENTERED, 0)
        self.left_master = 0
        self.served = 0.0
        self.changes: deque[tuple[float, str]] = deque(maxlen=MOST_CHANGES)

    def hear(self, event: Event) -> None:
        """Take in an event of this instance."""
        if event.priority is not None:
            self.priority = event.priority
        if event.late or event.state not in ENTERED:
            return
        self.boot = event.order[0]
        if event.state == self.state:
            return
        self._stop_serving(event.at)
        self.left_master += self.state == "MASTER"
        self.serving_since = event.at if event.state == "MASTER" else None
        self.state, self.since = event.state, event.at
        self.entered[event.state] += 1
        self.changes.append((event.at, event.state))

    def speaks_for_itself(self, alive: bool, now: float) -> None:
        """Whether there is a Keepalived that stands behind what was said last; if not, nothing is known any more."""
        shown = self.state if alive or self.state == "STOP" else "UNKNOWN"
        if not self.changes or self.changes[-1][1] == shown:
            return
        self._stop_serving(now)
        self.serving_since = now if shown == "MASTER" else None
        self.changes.append((now, shown))

    def served_at(self, now: float) -> float:
        """Seconds that it has been MASTER for, up to now."""
        return self.served + (max(0.0, now - self.serving_since) if self.serving_since is not None else 0.0)

    def _stop_serving(self, at: float) -> None:
        self.served = self.served_at(at)
        self.serving_since = None

    def forget(self, now: float) -> None:
        """Drop changes of more than a day ago, but for the one that tells the state the day began in."""
        while len(self.changes) > 1 and self.changes[1][0] < now - DAY:
            self.changes.popleft()


class Stories:
    """All instances, and how many events of each kind there were."""

    def __init__(self) -> None:
        self.of: dict[str, Story] = {}
        self.events: dict[tuple[str, str], int] = {}

    def hear(self, events: Iterable[Event]) -> None:
        """Take in events, oldest first."""
        for event in events:
            told = event.kind, event.state
            self.events[told] = self.events.get(told, 0) + 1
            if event.kind != "INSTANCE":
                continue
            if event.state == "DELETED":
                self.of.pop(event.name, None)
            else:
                self.of.setdefault(event.name, Story()).hear(event)

    def forget(self, now: float) -> None:
        """Drop what is older than a day."""
        for story in self.of.values():
            story.forget(now)
