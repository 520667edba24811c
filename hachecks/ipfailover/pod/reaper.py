"""Orphans of this pod: they become children of its first process, which has to wait for their end."""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import TYPE_CHECKING

from hachecks.keepalived.signals import proc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

PR_SET_CHILD_SUBREAPER = 36
DEAD = ("Z", "X")
STOPPED = "T"


class Reaper:
    """Waits for whoever is dead at two looks: who is waited for by somebody else is gone at the second."""

    def __init__(self) -> None:
        self._dead: set[int] = set()
        # As process 1 one gets them anyway.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def look(self, ours: Collection[int]) -> int:
        """Reap; returns how many. `ours` have somebody who waits for them."""
        dead = {pid for pid in children() if pid not in ours and state_of(pid) in DEAD}
        reaped = dead & self._dead
        for pid in reaped:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self._dead = dead - reaped
        return len(reaped)


def children() -> Iterator[int]:
    """All children of this process, those that it was left with among them."""
    with contextlib.suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            yield from map(int, proc(f"/proc/self/task/{thread}/children").split())


def state_of(pid: int) -> str:
    """The letter of a process's state; empty when it is gone."""
    return proc(f"/proc/{pid}/stat").rpartition(") ")[2][:1]


def name_of(pid: int) -> str:
    """What a process is called."""
    return proc(f"/proc/{pid}/comm").rstrip("\n")
