"""What Keepalived said, as it is remembered: each event once, numbered, dated, and with what it ended."""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from functools import lru_cache

from hachecks.kept import document, is_number, is_text, is_whole, is_word, is_words
from hachecks.proc import TICKS
from hachecks.state import boot_id
from hachecks.transitions.transition import ENTERED, KINDS, Transition
from hachecks.transitions.twins import Twins, is_about_the_time, is_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

MOST_SUBJECTS = 10_000
"""Instances and groups whose state is remembered; Keepalived has hundreds, and made-up names must fill no memory."""
RECENT = 20_000
"""Events that a reader recognises when it reads them again; what is read of a journal at once holds fewer."""
CHANGING = (*ENTERED, "DELETED")
"""The words that change a state; what else the FIFO says (a changed priority) is an event that changes none."""


class Event:
    """A transition as it is remembered: numbered, dated, and with what it changed.

    `at` is when Keepalived forked the notify process, in seconds of the epoch. `before` is the state it ended, since
    `since`; both are None for the first of its instance. A `late` event is older than one that is known already and
    changes nothing any more.
    """

    __slots__ = (
        "at",
        "before",
        "key",
        "kind",
        "late",
        "name",
        "number",
        "options",
        "order",
        "priority",
        "since",
        "state",
    )

    def __init__(self, **facts: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, facts[name])

    number: int
    key: str
    at: float
    kind: str
    name: str
    state: str
    priority: int | None
    before: str | None
    since: float | None
    late: bool
    options: tuple[str, ...]
    order: tuple[str, int, int]

    @classmethod
    def parse(cls, line: str) -> Event:
        """From a line of the history; raises `ValueError`."""
        return cls.of(document(line))

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Event:
        """From what `facts` returned, as JSON gives it back; raises `ValueError`."""
        if facts.keys() != _FIELDS.keys():
            raise ValueError("no line of a history")
        for name, is_right in _FIELDS.items():
            if not is_right(facts[name]):
                raise ValueError(f"no line of a history: {name} is wrong")
        return cls(**{**facts, "options": tuple(facts["options"]), "order": tuple(facts["order"])})

    @classmethod
    def of_transition(
        cls,
        transition: Transition,
        *,
        number: int,
        key: str,
        at: float,
        before: str | None,
        since: float | None,
        late: bool = False,
    ) -> Event:
        """The transition with what is known beside it."""
        return cls(
            number=number,
            key=key,
            at=at,
            kind=transition.kind,
            name=transition.name,
            state=transition.state,
            priority=transition.priority,
            before=before,
            since=since,
            late=late,
            options=transition.options,
            order=transition.order,
        )

    def facts(self) -> dict[str, Any]:
        """Everything about it, as JSON takes it."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def subject(self) -> tuple[str, str]:
        """Whose state it is."""
        return (self.kind, self.name)

    def age(self) -> float:
        """Seconds since it happened: by the clock that nobody sets, where it was in this boot."""
        if self.order[0] == _this_boot():
            return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - self.order[1] / TICKS)
        return time.time() - self.at

    @property
    def changes(self) -> bool:
        """Whether it ended another state, and is no repetition, late word or news of a priority."""
        return self.state in CHANGING and not self.late and self.state != self.before

    def __str__(self) -> str:
        return json.dumps(self.facts(), ensure_ascii=False)


@lru_cache
def _this_boot() -> str:
    return boot_id()


def _is_order(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and is_text(value[0]) and all(map(is_whole, value[1:]))


_FIELDS: dict[str, Callable[[object], bool]] = {
    "number": is_whole,
    "key": is_word,
    "at": is_number,
    "kind": KINDS.__contains__,
    "name": is_word,
    "state": is_word,
    "priority": lambda value: value is None or is_whole(value),
    "before": lambda value: value is None or is_word(value),
    "since": lambda value: value is None or is_number(value),
    "late": lambda value: isinstance(value, bool),
    "options": is_words,
    "order": _is_order,
}


def key_of(transition: Transition) -> str:
    """The idempotency key: the same at every reading of the same transition."""
    parts = (*map(str, transition.order), *transition.subject, transition.state)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


class TransitionLog:
    """What makes events of transitions: the latest of each instance, and which ones are known already.

    Only so many of those heard last are recognised when they come again, and so many instances remembered.
    """

    def __init__(self, most_keys: int = RECENT) -> None:
        self.latest: dict[tuple[str, str], Event] = {}
        self.number = 0
        self.keys: set[str] = set()
        self.recent: deque[str] = deque()
        self.most_keys = most_keys
        self.twins = Twins()

    def add(self, event: Event) -> bool:
        """Take in an event; returns whether it was not known yet."""
        if event.key in self.keys:
            return False
        self._remember(event)
        if event.state in CHANGING:
            self.twins.add(event)
        return True

    def _remember(self, event: Event) -> None:
        self.number = max(self.number, event.number)
        self._recognise(event.key)
        if event.state in CHANGING and not event.late:
            self.latest.pop(event.subject, None)
            self.latest[event.subject] = event
            if len(self.latest) > MOST_SUBJECTS:
                del self.latest[next(iter(self.latest))]

    def _recognise(self, key: str) -> None:
        self.keys.add(key)
        self.recent.append(key)
        if len(self.recent) > self.most_keys:
            self.keys.remove(self.recent.popleft())

    def events_from(self, transitions: Sequence[Transition]) -> Iterator[Event]:
        """The events that these transitions, in their order, are now; those that are known already are none."""
        now, ticks = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS
        boot = boot_id()
        for transition in transitions:
            key = key_of(transition)
            if key in self.keys:
                continue
            is_of_this_boot = transition.boot == boot
            if is_of_this_boot and transition.started > ticks + TICKS:
                transition.started = int(ticks)  # by nobody's clock: all that comes would be older, and so late
            at = now - max(0.0, ticks - transition.started) / TICKS if is_of_this_boot else now
            if twin := self.twins.take(transition):
                yield from self._once_more(transition, key, twin)
                continue
            event = self._event(transition, key, max(0.0, at))
            self.add(event)
            yield event

    def _once_more(self, transition: Transition, key: str, twin: Event) -> Iterator[Event]:
        """What is news though it is known by the other way: nothing, unless it is recorded for somebody else."""
        twin.order = min(twin.order, transition.order)  # what a script records next may be older than the line
        if transition.options == twin.options:
            self._recognise(key)
            return
        facts = {"number": self.number + 1, "key": key, "options": transition.options, "order": transition.order}
        event = Event(**{**twin.facts(), **facts})
        self._remember(event)
        yield event

    def _event(self, transition: Transition, key: str, at: float) -> Event:
        before = self.latest.get(transition.subject)
        late = before is not None and before.order[0] == transition.boot and transition.order < before.order
        if before and late and is_line(before.order) > is_line(transition.order):
            late = not is_about_the_time(transition.order, before.order)  # it is the line that was read late
        return Event.of_transition(
            transition,
            number=self.number + 1,
            key=key,
            at=round(at, 3),
            before=before.state if before else None,
            since=before.at if before else None,
            late=late,
        )
