"""A command that has ended by a deadline, with all processes that it started."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time

from hachecks.deadline import Deadline, TimedOut
from hachecks.verdict import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO

OUTPUT_LIMIT = 4096
"""Bytes of what it says that are kept, from the beginning; the rest is read and forgotten."""
TERM_GRACE = 1.0
"""Seconds between TERM and KILL; a tenth of the time if that is less."""
POLL_INTERVAL = 0.05
"""Seconds."""


class Ended:
    """How a command ended: its exit status (None where a signal ended it, or it never began), and what it said."""

    def __init__(self, status: int | None, how: str, output: bytes = b"", *, killed: bool = False) -> None:
        self.status = status
        self.how = how
        self.output = one_line(output.decode("utf-8", "replace"))
        self.killed = killed

    def __str__(self) -> str:
        return f"{self.how}{self.output and f': {self.output}'}"


def run(command: Sequence[str], environ: Mapping[str, str], deadline: Deadline) -> Ended:
    """Run it in a process group of its own, which is killed when it has not ended in time.

    Raises `TimedOut` when there is no time left to begin.
    """
    grace = min(TERM_GRACE, deadline.seconds / 10)
    deadline = Deadline(deadline.at - grace, deadline.seconds)
    deadline.remaining()
    try:
        process = subprocess.Popen(  # noqa: S603 - the command the administrator chose
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Ended(None, f"cannot be run: {getattr(error, 'strerror', None) or error}")
    said = bytearray()
    with process:
        try:
            _listen(process, process.stdout, said, deadline)  # type: ignore[arg-type]  # it is piped
            status = process.wait(deadline.remaining())
        except (TimedOut, subprocess.TimeoutExpired):
            ended = process.poll()  # before we noticed, on a busy machine
            if ended is None:
                _kill(process, grace)
                return Ended(None, "killed at the end of its time", bytes(said), killed=True)
            status = ended
    if status < 0:
        return Ended(None, f"ended by signal {-status}", bytes(said))
    return Ended(status, f"exit status {status}", bytes(said))


def _listen(process: subprocess.Popen[bytes], pipe: IO[bytes], said: bytearray, deadline: Deadline) -> None:
    """Read what it says until it ends: processes it leaves behind may hold the pipe open for ever."""
    descriptor = pipe.fileno()
    while True:
        ended = process.poll() is not None
        ready, _, _ = select.select([descriptor], [], [], 0 if ended else min(POLL_INTERVAL, deadline.remaining()))
        data = os.read(descriptor, 65536) if ready else b""
        said += data[: OUTPUT_LIMIT - len(said)]
        if (ready and not data) or (ended and not ready):
            return
        deadline.remaining()


def _kill(process: subprocess.Popen[bytes], grace: float) -> None:
    """TERM to the group, and KILL to what is left of it a little later."""
    last = Deadline.after(grace)
    with contextlib.suppress(ProcessLookupError, TimedOut):
        os.killpg(process.pid, signal.SIGTERM)
        while process.poll() is None or _is_there(process.pid):
            time.sleep(min(POLL_INTERVAL, last.remaining()))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
