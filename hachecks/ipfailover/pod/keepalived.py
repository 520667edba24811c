"""The Keepalived of a pod: started, reloaded when its file is another, and started again when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.ipfailover.pod import commands, conf_file, reaper
from hachecks.ipfailover.pod.child import Child
from hachecks.ipfailover.pod.reload import DONE, Reload
from hachecks.keepalived.signals import proc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hachecks.ipfailover.commands.run import RunCommand
    from hachecks.ipfailover.pod.wanted import Wanted

NAMES = ("keepalived", "keepalived_vrrp")
ORPHAN_PATIENCE = 3.0
"""Seconds in which its VRRP process ends by itself when the first one was killed: it takes its VIPs off meanwhile."""

STOPPED_PATIENCE = 10.0
"""Seconds for which one of its processes may be stopped: its VIPs stay here, and another node has taken them, too."""


class Keepalived:
    """One Keepalived with the file that it has read; `trouble` is what is wrong with it, empty while nothing is."""

    def __init__(self, command: RunCommand, environ: Mapping[str, str]) -> None:
        self.child = Child("Keepalived")
        self.reloads = 0
        self.trouble = ""
        self.is_asked = False
        """Whether it is to read its file again in any case."""
        self._command = command
        self._environ = environ
        self._reads: tuple[str, ...] = ()
        self._lines: tuple[str, ...] = ()
        self._reload: Reload | None = None
        self._orphans_since: float | None = None
        self._stopped_since: float | None = None

    def start(self, wanted: Wanted) -> None:
        """Start it; raises `OSError`."""
        for path in (self._command.pid_file, commands.vrrp_pid_file(self._command.pid_file)):
            _remove_stale(path)
        self._reads, self._lines, self._reload = wanted.bare, wanted.lines, None
        self.trouble = _unwritable(self._command.pid_file)
        self.child.start(commands.of_keepalived(self._command), self._environ)

    def keep_up(self, wanted: Wanted) -> bool:
        """Have it read its file where that is another, and see that it does; returns whether it has read it."""
        if self._reload is None and (wanted.bare != self._reads or self.is_asked):
            self.is_asked = False
            self._reload = Reload(self.child, self._lines if wanted.lines != self._lines else ())
            self._reads, self._lines = wanted.bare, wanted.lines
        if self._reload is None:
            return True
        if self._reload.look() == DONE:
            self.trouble, self._reload = "", None
            self.reloads += 1
        elif self._reload.is_late:
            pid = self.child.pid
            self.trouble = f"Keepalived (process {pid}) has not reloaded its file yet; see what it says, or restart it"
        return self._reload is None

    def is_reloading(self) -> bool:
        """Whether a reload is under way that is to be seen soon."""
        return self._reload is not None and not self._reload.is_late

    def end_if_stopped(self) -> bool:
        """Kill it where one of its processes, stopped by SIGSTOP, has been so for a while; returns whether it was."""
        pid = self.child.pid
        processes = [pid, *map(int, proc(f"/proc/{pid}/task/{pid}/children").split())]
        if all(reaper.state_of(one) != reaper.STOPPED for one in processes):
            self._stopped_since = None
            return False
        self._stopped_since = self._stopped_since or monotonic()
        if monotonic() - self._stopped_since <= STOPPED_PATIENCE:
            return False
        self._stopped_since = None
        _kill(processes)
        return True

    def has_left_nobody(self, *, at_once: bool = False) -> bool:
        """Whether none of its processes is left after the first one has ended; those that linger are killed."""
        orphans = [pid for pid in reaper.children() if pid != self.child.pid and _lives(pid)]
        if not orphans:
            self._orphans_since = None
            return True
        self._orphans_since = self._orphans_since or monotonic()
        if at_once or monotonic() - self._orphans_since > ORPHAN_PATIENCE:
            _kill(orphans)
        return False


def _kill(processes: Iterable[int]) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    return reaper.name_of(pid) in NAMES and reaper.state_of(pid) not in reaper.DEAD


def _unwritable(pid_file: str) -> str:
    """Why Keepalived will end at once, with exit status 0, since it cannot write its pid file; empty where it can."""
    directory = os.path.dirname(pid_file) or "."
    if os.access(directory, os.W_OK):
        return ""
    return f"{directory} cannot be written, where Keepalived's pid file is; mount an emptyDir there, or use --pid-file"


def _remove_stale(path: str) -> None:
    """Remove a pid file whose number is another's: Keepalived would not start beside whoever has it now."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.read(64).strip()
    except OSError:
        return
    if not text.isdigit() or not _lives(int(text)):
        conf_file.remove(path)
