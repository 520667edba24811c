"""What has become of each instance and sync group, as Keepalived tells it?"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hachecks.kept import LATEST
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hachecks.transitions.event import Event

ENTERED = ("BACKUP", "MASTER", "FAULT", "STOP")
DAY = 86400.0
MOST_CHANGES = 2000
"""Changes of an instance that are remembered for its timeline: one that flaps each second must not fill the memory."""
MOST_CHANGES_OF_ALL = 40_000
"""Changes of all instances together, which take 6 MiB; 255 restless instances have 156 each."""
FEWEST_CHANGES = 20
MOST_STORIES = 1000
"""Instances, and groups, of which something is remembered: those that were spoken of last."""
MOST_WORDS = 100
"""Kinds of events that are counted: Keepalived has some twenty."""
LONGEST_NAME = 1024
HIGHEST_PRIORITY = 255


class InstanceHistory:
    """One instance or group: its state, since when, and what was counted. Times are seconds of the epoch."""

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
        if event.priority is not None and 0 <= event.priority <= HIGHEST_PRIORITY:
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

    def set_keepalived_alive(self, alive: bool, now: float) -> None:
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

    def forget(self, now: float, most: int = MOST_CHANGES) -> None:
        """Drop changes of more than a day ago, but for the one that tells the state the day began in."""
        while len(self.changes) > 1 and (self.changes[1][0] < now - DAY or len(self.changes) > most):
            self.changes.popleft()


class InstanceHistories:
    """All instances (`of`) and sync groups, and how many events of each kind there were."""

    def __init__(self) -> None:
        self.of: dict[str, InstanceHistory] = {}
        self.groups: dict[str, InstanceHistory] = {}
        self.events: dict[tuple[str, str], int] = {}

    def hear(self, events: Iterable[Event]) -> None:
        """Take in events, oldest first; what no Keepalived can have said is passed over."""
        for event in filter(_makes_sense, events):
            told = event.kind, event.state
            if told in self.events or len(self.events) < MOST_WORDS:
                self.events[told] = self.events.get(told, 0) + 1
            stories = {"INSTANCE": self.of, "GROUP": self.groups}.get(event.kind)
            if stories is None:
                continue
            if event.state == "DELETED":
                stories.pop(visible(event.name), None)
            else:
                self._story(stories, visible(event.name)).hear(event)

    def _story(self, stories: dict[str, InstanceHistory], name: str) -> InstanceHistory:
        story = stories.pop(name, None) or InstanceHistory()
        if len(stories) >= MOST_STORIES:
            del stories[next(iter(stories))]
        stories[name] = story  # behind those that were spoken of before
        most = max(FEWEST_CHANGES, min(MOST_CHANGES, MOST_CHANGES_OF_ALL // (len(self.of) + len(self.groups))))
        while len(story.changes) >= most:
            story.changes.popleft()
        return story

    def all(self) -> Iterator[InstanceHistory]:
        """Those of instances and of groups."""
        yield from self.of.values()
        yield from self.groups.values()

    def forget(self, now: float) -> None:
        """Drop what is older than a day, and what is too much."""
        most = max(FEWEST_CHANGES, MOST_CHANGES_OF_ALL // max(1, len(self.of) + len(self.groups)))
        for story in self.all():
            story.forget(now, most)


def _makes_sense(event: Event) -> bool:
    """Whether every part is of the kind and size that it is to have: a history may hold anything that JSON can."""
    words = event.kind, event.name, event.state, *event.order[:1]
    return (
        len(words) == 4
        and all(isinstance(word, str) and len(word) <= LONGEST_NAME for word in words)
        and isinstance(event.at, (int, float))
        and 0 <= event.at < LATEST
        and isinstance(event.priority, (int, type(None)))
    )
