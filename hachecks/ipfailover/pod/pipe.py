"""The notify FIFO: made before Keepalived starts, and held open, so that nothing said to it is lost with a reader."""

from __future__ import annotations

import array
import fcntl
import os
import stat
import termios
from typing import TYPE_CHECKING

from hachecks.settings import Invalid
from hachecks.transitions import journal
from hachecks.transitions.fifo import FifoReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.node import Node


class Pipe:
    """The FIFO at a path, which is ours alone; raises `OSError`, or `Invalid` where something else is there."""

    def __init__(self, path: str, node: Node, tell: Callable[[str], None]) -> None:
        self.path = path
        _make(path)
        self._reader = FifoReader(path, lambda one: journal.append(one, node.places, sync=node.syncs), tell)

    @property
    def waiting(self) -> int:
        """Bytes that nobody has read yet."""
        count = array.array("i", [0])
        fcntl.ioctl(self._reader.descriptor, termios.FIONREAD, count)
        return count[0]

    def record(self) -> None:
        """Record in the journal what nobody has read."""
        self._reader.read()

    def remove(self) -> None:
        """Have none any more."""
        os.close(self._reader.descriptor)
        os.unlink(self.path)


def _make(path: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        os.mkfifo(path, 0o600)
        return
    if not stat.S_ISFIFO(status.st_mode):
        raise Invalid(f"{path} is no FIFO; remove it, or name another place by --fifo")
    # One of ours that was left behind may have lines in it that nobody has recorded; it is read on.
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        os.unlink(path)
        os.mkfifo(path, 0o600)
