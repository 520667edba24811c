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
    # Keepalived runs scripts with umask 0177, under which makedirs would make a directory nobody can enter.
    if not os.path.isdir(directory):
        os.makedirs(directory, exist_ok=True)
        os.chmod(directory, 0o755)  # noqa: S103 - others may read what was remembered
    path = os.path.join(directory, name)
    lock = os.open(path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(lock)
        text = change(read(path))
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    finally:
        os.close(lock)


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
