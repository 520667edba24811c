"""The queues of the notifiers as they stand, as far as their files make sense."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hachecks.delivery import queue_state
from hachecks.delivery.attempt import KINDS
from hachecks.kept import LATEST
from hachecks.verdict import one_line, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from hachecks.delivery.queue_state import Queue
    from hachecks.exporter.source import SourceHealth

MAX_QUEUES = 200
"""Queues that are shown: each notifier of hacheck.toml has one, and each other command line of a notify script."""
MAX_COUNT = 2**53
"""The largest count that Prometheus, for which every number is a float, tells from the next."""
REASONS = (*KINDS, queue_state.EXPIRED, queue_state.REFUSED)


class QueueSource:
    """Reads all queues at each look; `queues` stays the same object while they stand as before."""

    def __init__(self, directories: Callable[[], Iterable[str]], health: SourceHealth) -> None:
        self.directories = directories
        self.health = health
        self.queues: tuple[Queue, ...] = ()

    def refresh(self) -> None:
        """Read them again."""
        found = tuple(latest(self.directories()))
        changed = found != self.queues
        if changed:
            self.queues = found
        self.health.succeeded(changed)


def latest(directories: Iterable[str]) -> list[Queue]:
    """The queue of each notifier; of two in two directories, the one that was told last."""
    found: dict[str, Queue] = {}
    for queue in _all(directories):
        other = found.get(queue.name)
        if (other or len(found) < MAX_QUEUES) and _later(queue, other):
            found[queue.name] = queue
    return list(found.values())


def _all(directories: Iterable[str]) -> Iterator[Queue]:
    for directory in directories:
        yield from map(_sensible, queue_state.queues(directory))


def _later(queue: Queue, other: Queue | None) -> bool:
    return other is None or (queue.last_success or 0.0) > (other.last_success or 0.0)


def _sensible(queue: Queue) -> Queue:
    """The queue with what can be: its file may hold anything that JSON can, Infinity and NaN included."""
    durations = _histogram(queue.durations)
    return queue._replace(
        name=visible(queue.name),
        waiting=_count(queue.waiting),
        trouble=one_line(queue.trouble),
        attempts=_count(queue.attempts),
        deliveries=_count(queue.deliveries),
        failures=_counts(queue.failures),
        dropped=_counts(queue.dropped),
        last_success=_time(queue.last_success),
        durations=durations,
        seconds=queue.seconds if durations[-1] and 0 <= queue.seconds < LATEST else 0.0,
    )


def _count(value: int) -> int:
    return min(max(0, value), MAX_COUNT)


def _counts(values: Mapping[str, int]) -> dict[str, int]:
    return {reason: _count(value) for reason, value in values.items() if reason in REASONS}


def _time(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) and 0 <= value < LATEST else None


def _histogram(counts: Sequence[int]) -> Sequence[int]:
    """Counts that only grow; zeros in the place of others."""
    grows = all(a <= b for a, b in zip((0, *counts), (*counts, MAX_COUNT)))
    return counts if grows else [0] * len(counts)
