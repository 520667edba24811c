"""Keepalived's track_file: a number that is 0 while all is well, written so that Keepalived never reads a part of it.

Keepalived takes an empty, missing or orphaned file for success, and looks at the directory (inotify): the file is
replaced by rename, and never deleted. Two may write it, the agent, and `hacheck run NAME` while there is no agent: each
under the lock of the file, where it is to be had.
"""

from __future__ import annotations

import errno
import fcntl
import os
from time import monotonic, sleep

from hachecks import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.checks.schedule import Schedule

WELL, FAILED = 0, 1
LOCK_SECONDS = 0.05
"""Seconds to wait for the other one, who holds the lock for microseconds, unless he has been stopped meanwhile."""
FULL = (errno.ENOSPC, errno.EDQUOT)


def value(schedule: Schedule, good: bool, percent: int = 100) -> int:
    """The number for a verdict; of a weight what is missing of so many percent, where a check is good in part."""
    if schedule.weight is None:
        return WELL if good else FAILED
    return schedule.weight * (100 - percent) // 100 if good else schedule.weight


def write(path: str, number: int, comment: str = "") -> None:
    """Put the number there; raises `OSError`. Keepalived reads on to the first letter that is no digit."""
    text = f"{number}{f' # {comment}' if comment else ''}\n"
    try:
        state.replace(path, text)
    except OSError as error:
        if error.errno not in FULL:
            raise
        _overwrite(path, text)


def _overwrite(path: str, text: str) -> None:
    """Where there is no room for another file, there is in this one: one write, of which nothing is left of before."""
    descriptor = os.open(path, os.O_WRONLY | state.NO_WAIT)
    try:
        os.pwrite(descriptor, text.rstrip("\n").ljust(os.fstat(descriptor).st_size - 1).encode() + b"\n", 0)
    finally:
        os.close(descriptor)


def read(path: str) -> int | None:
    """The number that is there; None where there is none, or it cannot be read."""
    try:
        return int(state.read(path).split()[0])
    except (OSError, ValueError, IndexError):
        return None


def under_lock(path: str, act: Callable[[], None]) -> None:
    """Do it while nobody else does, and all the same where the lock is not had in time, or cannot be made."""
    try:
        lock = os.open(f"{path}~lock", os.O_RDONLY | os.O_CREAT | state.NO_WAIT, 0o600)
    except OSError:
        return act()
    try:
        until = monotonic() + LOCK_SECONDS
        while not _is_had(lock) and monotonic() < until:
            sleep(0.001)
        return act()
    finally:
        os.close(lock)


def _is_had(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_there(path: str) -> bool:
    """Whether Keepalived can look at it."""
    return os.path.isdir(os.path.dirname(path))
