"""What is remembered between two runs? Small files in the state directory, replaced whole."""

from __future__ import annotations

import fcntl
import os
from time import monotonic, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

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
    with open(temporary, "w", encoding="utf-8") as file:
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
