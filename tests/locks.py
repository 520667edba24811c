"""A process that was stopped in the middle of a change of a file of state, and so keeps its lock."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.cli import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHANGE = "import sys; from hachecks import state\nstate.exchange(sys.argv[1], sys.argv[2], lambda _: input('go'))"


@contextmanager
def stopped_with_the_lock(directory: Path, name: str) -> Iterator[None]:
    """It has the lock of this name in the state directory, and will not give it back."""
    words = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-c", CHANGE, str(directory), name]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.read(2) == b"go"
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.kill()
