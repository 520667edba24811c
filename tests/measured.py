"""Runs a command and tells, as JSON, what it said, how it ended, how long it took and how much memory it had.

A process of its own: the kernel counts the memory of the process that forks as the child's, and pytest has plenty.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple


class Run(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str
    seconds: float
    starved: float
    """Seconds of these in which it could have run, and others had the processor."""
    peak_kib: int

    @property
    def own_seconds(self) -> float:
        """What it took of itself, however busy the machine was."""
        return self.seconds - self.starved


def measured(*argv: str) -> Run:
    """Run a command to its end, 20 seconds at most."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", __file__, *argv], capture_output=True, text=True, check=True, timeout=20
    )
    return Run(**json.loads(done.stdout))


def starved(pid: int) -> float:
    """Seconds for which a process could have run, and others had the processor."""
    _, nanoseconds, _ = map(int, Path(f"/proc/{pid}/schedstat").read_text().split())  # run, waited to run, turns
    return nanoseconds / 1e9


def main() -> None:
    began = time.monotonic() - starved(os.getpid())
    child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = child.stdout.read().decode(), child.stderr.read().decode()  # type: ignore[union-attr]
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    seconds = time.monotonic() - starved(os.getpid()) - began  # without those that it ended before we could look
    waited = starved(child.pid)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    run = Run(child.returncode, out, err, seconds, waited, usage.ru_maxrss)
    print(json.dumps(run._asdict()))


if __name__ == "__main__":
    main()
