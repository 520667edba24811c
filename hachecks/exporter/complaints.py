"""Complaints about what strangers do wrong: one line at once, and then one a minute, however much they do."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

COMPLAINT_INTERVAL = 60.0
"""Seconds between two lines."""


class _Kind:
    """What one kind of complaint stands at: when the next may be told, how many are held back, and the last of them."""

    def __init__(self) -> None:
        self.next = 0.0
        self.held = 0
        self.last = ""


class Complaints:
    """Lines of which anybody on the network can cause any number; those of one kind do not hide another."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._kinds: dict[str, _Kind] = {}

    def add(self, kind: str, line: str) -> None:
        """Tell it now, or count it; `kind` is one of a few words of ours."""
        known = self._kinds.setdefault(kind, _Kind())
        if time.monotonic() >= known.next and not known.held:
            known.next = time.monotonic() + COMPLAINT_INTERVAL
            self._tell(one_line(line))
        else:
            known.held += 1
            known.last = line

    def sum_up(self) -> None:
        """Tell of what was counted, when it is time; to be called every second or so."""
        for known in self._kinds.values():
            if known.held and time.monotonic() >= known.next:
                known.next = time.monotonic() + COMPLAINT_INTERVAL
                others = f"; {known.held} such lines in the last minute" if known.held > 1 else ""
                self._tell(one_line(f"{known.last}{others}"))
                known.held = 0

    def of_loop(self, _: object, context: dict[str, Any]) -> None:
        """What asyncio has to say of a connection, or of a task that nobody waited for."""
        error = context.get("exception")
        self.add("loop", f"{context.get('message', 'something went wrong')}{_reason(error)}")


class LogOfLibrary(logging.Handler):
    """What aiohttp and asyncio have to say: a warning is a complaint, and a traceback is one line."""

    def __init__(self, complaints: Complaints) -> None:
        super().__init__(logging.WARNING)
        self.complaints = complaints

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it, with the error and without its traceback."""
        self.complaints.add(
            record.name, f"{record.getMessage()}{_reason(record.exc_info[1] if record.exc_info else None)}"
        )


def _reason(error: BaseException | None) -> str:
    if error is None:
        return ""
    if isinstance(error, OSError) and error.strerror:
        return f": {error.strerror}"
    return f": {error}" if str(error) else f": {type(error).__name__}"
