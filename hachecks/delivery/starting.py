"""The mark of the process that delivers, and how one is started: light enough for a check to look at."""

from __future__ import annotations

import os
import time

from hachecks import state
from hachecks.own_command import own_command
from hachecks.proc import lives

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MARK = "delivering"
_started: list[int] = []
REVIVAL_INTERVAL_SECONDS = 5.0
"""Seconds after which a check starts a deliverer in the place of one that was killed, and no sooner again."""


def is_delivering(directory: str) -> bool:
    """Whether the process that the mark names is alive; a killed one leaves its mark."""
    pid, _, started = state.read(os.path.join(directory, MARK)).strip().partition(" ")
    return pid.isdigit() and lives(pid, started)


def start(environ: Mapping[str, str]) -> None:
    """Start a process that delivers, apart from Keepalived and from us; raises `OSError`."""
    # Not by subprocess, which a check would have to import.
    null = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_RDWR, 0) for descriptor in range(3)]
    program, *words = own_command()
    _reap()
    _started.append(os.posix_spawn(program, [program, *words, "deliver"], environ, file_actions=null))


def _reap() -> None:
    """Look after those that have ended, where this process lives longer than they, as who follows the FIFO does."""
    for pid in _started[:]:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
        except ChildProcessError:
            pass
        _started.remove(pid)


def revive(directory: str, environ: Mapping[str, str]) -> bool:
    """Start a deliverer in the place of one that was killed, or what it had not told would wait for the next event."""
    mark = os.path.join(directory, MARK)
    try:
        age = time.time() - os.lstat(mark).st_mtime
    except OSError:
        return False
    if 0 <= age < REVIVAL_INTERVAL_SECONDS or is_delivering(directory):
        return False
    os.utime(mark, follow_symlinks=False)
    start(environ)
    return True
