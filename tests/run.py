"""Runs the tests: first side by side all that mostly wait, then one by one those that need the machine for themselves.

    python -m tests.run [PYTEST'S WORDS]

WORKERS in the environment says how many run at once; 0 is one after another.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

NO_TESTS = pytest.ExitCode.NO_TESTS_COLLECTED


def workers() -> str:
    """One more than there are processors, since most tests wait for a server or for a deadline."""
    return os.environ.get("WORKERS") or str(len(os.sched_getaffinity(0)) + 1)


def main(words: list[str]) -> int:
    print(f"{workers()} at once, load {os.getloadavg()[0]:.1f}", flush=True)
    codes = []
    for how in (
        ["-m", "not serial", "-n", workers(), "--dist", "loadgroup", "--no-loadscope-reorder"],
        ["-m", "serial"],
    ):
        began = time.monotonic()
        codes.append(subprocess.run([sys.executable, "-m", "pytest", *how, *words], check=False).returncode)
        print(f"{time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}", flush=True)
        if codes[-1] not in (0, 1, NO_TESTS):  # interrupted, or not understood
            return codes[-1]
    if set(codes) == {NO_TESTS}:
        return NO_TESTS
    return max(code for code in codes if code != NO_TESTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
