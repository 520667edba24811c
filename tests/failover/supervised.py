"""Services that are started again when they end, as systemd or kubelet would, and the ways to end or to stop them."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .namespace import Process

RESTART = 0.1
"""Seconds from an end to the next start: systemd's default."""
LOOKS = 0.02


class Supervised:
    """A service of a node; `process` says which process it is now, `start` starts another."""

    def __init__(self, name: str, process: Callable[[], Process | None], start: Callable[[], object]) -> None:
        self.name = name
        self._process = process
        self._start = start
        self.held = False
        """Whether nobody starts it again, nor lets it go on."""
        self._ended: float | None = None
        self._goes_on: float | None = None

    @property
    def process(self) -> Process:
        """What runs, or ran."""
        process = self._process()
        assert process is not None
        return process

    @property
    def runs(self) -> bool:
        """Whether it is there, and not stopped."""
        return self.process.running and self._goes_on is None

    def kill(self) -> None:
        """SIGKILL for all of its processes, as when the container or the unit dies."""
        self._goes_on = None
        self.process.signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM for the one that is to end the others."""
        self.process.terminate()

    def stop(self, seconds: float) -> None:
        """SIGSTOP for all of its processes, and SIGCONT after so long."""
        self.process.signal(signal.SIGSTOP)
        self._goes_on = time.monotonic() + seconds

    def tend(self) -> None:
        """Let it go on, or start it, when that is due."""
        now = time.monotonic()
        if self.held:
            return
        if self._goes_on is not None and now >= self._goes_on:
            self.go_on()
        if self._goes_on is None:
            self.process.wake()
        if self.process.running:
            self._ended = None
        elif self._ended is None:
            self._ended, self._goes_on = now, None
        elif now >= self._ended + RESTART:
            self._ended = None
            self._start()

    def go_on(self) -> None:
        """SIGCONT."""
        self._goes_on = None
        self.process.signal(signal.SIGCONT)


class Supervisor:
    """Tends services, from a thread of its own; `complaint` is what it died of."""

    def __init__(self, services: Sequence[Supervised]) -> None:
        self.services = tuple(services)
        self.complaint = ""
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._tend, daemon=True)
        self._thread.start()

    def _tend(self) -> None:
        while not self._ends.wait(LOOKS):
            for service in self.services:
                with self._lock:
                    try:
                        service.tend()
                    except Exception as error:  # noqa: BLE001 - it is told by whoever asks
                        self.complaint = f"{service.name}: {error!r}"
                        return

    def do(self, what: Callable[[], object]) -> None:
        """Do something to a service while nobody tends it."""
        with self._lock:
            what()

    @property
    def all_run(self) -> bool:
        """Whether every service that nobody holds is there and goes on."""
        return not self.complaint and all(service.runs for service in self.services if not service.held)

    def end(self) -> None:
        """Tend no more."""
        self._ends.set()
        self._thread.join()
