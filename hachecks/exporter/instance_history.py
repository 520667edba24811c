"""Instance histories: the state, counts and changes of each instance and sync group, made of Keepalived's events."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from hachecks.kept import LATEST
from hachecks.transitions.transition import ENTERED
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hachecks.transitions.event import Event

TIMELINE_SECONDS = 86400.0
"""Seconds for which changes are remembered."""
MAX_CHANGES = 2000
"""Changes of an instance that are remembered for its timeline: one that flaps each second must not fill the memory."""
MAX_CHANGES_OF_ALL = 40_000
"""Changes of all instances together, which take 6 MiB; 255 restless instances have 156 each."""
MIN_CHANGES = 20
"""Changes that each instance keeps, however many instances there are."""
MAX_HISTORIES = 1000
"""Instances, and groups, of which something is remembered: those that were spoken of last."""
MAX_EVENT_KINDS = 100
"""Kinds of events that are counted: Keepalived has some twenty."""
MAX_NAME_LENGTH = 1024
"""Characters of a name or state; a longer one is none of Keepalived's."""
MAX_PRIORITY = 255
"""VRRP's (RFC 9568, 5.2.4)."""


class History(NamedTuple):
    """What has become of one instance or group; times are seconds of the epoch.

    `changes` are those of the last day, oldest first. `master_seconds` is how long it was MASTER for until
    `master_since`, which is None while it is not MASTER. `boot` is that of the last word.
    """

    state: str = "UNKNOWN"
    since: float | None = None
    boot: str = ""
    priority: int | None = None
    entered: Mapping[str, int] = dict.fromkeys(ENTERED, 0)
    left_master: int = 0
    master_seconds: float = 0.0
    master_since: float | None = None
    changes: tuple[tuple[float, str], ...] = ()


class EventCount(NamedTuple):
    """How often Keepalived has said that something of this kind (INSTANCE, GROUP …) is in this state."""

    kind: str
    state: str
    times: int


class Said(NamedTuple):
    """All that Keepalived has said, as values: histories of instances and of sync groups by name, and event counts."""

    instances: Mapping[str, History] = {}
    groups: Mapping[str, History] = {}
    events: tuple[EventCount, ...] = ()


