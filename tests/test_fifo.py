"""What Keepalived writes into its FIFO is recorded line by line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hachecks import journal

from .cli import ROOT, hacheck

if TYPE_CHECKING:
    from pathlib import Path


def recorded(directory: Path) -> list[str]:
    found, _ = journal.read_on([str(directory)], journal.Reading())
    return [repr(one) for one in found.transitions]


def test_lines_are_recorded_however_they_are_cut(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HACHECK_STATE_DIR": str(tmp_path)}
    follower = subprocess.Popen([sys.executable, "-m", "hachecks", "notify", "--fifo", fifo], env=environ)
    try:
        with fifo.open("w") as pen:
            for part in ('INSTANCE "VI 1" MASTER 100\nGROUP "G" FA', 'ULT 0\nnonsense\nINSTANCE "VI 1" BACKUP', " 9\n"):
                pen.write(part)
                pen.flush()
                time.sleep(0.05)  # the follower may see the parts one by one, or not; both are right
        until = time.monotonic() + 10
        while len(recorded(tmp_path)) < 3:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert recorded(tmp_path) == ["INSTANCE VI 1 MASTER", "GROUP G FAULT", "INSTANCE VI 1 BACKUP"]
    finally:
        follower.send_signal(signal.SIGTERM)
    assert follower.wait(10) == 0


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_what_is_no_fifo_is_named_and_what_to_do(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "fifo"
    if kind == "file":
        path.touch()
    answer = hacheck("notify", "--fifo", path)
    why = ": No such file or directory" if kind == "absent" else " is no FIFO"
    assert answer == (2, "", f"hacheck: notify: {path}{why}; make it with mkfifo before Keepalived starts\n")


def test_without_a_path_it_says_what_it_takes() -> None:
    answer = hacheck("notify", "--fifo")
    assert answer.code == 2
    assert "--fifo takes the path of Keepalived's notify FIFO" in answer.err
