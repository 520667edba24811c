"""A reload of Keepalived, and whether it has happened: its VRRP process has other sockets then, and another file.

Tried with 2.2.7: its sockets of IP protocol 112 are closed and made anew at each reload, and stay as they are where it
refuses the file. With reload_check_config and without CAP_SETGID it makes them anew and reads the old file again.
"""

from __future__ import annotations

import contextlib
import os
import signal
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.ipfailover.pod.child import takes
from hachecks.ipfailover.pod.wanted import bare
from hachecks.keepalived.signals import proc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.ipfailover.pod.child import Child

COPY = "/memfd:/keepalived/"
PATIENCE = 5.0
"""Seconds after which a reload is late; with 255 instances one takes less than one."""
WANTED, SENT, DONE = "wanted", "sent", "done"


class Reload:
    """One reload of a running Keepalived, from the wish to its end."""

    def __init__(self, child: Child, before: Sequence[str]) -> None:
        """`before` are the lines that it has read, none where it is to read the same again."""
        self._child = child
        self._pid = child.pid
        self._before: frozenset[int] = frozenset()
        self._lines = tuple(before)
        self._since = monotonic()
        self.state = WANTED

    def look(self) -> str:
        """How far it is: it is sent when Keepalived can take it, which needs a moment after its start."""
        if self.state == WANTED and self._is_ready():
            self._before = sockets(self._pid)
            if self._child.signal(signal.SIGHUP):
                self.state, self._since = SENT, monotonic()
        elif self.state == SENT and self._has_reloaded():
            self.state = DONE
        return self.state

    @property
    def is_late(self) -> bool:
        """Whether it should have happened by now."""
        return self.state != DONE and monotonic() - self._since > PATIENCE

    def _has_reloaded(self) -> bool:
        # Without an interface it has no socket before, and none after.
        return bool(not self._before or sockets(self._pid) - self._before) and self._reads_another()

    def _reads_another(self) -> bool:
        return not self._lines or copy_of(self._pid) != self._lines

    def _is_ready(self) -> bool:
        """Whether it has read its file and started its VRRP process, which then takes the signal from it."""
        return takes(self._pid, signal.SIGHUP) and any(takes(one, signal.SIGHUP) for one in children_of(self._pid))


def copy_of(pid: int) -> tuple[str, ...]:
    """The lines that its processes have read, of which it keeps a copy in memory; empty where it does not."""
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{name}"
            if os.readlink(path).startswith(COPY):
                return bare(proc(path))
    return ()


def children_of(pid: int) -> list[int]:
    """A process's children."""
    return [int(word) for word in proc(f"/proc/{pid}/task/{pid}/children").split()]


def sockets(pid: int) -> frozenset[int]:
    """The raw sockets of VRRP's protocol that the children of a process have, by their inodes."""
    rows = [line.split() for name in ("raw", "raw6") for line in proc(f"/proc/{pid}/net/{name}").splitlines()]
    of_vrrp = {int(row[9]) for row in rows if len(row) > 9 and row[1].endswith(":0070")}
    found: set[int] = set()
    for child in children_of(pid):
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{child}/fd"):
                with contextlib.suppress(OSError):
                    target = os.readlink(f"/proc/{child}/fd/{name}")
                    if target.startswith("socket:["):
                        found.add(int(target[8:-1]))
    return frozenset(found & of_vrrp)
