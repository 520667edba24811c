"""How is Keepalived's notify FIFO followed? Every line becomes a record of the journal, in Keepalived's own order.

Keepalived runs the reader as its `notify_fifo_script`, or anybody else does; several readers would share the lines.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import stat
from time import monotonic

from hachecks import journal
from hachecks.deliverer import is_delivering
from hachecks.notify import start_deliverer
from hachecks.settings import Invalid
from hachecks.transition import Transition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

F_SETPIPE_SZ = 1031
ROOM = 1024 * 1024
"""Bytes the FIFO is to hold, some 36,000 lines: what does not fit is dropped by Keepalived without a word."""
STARTING = 2.0
"""Seconds that a deliverer is given to leave its mark before another is started."""
LAST_WORDS = 0.5
"""Seconds without a line after which the last has come: Keepalived ends its reader before it says STOP."""
LOOK = 0.2
"""Seconds after which the end that SIGTERM asked for is seen."""


class Follower:
    """Reads the FIFO until SIGTERM, and then what is left in it."""

    def __init__(self, path: str, environ: Mapping[str, str], complain: Callable[[str], None]) -> None:
        self.environ = environ
        self.complain = complain
        self.begun = b""
        self.ending = False
        self.deliverer_starts_until = 0.0
        self.descriptor = opened(path)

    def follow(self) -> None:
        """Record every line."""
        signal.signal(signal.SIGTERM, self._end)
        while not self.ending:
            if select.select([self.descriptor], [], [], LOOK)[0]:
                self._read()
        while select.select([self.descriptor], [], [], LAST_WORDS)[0]:
            self._read()

    def _end(self, *_: object) -> None:
        self.ending = True

    def _read(self) -> None:
        *lines, self.begun = (self.begun + os.read(self.descriptor, 65536)).split(b"\n")
        for line in lines:
            try:
                journal.append(Transition.from_fifo_line(line.decode("utf-8", "replace")), self.environ)
            except (ValueError, OSError) as error:
                self.complain(f"notify: not recorded: {error}")
        if lines:
            self._see_to_delivery()

    def _see_to_delivery(self) -> None:
        if monotonic() < self.deliverer_starts_until or is_delivering(journal.state_directory(self.environ)):
            return
        start_deliverer()
        self.deliverer_starts_until = monotonic() + STARTING


def opened(path: str) -> int:
    """The FIFO, open for reading, and for writing so that it has no end; raises `Invalid`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Invalid(f"notify: {path}: {error.strerror}; make it with mkfifo before Keepalived starts") from None
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Invalid(f"notify: {path} is no FIFO; make it with mkfifo before Keepalived starts")
    with contextlib.suppress(OSError):  # beyond what this user may have
        fcntl.fcntl(descriptor, F_SETPIPE_SZ, ROOM)
    return descriptor
