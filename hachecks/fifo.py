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
    """Reads the FIFO: until SIGTERM, and then what is left in it, or when somebody who watches `descriptor` says so.

    Raises `Invalid` where there is no FIFO.
    """

    def __init__(self, path: str, environ: Mapping[str, str], complain: Callable[[str], None]) -> None:
        self.environ = environ
        self.complain = complain
        self.begun = b""
        self.ending = False
        self.deliverer_starts_until = 0.0
        self.descriptor = opened(path)

    def follow(self) -> None:
        """Record every line until SIGTERM."""
        signal.signal(signal.SIGTERM, self._end)
        while not self.ending:
            if select.select([self.descriptor], [], [], LOOK)[0]:
                self.read()
        while select.select([self.descriptor], [], [], LAST_WORDS)[0]:
            self.read()

    def _end(self, *_: object) -> None:
        self.ending = True

    def read(self) -> None:
        """Record the lines that are there now, without waiting for more; complains where that cannot be done."""
        left = ROOM
        while left > 0 and (data := self._there_is()):
            left -= len(data)
            *lines, self.begun = (self.begun + data).split(b"\n")
            for line in lines:
                self._record(line)
            if lines:
                self._see_to_delivery()

    def _there_is(self) -> bytes:
        try:
            return os.read(self.descriptor, 65536)
        except BlockingIOError:
            return b""

    def _record(self, line: bytes) -> None:
        try:
            journal.append(Transition.from_fifo_line(line.decode("utf-8", "replace")), self.environ)
        except (ValueError, OSError) as error:
            self.complain(f"notify: not recorded: {error}")

    def _see_to_delivery(self) -> None:
        if monotonic() < self.deliverer_starts_until:
            return
        try:
            if not is_delivering(journal.state_directory(self.environ)):
                self.deliverer_starts_until = monotonic() + STARTING
                start_deliverer()
        except OSError as error:
            self.deliverer_starts_until = monotonic() + STARTING
            self.complain(f"notify: recorded, but nobody delivers: {error}")


def opened(path: str) -> int:
    """The FIFO, open for reading, and for writing so that it has no end; raises `Invalid`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        forbidden = isinstance(error, PermissionError)
        mend = "give it to this user with chown" if forbidden else "make it with mkfifo before Keepalived starts"
        raise Invalid(f"notify: {path}: {error.strerror}; {mend}") from None
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Invalid(f"notify: {path} is no FIFO; make it with mkfifo before Keepalived starts")
    with contextlib.suppress(OSError):  # beyond what this user may have
        fcntl.fcntl(descriptor, F_SETPIPE_SZ, ROOM)
    return descriptor
