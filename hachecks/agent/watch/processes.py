"""Processes whose end has checks run at once: each is known by a descriptor that the kernel says it on (pidfd)."""

from __future__ import annotations

import asyncio
import errno
import os
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from hachecks.exporter.source import SourceHealth

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

LONGEST_NAME = 15
"""Bytes of a process's name: the kernel keeps no more (TASK_COMM_LEN)."""
MOST_OF_A_NAME = 32
"""Processes of one name that are watched, the oldest numbers first."""
PAUSE = 1.0
"""Seconds between two looks for processes, at least."""
SHARE = 50
"""A look may be a fiftieth of the time: it takes 20 ms where there are a thousand processes."""
GONE = ("Z", "X")
"""States of a process that has ended."""


class Process(NamedTuple):
    """One line of /proc."""

    pid: int
    name: str
    state: str
    parent: int


def listed(proc: str = "/proc") -> dict[int, Process]:
    """The processes that are to be seen here, by number."""
    found = {}
    for entry in os.listdir(proc):
        if entry.isdigit():
            one = _read(f"{proc}/{entry}/stat")
            if one is not None:
                found[one.pid] = one
    return found


def _read(path: str) -> Process | None:
    try:
        with open(path, "rb") as file:
            line = file.read(1024)
    except OSError:  # it has ended meanwhile
        return None
    number, _, rest = line.partition(b" (")
    name, _, fields = rest.rpartition(b") ")  # a name may hold both
    state, parent, *_ = [*fields.split(b" ", 2), b"", b""]
    return Process(int(number), name.decode(errors="replace"), state.decode("ascii", "replace"), int(parent or b"0"))


def wanted(found: Mapping[int, Process], names: Collection[str]) -> dict[str, list[int]]:
    """The processes of each of these names: those that were not begun by another of the same name.

    A worker of nginx, or a backend of PostgreSQL, ends whenever it likes.
    """
    numbers: dict[str, list[int]] = {name: [] for name in names}
    for pid, process in sorted(found.items()):
        parent = found.get(process.parent)
        is_first = parent is None or parent.name != process.name
        if process.name in numbers and is_first and process.state not in GONE:
            numbers[process.name].append(pid)
    return {name: pids[:MOST_OF_A_NAME] for name, pids in numbers.items()}


class Processes:
    """Watches the processes of some names, and calls `ended` with the name of one that has ended."""

    def __init__(self, ended: Callable[[str], None], tell: Callable[[str], None]) -> None:
        self.ended = ended
        self.tell = tell
        self._checks: dict[str, str] = {}
        self._open: dict[int, tuple[int, str]] = {}
        self._told: set[str] = set()
        self._health = SourceHealth("watched processes", tell)

    def want(self, checks: Mapping[str, str]) -> None:
        """Watch these names from now on, each given by the check that names it."""
        self._checks = {check: name.encode()[:LONGEST_NAME].decode(errors="ignore") for check, name in checks.items()}
        for pid, (_, name) in list(self._open.items()):
            if name not in self._checks.values():
                self._forget(pid)

    def watched(self) -> list[tuple[str, int]]:
        """How many are watched for each check."""
        counts = [name for _, name in self._open.values()]
        return [(check, counts.count(name)) for check, name in self._checks.items()]

    def checks_of(self, name: str) -> list[str]:
        """The checks that name this process."""
        return [check for check, wanted in self._checks.items() if wanted == name]

    async def run(self) -> None:
        """Look for processes until it is cancelled."""
        try:
            while True:
                began = monotonic()
                names = frozenset(self._checks.values())
                with self._health.looked_at():
                    if names:
                        self._watch(wanted(await self._listed(), names))
                    self._health.succeeded(changed=False)
                await asyncio.sleep(max(PAUSE, SHARE * (monotonic() - began)))
        finally:
            for pid in list(self._open):
                self._forget(pid)

    async def _listed(self) -> Mapping[int, Process]:
        try:
            return await asyncio.get_running_loop().run_in_executor(None, listed)
        except RuntimeError:
            raise OSError(errno.EAGAIN, "there is no room for a thread") from None

    def _watch(self, numbers: Mapping[str, Iterable[int]]) -> None:
        for name, pids in numbers.items():
            for pid in pids:
                if pid not in self._open and name in self._checks.values():
                    self._add(pid, name)
            if not any(name == one for _, one in self._open.values()):
                self._tell_once(name, "no process of this name is seen; is it in another PID namespace (hostPID)?")

    def _add(self, pid: int, name: str) -> None:
        try:
            descriptor = os.pidfd_open(pid)
            now = _read(f"/proc/{pid}/stat")
            if now is None or now.name != name or now.state in GONE:  # it has ended since, or another has its number
                os.close(descriptor)
                return
        except ProcessLookupError:
            return
        except OSError as error:
            self._tell_once(name, f"it cannot be watched: {error.strerror}")
            return
        self._open[pid] = (descriptor, name)
        asyncio.get_running_loop().add_reader(descriptor, self._has_ended, pid)

    def _tell_once(self, name: str, line: str) -> None:
        if name not in self._told:
            self._told.add(name)
            self.tell(f"process {name}: {line}")

    def _has_ended(self, pid: int) -> None:
        name = self._open[pid][1]
        self._forget(pid)
        self.ended(name)

    def _forget(self, pid: int) -> None:
        descriptor, _ = self._open.pop(pid)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
