"""A child of the pod's first process: started on a leash, signalled, started again when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.ipfailover.pod import leash
from hachecks.keepalived.signals import proc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FIRST_DELAY, LONGEST_DELAY = 1.0, 15.0
"""Seconds before a child is started again that ended soon after its start, which double each time."""
SETTLED = 30.0
"""Seconds after which a child has not ended soon: it is started again at once."""
POLL = 0.02
"""Seconds between two looks at whether it has ended."""


class Child:
    """A program that is to run as long as we do; `restarts` counts how often it was started again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.restarts = 0
        self.ended_with: int | None = None
        """The exit status with which it ended last, as subprocess has it."""
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._due = 0.0
        self._starts = self._soon = 0

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        return self._process.pid if self._process else 0

    @property
    def has_run(self) -> bool:
        """Whether it was ever started."""
        return self._starts > 0

    @property
    def due(self) -> float:
        """The monotonic instant before which it is not to be started again."""
        return self._due

    def start(self, words: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start it; raises `OSError`."""
        self._due = monotonic() + FIRST_DELAY
        command = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), str(int(signal.SIGTERM)), *words]
        self._process = subprocess.Popen(  # noqa: S603 - it is named by whoever starts us
            command, env=dict(environ), stdin=subprocess.DEVNULL, start_new_session=True, close_fds=True
        )
        self._started = monotonic()
        self.restarts += self._starts > 0
        self._starts += 1

    def has_ended(self) -> bool:
        """Whether it has ended since it was looked at last; then it is known when it is to be started again."""
        if self._process is None or self._process.poll() is None:
            return False
        self.ended_with = self._process.returncode
        self._process = None
        now = monotonic()
        self._soon = self._soon + 1 if now - self._started < SETTLED else 0
        self._due = now + self._delay()
        return True

    def _delay(self) -> float:
        """Seconds before the next start: none after the first end, since a process that was killed is missed."""
        return min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self._soon - 2, 10)) if self._soon > 1 else 0.0

    def in_words(self) -> str:
        """How it ended last."""
        status = self.ended_with
        if status is None:
            return "it has not ended"
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    def signal(self, number: int) -> bool:
        """Send it a signal, if it has a use for it: the default of most is its death. Returns whether it was sent."""
        if self._process is None or not self.takes(number):
            return False
        self._process.send_signal(number)
        return True

    def takes(self, number: int) -> bool:
        """Whether it waits for this signal, which it does not yet while it starts."""
        return bool(self.pid) and takes(self.pid, number)

    def ask_to_end(self) -> None:
        """SIGTERM, whatever it is doing."""
        if self._process:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process:
            self._process.kill()


def takes(pid: int, number: int) -> bool:
    """Whether a process catches a signal, or blocks it to read it from a descriptor, and does not ignore it."""
    fields = dict(line.split(":\t", 1) for line in proc(f"/proc/{pid}/status").splitlines() if ":\t" in line)
    if "SigCgt" not in fields:
        return False
    blocked, ignored, caught = (int(fields[key], 16) for key in ("SigBlk", "SigIgn", "SigCgt"))
    return bool((caught | blocked & ~ignored) >> (number - 1) & 1)
