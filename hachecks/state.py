"""What is remembered between two runs? Small files in the state directory, replaced whole.

Everybody may read what is there, for the exporter runs as another user than Keepalived's scripts; only the owner of a
file writes it. The words of a notify script's command line are among it. They are no secrets: keepalived.conf and
/proc/PID/cmdline show them too, and what is secret is refused there.
"""

from __future__ import annotations

import fcntl
import os
import stat
from time import monotonic, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READABLE = 0o644
LOCK_PATIENCE = 0.05
"""Seconds to wait for another run that changes the same file: it holds the lock for microseconds, unless stopped."""


def boot_id() -> str:
    """The kernel's name for the time since it started: what was remembered before that means nothing now."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def exchange(directory: str, name: str, change: Callable[[str], str]) -> None:
    """Replace the text of a file (empty when absent) by what `change` makes of it, one process at a time.

    Raises `OSError` when the directory cannot be written or the lock is not had in time.
    """
    make(directory)
    path = os.path.join(directory, name)
    lock = os.open(f"{path}~lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(lock)
        replace(path, change(read(path)))
    finally:
        os.close(lock)


def replace(path: str, text: str, sync: bool = False) -> None:
    """Put a file with this text in the place of the one that is there, in one step; raises `OSError`."""
    # One name, so that those who are killed here leave one file. No check has ~ in its name.
    temporary = f"{path}~new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(temporary, flags, READABLE), "w", encoding="utf-8") as file:
        _let_read(file.fileno())
        file.write(text)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)


def make(directory: str) -> None:
    """Make the directory if it is not there; raises `OSError`."""
    if os.path.isdir(directory):
        return
    # Keepalived runs scripts with umask 0177, under which nobody could enter a new directory, nor make one in it.
    umask = os.umask(0o022)
    try:
        os.makedirs(directory, exist_ok=True)
    finally:
        os.umask(umask)


def let_read(path: str) -> None:
    """Let everybody read a file of ours, whatever the umask was; where that cannot be done, it stays as it is."""
    # Not through a link: in a directory where others write too, such as /dev/shm, it might lead to any file.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        _let_read(descriptor)
    finally:
        os.close(descriptor)


def _let_read(descriptor: int) -> None:
    status = os.fstat(descriptor)
    alone = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    if not alone or status.st_mode & READABLE == READABLE:
        return
    try:
        os.fchmod(descriptor, READABLE)
    except OSError:  # not ours, or a file system without modes
        pass


def read(path: str) -> str:
    """The text of a file; empty when there is none or it is no text."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def _lock(descriptor: int) -> None:
    until = monotonic() + LOCK_PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() > until:
                raise
            sleep(0.002)
