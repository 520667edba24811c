"""What happened on which node, in which order, and how long nobody was served?"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Event:
    """One line of somebody's account; `at` is seconds on the monotonic clock, `source` who says it."""

    at: float
    node: str
    source: str
    text: str


class NotSeen(AssertionError):  # noqa: N818 - it says what it is
    """What had to happen did not happen in time; the message carries what did."""


class Timeline:
    """Events of all nodes in the order of their arrival, and the one place to wait for them."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._arrival = threading.Condition()

    def add(self, node: str, source: str, text: str) -> Event:
        with self._arrival:
            event = Event(time.monotonic(), node, source, text)
            self._events.append(event)
            self._arrival.notify_all()
        return event

    def follow(self, *, since: float, within: float) -> Iterator[Event]:
        """Yield the events from `since` on as they arrive, for `within` seconds from now."""
        end = time.monotonic() + within
        position = 0
        while event := self._event(position, end):
            position += 1
            if event.at >= since:
                yield event

    def wait(self, what: str, wanted: Callable[[Event], bool], *, since: float, within: float) -> Event:
        """The first event from `since` on that is `wanted`; `what` names it in the complaint of its absence."""
        for event in self.follow(since=since, within=within):
            if wanted(event):
                return event
        raise NotSeen(f"not seen within {within:g} s: {what}\n{self.told(since)}")

    def told(self, since: float = 0.0) -> str:
        """Everything from `since` on, as text, for whoever has to find out why a test failed."""
        with self._arrival:
            events = [event for event in self._events if event.at >= since]
        first = events[0].at if events else 0.0
        return "\n".join(f"{event.at - first:8.3f} {event.node} {event.source}: {event.text}" for event in events)

    def _event(self, position: int, end: float) -> Event | None:
        with self._arrival:
            arrived = self._arrival.wait_for(lambda: len(self._events) > position, end - time.monotonic())
            return self._events[position] if arrived else None


@dataclass(frozen=True)
class Answer:
    """A request of the client: when it began and ended, and which node served it (None: nobody)."""

    began: float
    ended: float
    node: str | None


class Service:
    """What the client got: changes go to the timeline, and `outage` measures the gap between two good answers."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._served: list[Answer] = []
        self._interrupted = False

    def record(self, answer: Answer) -> None:
        if answer.node is None:
            self._record_failure(answer)
        else:
            self._record_success(answer, answer.node)

    def outage(self, *, since: float) -> float:
        """Seconds of the longest time without a good answer that ended after `since`."""
        ends = [answer.ended for answer in self._served]
        return max((after - before for before, after in zip(ends, ends[1:]) if after > since), default=0.0)

    def served_by(self, node: str, *, since: float) -> bool:
        """Whether the latest good answer is this node's, to a request made after `since`."""
        last = self._served[-1] if self._served else None
        return last is not None and last.node == node and last.began > since

    def _record_failure(self, answer: Answer) -> None:
        # Requests overlap: one that hung and gave up after a later one was served is not a second interruption.
        is_news = not self._served or answer.began > self._served[-1].ended
        if is_news and not self._interrupted:
            self._interrupted = True
            self._timeline.add("client", "http", "no good answer")

    def _record_success(self, answer: Answer, node: str) -> None:
        last = self._served[-1] if self._served else None
        self._served.append(answer)
        if last is None:
            self._timeline.add("client", "http", f"{node} answers")
        elif self._interrupted or last.node != node:
            self._timeline.add("client", "http", f"{node} answers, {answer.ended - last.ended:.2f} s without service")
        self._interrupted = False
