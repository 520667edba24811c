"""Signals to the pod's first process, as they come: nothing is done within a handler."""

from __future__ import annotations

import contextlib
import os
import select
import signal

HANDLED = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD),
    *(signal.SIGRTMIN + 2, signal.SIGRTMIN + 3),
)
"""The kernel gives process 1 no signal that it has no handler for. The last two are Keepalived's for JSON."""

TO_END = (signal.SIGTERM, signal.SIGINT)

PIPE = 65536
"""Bytes that a pipe has room for."""


def keep() -> None:
    """Have a signal to end wait until `Signals` are there: to process 1 it would be lost, and kubelet sends but one."""
    signal.pthread_sigmask(signal.SIG_BLOCK, TO_END)


class Signals:
    """Waits for signals, and for nothing else."""

    def __init__(self) -> None:
        self._came: dict[int, None] = {}
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # The pipe wakes us. It may be full, of children that have ended, and then has no room for a SIGTERM.
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, self._note)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TO_END)

    def _note(self, number: int, _: object) -> None:
        self._came[number] = None

    def is_to_end(self) -> bool:
        """Whether a signal to end has come that nobody has waited for yet."""
        return any(number in self._came for number in TO_END)

    def wait(self, seconds: float) -> list[int]:
        """Those that have come, each once, at once or within so many seconds."""
        if select.select([self._read], [], [], max(0.0, seconds))[0]:
            with contextlib.suppress(BlockingIOError):
                while len(os.read(self._read, PIPE)) == PIPE:
                    pass
        came, self._came = self._came, {}
        return list(came)
