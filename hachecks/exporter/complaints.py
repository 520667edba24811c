"""How is told what strangers do wrong? One line at once, and then one a minute, however much they do."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

EACH = 60.0
"""Seconds between two lines."""


class Complaints:
    """Lines of which anybody on the network can cause any number."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._next = 0.0
        self._held = 0
        self._last = ""

    def add(self, line: str) -> None:
        """Tell it now, or count it."""
        if time.monotonic() >= self._next and not self._held:
            self._next = time.monotonic() + EACH
            self._tell(one_line(line))
        else:
            self._held += 1
            self._last = line

    def sum_up(self) -> None:
        """Tell of what was counted, when it is time; to be called every second or so."""
        if self._held and time.monotonic() >= self._next:
            self._next = time.monotonic() + EACH
            others = f"; {self._held} such lines in the last minute" if self._held > 1 else ""
            self._tell(one_line(f"{self._last}{others}"))
            self._held = 0

    def of_loop(self, _: object, context: dict[str, Any]) -> None:
        """What asyncio has to say of a connection, or of a task that nobody waited for."""
        error = context.get("exception")
        self.add(f"{context.get('message', 'something went wrong')}{_reason(error)}")


class LogOfLibrary(logging.Handler):
    """What aiohttp and asyncio have to say: a warning is a complaint, and a traceback is one line."""

    def __init__(self, complaints: Complaints) -> None:
        super().__init__(logging.WARNING)
        self.complaints = complaints

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it, with the error and without its traceback."""
        self.complaints.add(f"{record.getMessage()}{_reason(record.exc_info[1] if record.exc_info else None)}")


def _reason(error: BaseException | None) -> str:
    if error is None:
        return ""
    if isinstance(error, OSError) and error.strerror:
        return f": {error.strerror}"
    return f": {error}" if str(error) else f": {type(error).__name__}"
