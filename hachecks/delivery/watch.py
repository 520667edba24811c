"""A watch over the journal's files, which wakes who waits for a record; by inotify(7) where it can be had."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

IN_MODIFY, IN_DONT_FOLLOW = 0x2, 0x2000000
LOOK_INTERVAL = 1.0
"""Seconds after which a look is due though nothing was heard: a directory may have come in which nothing is watched."""
POLL_INTERVAL = 0.1
"""The same where a file cannot be watched: a pod's last words are to be told within a second."""
EVENTS_BYTES = 65536


class JournalWatch:
    """Watches files for what is appended; a loop may watch `descriptor` itself, which is -1 where there is no inotify.

    The files, and not their directory, in which every check writes. Another thread ends a wait by `wake`.
    """

    def __init__(self, look_interval: float = LOOK_INTERVAL) -> None:
        self.look_interval = look_interval
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._watched: set[int] = set()
        self.descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.is_complete = self.descriptor >= 0
        self._poll = select.poll()
        self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll.register(self._woken, select.POLLIN)
        if self.descriptor >= 0:
            self._poll.register(self.descriptor, select.POLLIN)

    def follow(self, paths: Iterable[str]) -> bool:
        """Watch these files; returns whether one was not watched before, which may have grown unheard."""
        if self.descriptor < 0:
            return False
        mask = IN_MODIFY | IN_DONT_FOLLOW
        found = {self._libc.inotify_add_watch(self.descriptor, os.fsencode(path), mask) for path in paths}
        self.is_complete = -1 not in found
        found.discard(-1)
        is_new = not found <= self._watched
        self._watched |= found
        return is_new

    @property
    def interval(self) -> float:
        """Seconds after which who waits has to look, though nothing was heard."""
        return self.look_interval if self.is_complete else POLL_INTERVAL

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds, or until a file has grown; for `interval` at most."""
        seconds = max(0.0, min(seconds, self.interval))
        if self._poll.poll(math.ceil(seconds * 1000)):
            self.hear()

    def hear(self) -> None:
        """Take note of all that has happened, so that the next wait is for something new."""
        for descriptor in (self.descriptor, self._woken):
            if descriptor >= 0:
                with contextlib.suppress(BlockingIOError):
                    os.read(descriptor, EVENTS_BYTES)

    def wake(self) -> None:
        """End the wait of another thread, or the next one."""
        with contextlib.suppress(OSError):  # it is full of such words, or nobody watches any more
            os.write(self._waker, b"!")

    def close(self) -> None:
        """Watch no more."""
        for descriptor in (self.descriptor, self._woken, self._waker):
            if descriptor >= 0:
                os.close(descriptor)
        self.descriptor = self._woken = self._waker = -1
