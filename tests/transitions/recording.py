"""Transitions recorded in a directory of a test's own, and read by its one reader."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hachecks.proc import TICKS
from hachecks.state import boot_id
from hachecks.transitions import journal
from hachecks.transitions.history import History
from hachecks.transitions.transition import Transition
from tests.nodes import places

if TYPE_CHECKING:
    from pathlib import Path

    from hachecks.transitions.event import Event


def now_in_ticks() -> int:
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS)


def record(directory: Path, state: str, *, ago: float = 0, pid: int = 1, name: str = "VI_1") -> None:
    started = now_in_ticks() - int(ago * TICKS)
    one = Transition("INSTANCE", name, state, 100, boot=boot_id(), started=started, pid=pid)
    journal.append(one, places(directory))


def read_on(directory: Path, **closed_at_bytes: int) -> list[Event]:
    with History.locked(str(directory), [str(directory)], lambda _: None, **closed_at_bytes) as reader:
        return reader.read_on()