class InstanceHistory:
    """One instance or group: its state, since when, and what was counted. Times are seconds of the epoch."""

    __slots__ = (
        "_frozen", "boot", "changes", "entered", "left_master", "master_seconds", "master_since", "priority", "since",
        "state",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state = "UNKNOWN"
        self.since: float | None = None
        self.master_since: float | None = None
        self.priority: int | None = None
        self.boot = ""
        self.entered = dict.fromkeys(ENTERED, 0)
        self.left_master = 0
        self.master_seconds = 0.0
        self.changes: deque[tuple[float, str]] = deque(maxlen=MAX_CHANGES)
        self._frozen: History | None = None

    def add(self, event: Event) -> None:
        """Take in an event of this instance."""
        self._frozen = None
        if event.priority is not None and 0 <= event.priority <= MAX_PRIORITY:
            self.priority = event.priority
        if event.late or event.state not in ENTERED:
            return
        self.boot = event.order[0]
        if event.state == self.state:
            return
        self._end_mastership(event.at)
        self.left_master += self.state == "MASTER"
        self.master_since = event.at if event.state == "MASTER" else None
        self.state, self.since = event.state, event.at
        self.entered[event.state] += 1
        self.changes.append((event.at, event.state))

    def set_keepalived_alive(self, alive: bool, now: float) -> None:
        """Whether there is a Keepalived that stands behind what was said last; if not, nothing is known any more."""
        shown = self.state if alive or self.state == "STOP" else "UNKNOWN"
        if not self.changes or self.changes[-1][1] == shown:
            return
        self._frozen = None
        self._end_mastership(now)
        self.master_since = now if shown == "MASTER" else None
        self.changes.append((now, shown))

    def master_seconds_at(self, now: float) -> float:
        """Seconds that it has been MASTER for, up to now."""
        return self.master_seconds + (max(0.0, now - self.master_since) if self.master_since is not None else 0.0)

    def _end_mastership(self, at: float) -> None:
        self.master_seconds = self.master_seconds_at(at)
        self.master_since = None

    def forget(self, now: float, limit: int = MAX_CHANGES) -> None:
        """Drop changes of more than a day ago, but for the one that tells the state the day began in."""
        while len(self.changes) > 1 and (self.changes[1][0] < now - TIMELINE_SECONDS or len(self.changes) > limit):
            self.changes.popleft()
            self._frozen = None

    def frozen(self) -> History:
        """What has become of it, as a value; the same object until something has changed."""
        if self._frozen is None:
            self._frozen = History(
                state=self.state,
                since=self.since,
                boot=self.boot,
                priority=self.priority,
                entered=dict(self.entered),
                left_master=self.left_master,
                master_seconds=self.master_seconds,
                master_since=self.master_since,
                changes=tuple(self.changes),
            )
        return self._frozen


class InstanceHistories:
    """All instances (`of`) and sync groups, and how many events of each kind there were; `version` grows with each."""

    def __init__(self) -> None:
        self.of: dict[str, InstanceHistory] = {}
        self.groups: dict[str, InstanceHistory] = {}
        self.events: dict[tuple[str, str], int] = {}
        self.version = 0

    def add(self, events: Iterable[Event]) -> None:
        """Take in events, oldest first; what no Keepalived can have said is passed over."""
        for event in filter(_makes_sense, events):
            self.version += 1
            kind = event.kind, event.state
            if kind in self.events or len(self.events) < MAX_EVENT_KINDS:
                self.events[kind] = self.events.get(kind, 0) + 1
            histories = {"INSTANCE": self.of, "GROUP": self.groups}.get(event.kind)
            if histories is None:
                continue
            if event.state == "DELETED":
                histories.pop(visible(event.name), None)
            else:
                self._history(histories, visible(event.name)).add(event)

    def _history(self, histories: dict[str, InstanceHistory], name: str) -> InstanceHistory:
        history = histories.pop(name, None) or InstanceHistory()
        if len(histories) >= MAX_HISTORIES:
            del histories[next(iter(histories))]
        histories[name] = history  # behind those that were spoken of before
        limit = self._limit(len(self.of) + len(self.groups))
        while len(history.changes) >= limit:
            history.changes.popleft()
        return history

    @staticmethod
    def _limit(histories: int) -> int:
        """Changes that each of so many may keep."""
        return max(MIN_CHANGES, min(MAX_CHANGES, MAX_CHANGES_OF_ALL // max(1, histories)))

    def all(self) -> Iterator[InstanceHistory]:
        """Those of instances and of groups."""
        yield from self.of.values()
        yield from self.groups.values()

    def set_keepalived_alive(self, alive: bool, now: float) -> None:
        """Whether there is a Keepalived that stands behind what was said last."""
        for history in self.all():
            history.set_keepalived_alive(alive, now)

    def forget(self, now: float) -> None:
        """Drop what is older than a day, and what is too much."""
        limit = self._limit(len(self.of) + len(self.groups))
        for history in self.all():
            history.forget(now, limit)

    def frozen(self) -> Said:
        """Everything as values."""
        return Said(
            {name: history.frozen() for name, history in self.of.items()},
            {name: history.frozen() for name, history in self.groups.items()},
            tuple(EventCount(kind, state, count) for (kind, state), count in sorted(self.events.items())),
        )


def _makes_sense(event: Event) -> bool:
    """Whether every part is of the kind and size that it is to have: a history may hold anything that JSON can."""
    words = event.kind, event.name, event.state, *event.order[:1]
    return (
        len(words) == 4
        and all(isinstance(word, str) and len(word) <= MAX_NAME_LENGTH for word in words)
        and isinstance(event.at, (int, float))
        and 0 <= event.at < LATEST
        and isinstance(event.priority, (int, type(None)))
    )
