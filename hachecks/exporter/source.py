"""Does a source of what is known still answer, and has it something new?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hachecks.exporter import view

if TYPE_CHECKING:
    from collections.abc import Callable


class Source:
    """How a source fares: what it was that failed last, how often, and a version that grows with each change.

    `tell` gets the trouble once when it begins, and the news that it is over. Times are seconds of the epoch.
    """

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        self.name = name
        self.up = False
        self.trouble = ""
        self.last_success: float | None = None
        self.errors = 0
        self.version = 0
        self.duration = 0.0
        self._tell = tell

    def answers(self, changed: bool, duration: float | None = None) -> None:
        """It gave what was asked, in so many seconds."""
        if self.trouble:
            self._tell(f"{self.name}: all is well again")
        self.version += changed or not self.up
        self.up, self.trouble = True, ""
        self.last_success = time.time()
        if duration is not None:
            self.duration = duration

    def fails(self, trouble: str) -> None:
        """It did not; the line says what, where and what to do."""
        if trouble != self.trouble:
            self._tell(trouble)
            self.version += 1
        self.errors += 1
        self.up, self.trouble = False, trouble

    def seen(self) -> view.Source:
        """How it fares, as a value."""
        return view.Source(self.name, self.up, self.trouble, self.last_success, self.errors)
