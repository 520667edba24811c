"""Probes that do what a test says, and what would be published of them."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

from hachecks.agent.check import AgentCheck
from hachecks.checks.runner import RunOptions
from hachecks.checks.schedule import Schedule
from hachecks.verdict import Verdict

if TYPE_CHECKING:
    from hachecks.deadline import Deadline

PATIENCE = 30.0


class Scripted:
    """A probe that passes, or does what `act` does; it counts how often it is asked, and by how many at once."""

    subject = "scripted"

    def __init__(self, act: Any = None) -> None:
        self.act = act
        self.asked = self.now = self.most_at_once = 0
        self.lock = threading.Lock()

    def check(self, deadline: Deadline) -> Verdict:
        with self.lock:
            self.asked += 1
            self.now += 1
            self.most_at_once = max(self.most_at_once, self.now)
        try:
            return self.act(deadline) if self.act else Verdict.passing("it does")
        finally:
            with self.lock:
                self.now -= 1


class Published:
    """A publisher that keeps what it is given; `next` waits for it."""

    def __init__(self) -> None:
        self.verdicts: queue.SimpleQueue[tuple[AgentCheck, Verdict, float]] = queue.SimpleQueue()
        self.lines: list[str] = []

    def publish(self, check: AgentCheck, verdict: Verdict, began: float) -> None:
        check.verdict = verdict
        self.verdicts.put((check, verdict, began))

    def tell(self, line: str) -> None:
        self.lines.append(line)

    def next(self) -> tuple[AgentCheck, Verdict, float]:
        return self.verdicts.get(timeout=PATIENCE)


def check(name: str = "one", act: Any = None, schedule: dict[str, Any] | None = None, **options: Any) -> AgentCheck:
    """A check of such a probe."""
    return AgentCheck(name, Scripted(act), RunOptions(**options), Schedule(**(schedule or {})), repr(options))
