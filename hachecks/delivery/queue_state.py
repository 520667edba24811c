"""How the queue of a notifier stands, as it is kept in the state directory; and for how long people want silence.

A file that says something else than it should is believed as far as it says what it should: the worst is to tell again.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import NamedTuple

from hachecks import state
from hachecks.delivery.attempt import KINDS, kind_of
from hachecks.kept import document, is_number, is_text, is_whole
from hachecks.state import boot_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from hachecks.messages.not_delivered import NotDelivered

SILENCE = "silence"
QUEUE = "queue-"
LONGEST_SILENCE = 366 * 86400.0
LONGEST_KIND = 20
DURATIONS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds within which tries are counted."""
EXPIRED, REFUSED = "expired", "refused"
"""Why events were given up: they grew too old, or the service will never take them."""


class DeliveryStats:
    """What came of the tries to tell a notifier: counters that only grow, from where its queue's file left them.

    `durations` counts the tries that ended within each of `DURATIONS`, and at last all; `seconds` is what they took
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
        """A try has ended after so many seconds."""
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


class Queue(NamedTuple):
    """How a notifier's queue stood after the last try; `Tally` says what is counted. Times are seconds of the epoch."""

    name: str
    told: int | None
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
                    told=value_of(kept, "told", is_whole, None),
                    waiting=value_of(kept, "waiting", is_whole, 0),
                    trouble=value_of(kept, "trouble", is_text, ""),
                    attempts=value_of(kept, "attempts", is_whole, 0),
                    not_before=value_of(kept, "not_before", is_number, 0.0),
                    **DeliveryStats(kept).facts(),
                )
            )
    return found


def keep_silence(directory: str, seconds: float, why: str) -> None:
    """Have nobody told anything for so long; raises `OSError`."""
    kept = {"until": time.time() + seconds, "seconds": seconds, "boot": boot_id(), "since": _since_boot(), "why": why}
    state.replace(os.path.join(directory, SILENCE), json.dumps(kept))


def silence_left(directory: str) -> float:
    """Seconds for which nobody is to be told anything; a clock that is set back makes no more of them."""
    kept = read(os.path.join(directory, SILENCE)) if directory else {}
    seconds: float = value_of(kept, "seconds", is_number, LONGEST_SILENCE)
    since = value_of(kept, "since", is_number, None)
    if since is not None and kept.get("boot") == boot_id():
        left = seconds - (_since_boot() - since)
    else:
        left = value_of(kept, "until", is_number, 0.0) - time.time()
    return max(0.0, left) if left <= min(seconds, LONGEST_SILENCE) else 0.0


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def read(path: str) -> dict[str, Any]:
    """What a file of state says; nothing where it cannot be read, or says nothing that it could."""
    with contextlib.suppress(ValueError, OSError):
        return document(state.read(path) or "{}")
    return {}


def value_of(kept: Mapping[str, Any], name: str, is_right: Callable[[object], bool], default: Any) -> Any:
    """What a file says, if it is what it should be: a file of an earlier version says nothing of some."""
    value = kept.get(name)
    return value if is_right(value) else default


def _counts(kept: Mapping[str, Any], name: str, known: Sequence[str]) -> dict[str, int]:
    counts = kept.get(name)
    counts = counts if isinstance(counts, dict) else {}
    return {**dict.fromkeys(known, 0), **{key: count for key, count in counts.items() if _is_count(key, count)}}


def _is_count(key: str, count: object) -> bool:
    return key.isascii() and key.isalpha() and len(key) <= LONGEST_KIND and is_whole(count)


def _are_durations(value: object) -> bool:
    return isinstance(value, list) and len(value) == len(DURATIONS) + 1 and all(map(is_whole, value))
