"""Runs a command and tells, as JSON, what it said, how it ended, how long it took and how much memory it had.

A process of its own: the kernel counts the memory of the process that forks as the child's, and pytest has plenty.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import NamedTuple


class Run(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str
    seconds: float
    peak_kib: int


def measured(*argv: str) -> Run:
    """Run a command to its end, 20 seconds at most."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", __file__, *argv], capture_output=True, text=True, check=True, timeout=20
    )
    return Run(**json.loads(done.stdout))


def main() -> None:
    began = time.monotonic()
    child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = child.stdout.read().decode(), child.stderr.read().decode()  # type: ignore[union-attr]
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    run = Run(child.returncode, out, err, time.monotonic() - began, usage.ru_maxrss)
    print(json.dumps(run._asdict()))


if __name__ == "__main__":
    main()
