"""The health of a source: whether it still answers, what failed last, and whether it has something new."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hachecks.exporter import view
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class SourceHealth:
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

    def succeeded(self, changed: bool, duration: float | None = None) -> None:
        """It gave what was asked, in so many seconds."""
        if self.trouble:
            self._tell(f"{self.name}: all is well again")
        self.version += changed or not self.up
        self.up, self.trouble = True, ""
        self.last_success = time.time()
        if duration is not None:
            self.duration = duration

    def failed(self, trouble: str) -> None:
        """It did not; the line says what, where and what to do."""
        trouble = visible(trouble)
        if trouble != self.trouble:
            self._tell(trouble)
            self.version += 1
        self.errors += 1
        self.up, self.trouble = False, trouble

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """A look at the source, which it survives that there is a lack of memory or files, or that ours is a mistake.

        One bad line in one file has ended the whole exporter, and with it the word of all other sources.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the other sources are served
            self.failed(f"{self.name}: {_in_words(error)}")

    def snapshot(self) -> view.SourceStatus:
        """How it fares, as a value."""
        return view.SourceStatus(self.name, self.up, self.trouble, self.last_success, self.errors, self.duration)


def _in_words(error: Exception) -> str:
    """What keeps a source from being read; of a mistake of ours, the place."""
    if isinstance(error, OSError):
        return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or 'it cannot be read'}"
    if isinstance(error, MemoryError):
        return "there is not enough memory to read it"
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f"{os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}" if place else "an unknown place"
    return f"what it says is not understood (internal error at {where}); please report it"
