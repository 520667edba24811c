"""What could not be told, kept until somebody sends it again or drops it: lines of JSON in `dead-letters`.

The deliverer adds to the file, and people rewrite it, so that each has it locked while it does. Lines that cannot be
read stay as they are.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from typing import NamedTuple

from hachecks import state
from hachecks.kept import document, is_number, is_text
from hachecks.transitions.event import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import IO

NAME = "dead-letters"
LOCK_TIMEOUT = 2.0
"""Seconds to wait for another that has the file: nobody holds it while a service is asked."""
LOCK_POLL_INTERVAL = 0.01


class Letter(NamedTuple):
    """The events that one notifier could not be told of, and why; `at` is in seconds of the epoch."""

    at: float
    notifier: str
    reason: str
    events: tuple[Event, ...]

    @classmethod
    def parse(cls, line: str) -> Letter:
        """From a line of the file; raises `ValueError`."""
        facts = document(line)
        at, notifier, reason, events = (facts.get(name) for name in cls._fields)
        if not (is_number(at) and is_text(notifier) and is_text(reason) and isinstance(events, list) and events):
            raise ValueError("no dead letter")
        if not all(isinstance(event, dict) for event in events):
            raise ValueError("no dead letter")
        return cls(float(at), str(notifier), str(reason), tuple(map(Event.of, events)))  # type: ignore[arg-type]

    def __str__(self) -> str:
        return json.dumps({**self._asdict(), "events": [event.facts() for event in self.events]})


class DeadLetters:
    """The dead letters of a state directory."""

    def __init__(self, directory: str, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self.path = os.path.join(directory, NAME)
        self.lock_timeout = lock_timeout

    def add(self, letter: Letter) -> None:
        """Keep one more; raises `OSError`, and leaves nothing of it then."""
        data = f"{letter}\n".encode()
        with self._locked():
            descriptor = state.written(self.path, os.O_RDWR | os.O_APPEND)
            try:
                end = os.fstat(descriptor).st_size
                if end and os.pread(descriptor, 1, end - 1) != b"\n":  # by one who was killed here
                    data = b"\n" + data
                try:
                    if os.write(descriptor, data) != len(data):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fdatasync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, end)
                    raise
            finally:
                os.close(descriptor)

    def lines(self) -> Iterator[tuple[str, Letter | None]]:
        """Each line, and the letter that it is; None where it is none."""
        with contextlib.suppress(FileNotFoundError), self._opened() as file:
            for line in file:
                letter = None
                with contextlib.suppress(ValueError):
                    letter = Letter.parse(line)
                yield line, letter

    def rewrite(self, changed: Mapping[str, Sequence[Letter]]) -> None:
        """Put other letters, or none, in the place of these lines; what came meanwhile stays. Raises `OSError`."""
        with self._locked():
            lines = [line for line, _ in self.lines()]
            kept = [[f"{letter}\n" for letter in changed[line]] if line in changed else [line] for line in lines]
            state.replace(self.path, "".join(line for some in kept for line in some), sync=True)

    def drop(self) -> int:
        """Forget all; returns how many there were. Raises `OSError`."""
        with self._locked():
            count = sum(1 for _ in self.lines())
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
        return count

    def _opened(self) -> IO[str]:
        return open(state.opened(self.path), encoding="utf-8", errors="backslashreplace", newline="\n")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        lock = state.written(f"{self.path}~lock", os.O_RDWR, 0o600)
        until = time.monotonic() + self.lock_timeout
        try:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise OSError(errno.EAGAIN, "another process has it locked") from None
                    time.sleep(LOCK_POLL_INTERVAL)
            yield
        finally:
            os.close(lock)
