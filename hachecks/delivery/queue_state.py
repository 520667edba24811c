"""The queue of a notifier: how far it has been told, and what came of the attempts, as the state directory keeps it.

A file that says something else than it should is believed as far as it says what it should: the worst is to tell again.
"""

from __future__ import annotations

import json
import os
import time
from typing import NamedTuple

from hachecks import state
from hachecks.delivery.attempt import KINDS, kind_of
from hachecks.delivery.state_file import read, value_of
from hachecks.kept import is_number, is_text, is_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from hachecks.messages.not_delivered import NotDelivered

QUEUE = "queue-"
"""What the file of a queue is called, before the notifier's name."""
LONGEST_KIND = 20
DURATIONS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds within which attempts are counted."""
EXPIRED, REFUSED = "expired", "refused"
"""Why events were given up: they grew too old, or the service will never take them."""
LONGEST_ASKED_SECONDS = 3600.0
"""How long a service may ask to be left alone: of a longer pause nobody would hear in time."""


class DeliveryStats:
    """What came of the attempts to tell a notifier: counters that only grow, from where its queue's file left them.

    `durations` counts the attempts that ended within each of `DURATIONS`, and at last all; `seconds` is what they took
    together. `failures` is by the kind of reason, `dropped` counts events, by `EXPIRED` or `REFUSED`.
    """

    __slots__ = ("deliveries", "dropped", "durations", "failures", "last_success", "seconds")

    def __init__(self, kept: Mapping[str, Any]) -> None:
        self.deliveries: int = value_of(kept, "deliveries", is_whole, 0)
        self.failures = _counts(kept, "failures", KINDS)
        self.dropped = _counts(kept, "dropped", (EXPIRED, REFUSED))
        self.last_success: float | None = value_of(kept, "last_success", is_number, None)
        self.durations: list[int] = list(value_of(kept, "durations", _are_durations, [0] * (len(DURATIONS) + 1)))
        self.seconds: float = value_of(kept, "seconds", is_number, 0.0)

    def count(self, seconds: float, failure: NotDelivered | None = None) -> None:
        """An attempt has ended after so many seconds."""
        self.deliveries += 1
        self.seconds += seconds
        for place, bound in enumerate((*DURATIONS, seconds)):
            self.durations[place] += seconds <= bound
        if failure is None:
            self.last_success = time.time()
        else:
            kind = kind_of(failure)
            self.failures[kind] = self.failures.get(kind, 0) + 1

    def facts(self) -> dict[str, Any]:
        """Everything counted, as JSON takes it."""
        return {name: getattr(self, name) for name in self.__slots__}


class QueueState:
    """How far one notifier has been told, and when it may be told next; kept in the file at `path`, if there is a path.

    It has been told of everything up to the number `delivered_up_to`, or does not want to know; None where it was never
    asked. A message that ends with `sending` may have arrived. `last_error` is why the last of so many `attempts`
    failed; no more is attempted before `not_before` (seconds of the epoch), for which `wait` seconds were meant.
    `waiting` events waited after the last attempt. Its fallback knows what it could not be told, up to
    `fallback_delivered_up_to`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        kept = read(path) if path else {}
        self.delivered_up_to: int | None = value_of(kept, "told", is_whole, None)
        self.attempts: int = value_of(kept, "attempts", is_whole, 0)
        self.not_before: float = value_of(kept, "not_before", is_number, 0.0)
        self.wait: float = min(value_of(kept, "wait", is_number, LONGEST_ASKED_SECONDS), LONGEST_ASKED_SECONDS)
        self.sending: int = value_of(kept, "sending", is_whole, 0)
        self.last_error: str = value_of(kept, "trouble", is_text, "")
        self.waiting: int = value_of(kept, "waiting", is_whole, 0)
        self.fallback_delivered_up_to: int = value_of(kept, "fallback_told", is_whole, 0)
        self.stats = DeliveryStats(kept)
        self.last_sent = -float("inf")
        self.gives_up_at = 0.0
        self.save_error = ""

    def save(self) -> None:
        """Keep it; where that cannot be done, `save_error` says why, and the worst is to tell again."""
        if not self.path:
            return
        kept = {
            "told": self.delivered_up_to,
            "attempts": self.attempts,
            "not_before": self.not_before,
            "wait": self.wait,
            "sending": self.sending,
            "trouble": self.last_error,
            "waiting": self.waiting,
            "fallback_told": self.fallback_delivered_up_to,
        }
        try:
            state.replace(self.path, json.dumps({**kept, **self.stats.facts()}), sync=True)
            self.save_error = ""
        except OSError as error:
            self.save_error = error.strerror or str(error)

    def begin_at(self, number: int) -> None:
        """It stands here now, whatever it knew before: it is new, or the history was lost."""
        self.delivered_up_to, self.sending, self.waiting, self.fallback_delivered_up_to = number, 0, 0, 0
        self.save()

    def mark_delivered(self, number: int, waiting: int = 0) -> None:
        """It knows everything up to this number, or does not want to; so many events wait still."""
        if self.delivered_up_to is None or self.delivered_up_to < number:
            self.delivered_up_to, self.sending, self.waiting = number, 0, waiting
            self.save()

    def retry_in(self, seconds: float, waiting: int) -> None:
        """Attempt no more for so long, while so many events wait."""
        self.wait = seconds
        self.not_before, self.waiting = time.time() + seconds, waiting
        self.save()

    def retry_left(self) -> float:
        """Seconds until the next attempt; none where it would be more than was meant, since a clock was set."""
        left = self.not_before - time.time()
        return left if 0 < left <= self.wait else 0.0

    def rate_left(self, rate: float) -> float:
        """Seconds until there may be another message, where so many are to lie between two."""
        return max(0.0, self.last_sent + rate - time.monotonic())

    def gives_up_in(self, seconds: float) -> None:
        """The first of what it is to be told will be too old then."""
        self.gives_up_at = time.monotonic() + max(0.0, seconds)

    def expiry_left(self) -> float:
        """Seconds until something may be too old, while nothing is attempted."""
        return max(0.0, self.gives_up_at - time.monotonic())

    def turn_left(self, rate: float) -> float:
        """Seconds until there is anything to be done about it."""
        left = min(self.retry_left(), self.expiry_left()) if self.gives_up_at else self.retry_left()
        return max(left, self.rate_left(rate))


