"""`hacheck agent --once`: every check is run once, and its verdict told; and published, where no agent runs."""

from __future__ import annotations

import contextlib
import queue
from typing import TYPE_CHECKING

from hachecks.agent import lock
from hachecks.agent.declared import checks_of
from hachecks.agent.publisher import Publisher
from hachecks.agent.scheduler import Scheduler
from hachecks.agent.workers import Workers
from hachecks.transitions import journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.agent.check import AgentCheck
    from hachecks.node import Node
    from hachecks.verdict import Verdict


class Unpublished(Publisher):
    """Keeps each verdict to itself: an agent runs, which knows of rise and fall, and has the last word."""

    def publish(self, check: AgentCheck, verdict: Verdict, began: float) -> None:  # noqa: ARG002
        """It is only told."""
        check.verdict = verdict


def run_once(node: Node, say: Callable[[str], None], threads: int) -> bool:
    """Returns whether every check passes; raises `Invalid`. A line each is said in the order of the file."""
    checks = checks_of(node.config, node.environ)
    directory = journal.state_directory(node.places)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock.held(directory))
            kind = Publisher
        except BlockingIOError:
            kind = Unpublished
        return _told(checks, kind(node.config, directory, say, node.environ), say, threads)


def _told(checks: list[AgentCheck], publisher: Publisher, say: Callable[[str], None], threads: int) -> bool:
    done: queue.SimpleQueue[AgentCheck] = queue.SimpleQueue()
    scheduler = Scheduler()
    Workers(scheduler, publisher, threads, once=True, told=done.put).start(checks)
    ended: set[str] = set()
    for check in checks:
        while check.name not in ended:
            ended.add(done.get().name)
        say(f"{check.name}: {check.verdict!r}")
    scheduler.close()
    return all(check.good for check in checks)
