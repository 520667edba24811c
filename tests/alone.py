"""Runs a command and sees that nothing it started survives: `python -m tests.alone COMMAND …`.

Whoever loses its parent becomes our child, so that nobody gets out of sight; who has ended is reaped, as by process 1.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_CHILD_SUBREAPER = 36
LINGERING = 15.0
"""Seconds in which what has nothing to do any more may end by itself: a deliverer waits 5 s for another event."""


def descendants(pid: int) -> Iterator[int]:
    """Every process below this one."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from descendants(child)


def reap(until: float) -> None:
    """Take leave of those who have ended, until nobody is left or until then."""
    while time.monotonic() < until:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.05)
        except ChildProcessError:
            return


def told(pid: int) -> str:
    """A process as a person knows it, with the test that started it where it was told."""
    proc = Path(f"/proc/{pid}")
    try:
        words = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        environ = (proc / "environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return str(pid)
    test = next((line.partition("=")[2] for line in environ if line.startswith("PYTEST_CURRENT_TEST=")), "some test")
    return f"process {pid} of {test}: {words}"


def main(command: list[str]) -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wanted = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    child = subprocess.Popen(command, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, wanted))  # noqa: PLW1509
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the child's affair
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child.pid, signal.SIGTERM))  # Popen's would reap it as well
    signal.pthread_sigmask(signal.SIG_UNBLOCK, wanted)
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            break
    code = child.returncode = os.waitstatus_to_exitcode(status)
    code = 128 - code if code < 0 else code  # as a shell says it
    reap(time.monotonic() + LINGERING)
    survivors = {pid: told(pid) for pid in descendants(os.getpid())}
    for pid, name in survivors.items():
        print(f"still running when all was over: {name}", file=sys.stderr)
        os.kill(pid, signal.SIGKILL)
    reap(time.monotonic() + LINGERING)
    return code or bool(survivors)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