class Queue(NamedTuple):
    """How a notifier's queue stood after the last attempt, for who shows it; for what is counted see `DeliveryStats`.

    Times are seconds of the epoch.
    """

    name: str
    delivered_up_to: int | None
    waiting: int
    trouble: str
    attempts: int
    not_before: float
    deliveries: int
    failures: Mapping[str, int]
    dropped: Mapping[str, int]
    last_success: float | None
    durations: Sequence[int]
    seconds: float


def queues(directory: str) -> list[Queue]:
    """How every queue of this state directory stands, by name; what cannot be read is left out."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    found = []
    for name in names:
        kept = read(os.path.join(directory, name)) if name.startswith(QUEUE) and "~" not in name else {}
        if kept:
            found.append(
                Queue(
                    name=name[len(QUEUE) :],
                    delivered_up_to=value_of(kept, "told", is_whole, None),
                    waiting=value_of(kept, "waiting", is_whole, 0),
                    trouble=value_of(kept, "trouble", is_text, ""),
                    attempts=value_of(kept, "attempts", is_whole, 0),
                    not_before=value_of(kept, "not_before", is_number, 0.0),
                    **DeliveryStats(kept).facts(),
                )
            )
    return found


def _counts(kept: Mapping[str, Any], name: str, known: Sequence[str]) -> dict[str, int]:
    counts = kept.get(name)
    counts = counts if isinstance(counts, dict) else {}
    return {**dict.fromkeys(known, 0), **{key: count for key, count in counts.items() if _is_count(key, count)}}


def _is_count(key: str, count: object) -> bool:
    return key.isascii() and key.isalpha() and len(key) <= LONGEST_KIND and is_whole(count)


def _are_durations(value: object) -> bool:
    return isinstance(value, list) and len(value) == len(DURATIONS) + 1 and all(map(is_whole, value))
