"""`hacheck` as Keepalived starts it: a process of its own, in a clean environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent


class Answer(NamedTuple):
    """What the process left behind."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line it printed."""
        assert self.out.count("\n") == 1, self
        return self.out.rstrip("\n")


def hacheck(*words: object, timeout: float = 60, **environ: str) -> Answer:
    """Run `python -m hachecks` with these words and, besides the bare necessities, these variables."""
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HACHECK_STATE_DIR": "/proc/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-m", "hachecks", *map(str, words)],
        env={**clean, **environ},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)
