"""Openers: threads that open the connections of watches, which may take as long as a check may."""

from __future__ import annotations

import errno
import queue
import threading
from typing import TYPE_CHECKING

from hachecks.agent.watch.connection import Opening
from hachecks.checks.runner import conclude
from hachecks.deadline import Deadline

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from hachecks.agent.watch.connection import Watch
    from hachecks.agent.watch.targets import Held
    from hachecks.verdict import Verdict

    Opened = Callable[[Watch, Verdict, "Held | None"], None]

MOST_THREADS = 4
"""Connections that are opened at once."""


class Openers:
    """Opens connections in the order in which they were asked for, and says on the loop what came of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, opened: Opened) -> None:
        self.loop = loop
        self.opened = opened
        self._asked: queue.SimpleQueue[Watch | None] = queue.SimpleQueue()
        self._threads = 0
        self._busy = 0

    def open(self, watch: Watch) -> None:
        """Open the connection of this watch; `opened` is called once, on the loop.

        Raises `OSError` where there is no thread, nor room for one.
        """
        if self._threads < min(self._busy + 1, MOST_THREADS):
            self._begin_another()
        self._asked.put(watch)
        self._busy += 1

    def _begin_another(self) -> None:
        try:
            threading.Thread(target=self._work, name="watch", daemon=True).start()
        except RuntimeError:
            if not self._threads:
                raise OSError(errno.EAGAIN, "there is no room for a thread") from None
        else:
            self._threads += 1

    def _work(self) -> None:
        while (watch := self._asked.get()) is not None:
            opening = Opening(watch.watched)
            verdict = conclude(opening, Deadline.after(watch.check.options.timeout))
            try:
                self.loop.call_soon_threadsafe(self._answer, watch, verdict, opening.held)
            except RuntimeError:  # the loop has ended, and with it who wanted to know
                if opening.held is not None:
                    opening.held.leave()
                return

    def _answer(self, watch: Watch, verdict: Verdict, held: Held | None) -> None:
        self._busy -= 1
        self.opened(watch, verdict, held)

    def close(self) -> None:
        """Send the threads home."""
        for _ in range(self._threads):
            self._asked.put(None)
