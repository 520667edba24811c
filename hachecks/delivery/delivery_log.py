"""The delivery log, `deliveries.log`: what came of each delivery, for those who look later."""

from __future__ import annotations

import contextlib
import os
import time

from hachecks import state
from hachecks.transitions import journal
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "deliveries.log"
CLOSED_AT_BYTES = 1024 * 1024


class DeliveryLog:
    """Lines with their time: the deliverer that notify starts has no standard output.

    Where the file cannot be written, a container's output is. A full one is kept as `deliveries.log.1`, and no other.
    """

    def __init__(self, directory: str, tell: Callable[[str], None], closed_at_bytes: int = CLOSED_AT_BYTES) -> None:
        self.path = os.path.join(directory, NAME)
        self.further = tell
        self.closed_at_bytes = closed_at_bytes

    def tell(self, line: str) -> None:
        """Write the line down with the time, and pass it on."""
        text = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {visible(line)}\n"
        try:
            self._write(text)
        except OSError:
            with contextlib.suppress(OSError):
                journal.say_on_console(f"hacheck: {text}")
        self.further(line)

    def _write(self, text: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if os.lstat(self.path).st_size > self.closed_at_bytes:
                os.replace(self.path, f"{self.path}.1")
        with open(state.written(self.path, os.O_WRONLY | os.O_APPEND), "a", encoding="utf-8") as file:
            file.write(text)
