"""A process by its number and the time of its fork, as proc(5) tells of it: the number alone is given again."""

from __future__ import annotations

import os

TICKS = os.sysconf("SC_CLK_TCK")
"""Clock ticks in a second."""


def stat_of(pid: str) -> list[str]:
    """The fields of /proc/PID/stat from the third, its state, on; raises `OSError` when there is no such process."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def process_start(pid: str = "self") -> int:
    """When a process was forked, in clock ticks after boot (field 22)."""
    return int(stat_of(pid)[19])


def lives(pid: str, started: str) -> bool:
    """Whether this process is there and does something: a zombie only waits for its parent."""
    try:
        fields = stat_of(pid)
        return fields[19] == started and fields[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False
