"""What the agent leaves in files that others write as well."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hachecks.agent.left import LeftNumber

if TYPE_CHECKING:
    from pathlib import Path


def written_over(path: Path, text: str) -> None:
    """Write as Keepalived does at its start, in place, and within the same tick of the clock."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_number_that_keepalived_writes_over_at_its_start_is_left_again(tmp_path: Path) -> None:
    path = tmp_path / "vip"
    left = LeftNumber(str(path))
    left.leave(0)
    written_over(path, "1\n")
    left.leave(0)
    assert path.read_text() == "0\n"


def test_a_number_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "vip"
    left = LeftNumber(str(path))
    left.leave(0)
    number = path.stat().st_ino
    for _ in range(3):
        left.leave(0)
    assert path.stat().st_ino == number
