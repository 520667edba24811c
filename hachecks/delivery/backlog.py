"""The events that somebody may not have been told of yet: the latest in memory, the others in the history."""

from __future__ import annotations

import itertools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hachecks.transitions.event import Event

MOST_IN_MEMORY = 10_000
"""Events, of half a kilobyte each: a notifier that cannot be told for days must not fill the memory."""
MOST_AT_ONCE = 10_000
"""Events that are looked at for one message."""


class Backlog:
    """Events by their numbers; `last` is that of the last there was, whether it is remembered or not.

    `remembered` gives all events of the history, oldest first. `command_lines` are the words of the notify scripts that
    the events were recorded with.
    """

    def __init__(
        self,
        events: Iterable[Event] = (),
        remembered: Callable[[], Iterable[Event]] = tuple,
        *,
        most_in_memory: int = MOST_IN_MEMORY,
        most_at_once: int = MOST_AT_ONCE,
    ) -> None:
        self.remembered = remembered
        self.most_in_memory = most_in_memory
        self.most_at_once = most_at_once
        self.command_lines: set[tuple[str, ...]] = set()
        self.recent: list[Event] = []
        self.last = 0
        self.known_after = 0
        """All beyond this number are in memory."""
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """This has happened since."""
        self.recent.append(event)
        self.last = max(self.last, event.number)
        if event.options:
            self.command_lines.add(event.options)
        if len(self.recent) >= 2 * self.most_in_memory:
            self._forget(len(self.recent) - self.most_in_memory)

    def after(self, number: int) -> list[Event]:
        """The first beyond this number, so many as are told at once."""
        known: Iterator[Event] | Iterable[Event] = self.recent if self.holds(number) else self.remembered()
        return list(itertools.islice((event for event in known if event.number > number), self.most_at_once))

    def holds(self, number: int) -> bool:
        """Whether all beyond this number are in memory."""
        return number >= self.known_after

    def forget(self, number: int) -> None:
        """Nobody needs those up to this number any more."""
        self._forget(sum(1 for _ in itertools.takewhile(lambda event: event.number <= number, self.recent)))
        if len(self.recent) > self.most_in_memory:
            self._forget(len(self.recent) - self.most_in_memory)

    def _forget(self, count: int) -> None:
        if count:
            self.known_after = self.recent[count - 1].number
            del self.recent[:count]
