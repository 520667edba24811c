"""A reader of Keepalived's notify FIFO: every line becomes a transition, in Keepalived's own order.

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

from hachecks.settings import Invalid
from hachecks.transitions.transition import Transition
from hachecks.verdict import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

F_SETPIPE_SZ = 1031
PIPE_BYTES = 1024 * 1024
"""Bytes the FIFO is to hold, some 36,000 lines: what does not fit is dropped by Keepalived without a word."""
LONGEST_LINE = 8192
"""Bytes of a line; Keepalived's have some dozens, and a line that never ends must not fill the memory."""
COMPLAINT_INTERVAL_SECONDS = 60.0
"""Seconds within which one complaint about lines is enough."""
LAST_LINE_TIMEOUT = 0.5
"""Seconds without a line after which the last has come: Keepalived ends its reader before it says STOP."""
FAREWELL_TIMEOUT = 10.0
"""Seconds after SIGTERM after which the reader ends, whoever still writes."""
POLL_INTERVAL = 0.2
"""Seconds after which the end that SIGTERM asked for is seen."""


class FifoReader:
    """Reads the FIFO: until SIGTERM, and then what is left in it, or when somebody who watches `descriptor` says so.

    `record` is given each transition, and may raise `OSError`; `recorded` is called when some have been recorded.
    Raises `Invalid` where there is no FIFO.
    """

    def __init__(
        self,
        path: str,
        record: Callable[[Transition], object],
        complain: Callable[[str], None],
        recorded: Callable[[], None] = lambda: None,
    ) -> None:
        self.record = record
        self.complaints = Complaints(complain)
        self.recorded = recorded
        self.begun = b""
        self.is_too_long = False
        self.ending = False
        self.descriptor = opened(path)

    def follow(self) -> None:
        """Record every line until SIGTERM."""
        signal.signal(signal.SIGTERM, self._end)
        while not self.ending:
            if select.select([self.descriptor], [], [], POLL_INTERVAL)[0]:
                self.read()
        until = monotonic() + FAREWELL_TIMEOUT
        while monotonic() < until and select.select([self.descriptor], [], [], LAST_LINE_TIMEOUT)[0]:
            self.read()

    def _end(self, *_: object) -> None:
        self.ending = True

    def read(self) -> None:
        """Record the lines that are there now, without waiting for more; complains where that cannot be done."""
        left = PIPE_BYTES
        while left > 0 and (data := self._there_is()):
            left -= len(data)
            if sum([self._record(line) for line in self._lines(data)]):
                self.recorded()

    def _there_is(self) -> bytes:
        try:
            return os.read(self.descriptor, 65536)
        except BlockingIOError:
            return b""

    def _lines(self, data: bytes) -> Iterator[bytes]:
        """The lines that have ended; of one that has not, no more is kept than a line may have."""
        *lines, self.begun = (self.begun + data).split(b"\n")
        for line in lines:
            if not self._is_the_rest_of_too_long(line):
                yield line
            self.is_too_long = False
        if self._is_the_rest_of_too_long(self.begun):
            self.begun = b""

    def _is_the_rest_of_too_long(self, line: bytes) -> bool:
        if len(line) > LONGEST_LINE and not self.is_too_long:
            self.is_too_long = True
            begin = one_line(line[:40].decode("utf-8", "replace"))
            self.complaints.tell(f"notify: not recorded: a line of more than {LONGEST_LINE} bytes: {begin}…")
        return self.is_too_long

    def _record(self, line: bytes) -> bool:
        try:
            self.record(Transition.from_fifo_line(line.decode("utf-8", "backslashreplace")))
        except (ValueError, OSError) as error:
            self.complaints.tell(f"notify: not recorded: {error}")
            return False
        return True


class Complaints:
    """What is complained of once in a while only, with how often it happened since."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self.complain = complain
        self.quiet_until = 0.0
        self.suppressed = 0

    def tell(self, complaint: str) -> None:
        """Complain, or count."""
        if monotonic() < self.quiet_until:
            self.suppressed += 1
            return
        before = f" (and {self.suppressed} more before it)" if self.suppressed else ""
        self.quiet_until, self.suppressed = monotonic() + COMPLAINT_INTERVAL_SECONDS, 0
        self.complain(f"{complaint}{before}")


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
        fcntl.fcntl(descriptor, F_SETPIPE_SZ, PIPE_BYTES)
    return descriptor
