"""The record of a drain: the file that Keepalived tracks says in one line for both what it adds and who wants it.

Keepalived reads the number with which it begins (strtol of the first 127 bytes, base 0) and ignores the rest. There is
no other state: what Keepalived does and what we say of it cannot differ, and both survive a restart, and a reboot where
the file is on a disk.
"""

from __future__ import annotations

import calendar
import os
import re
import time
from typing import NamedTuple

from hachecks import state
from hachecks.verdict import one_line

MOST_BYTES = 65536
"""Bytes that are read of the file: a record of 255 IPv6 addresses has 11,000."""
SEEN_BY_KEEPALIVED = 127
LARGEST = 2**63 - 1
"""What strtol makes of anything larger."""
NUMBER = re.compile(rb"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
RECORD = re.compile(r"# drained at (?P<since>\S+)(?: until (?P<until>\S+))? by (?P<by>[^\s:]+)(?:: (?P<reason>.*))?")
VIPS = "# VIPs here then:"
FORMAT = "%Y-%m-%dT%H:%M:%SZ"
LONGEST_REASON = 200


class Drain(NamedTuple):
    """A drain that is in force; times are seconds of the epoch.

    `number` is what the file tells Keepalived. `since` is None, and `by` empty, where somebody wrote a number by hand.
    `until` is None where nobody but a person ends it. `vips` are those that were here when it began.
    """

    number: int
    since: float | None = None
    until: float | None = None
    by: str = ""
    reason: str = ""
    vips: tuple[str, ...] = ()

    def to_text(self) -> str:
        """The text to keep."""
        head = f"{self.number} # drained at {instant(self.since or 0.0)}"
        if self.until is not None:
            head += f" until {instant(self.until)}"
        head += f" by {re.sub(r'[^!-9;-~]', '', self.by) or 'nobody'}"
        if self.reason:
            head += f": {one_line(self.reason)[:LONGEST_REASON]}"
        return "\n".join([head, *([f"{VIPS} {' '.join(self.vips)}"] if self.vips else []), ""])

    @property
    def told(self) -> str:
        """What people are told: since when, until when, by whom and why."""
        if self.since is None:
            return "by hand"
        until = f" until {instant(self.until)}" if self.until is not None else ""
        return f"since {instant(self.since)}{until} by {self.by}" + (f": {self.reason}" if self.reason else "")

    def __str__(self) -> str:
        return f"drained {self.told}"


def instant(at: float) -> str:
    """Seconds of the epoch as people and programs read them."""
    return time.strftime(FORMAT, time.gmtime(at))


def parse_instant(text: str) -> float:
    """Seconds of the epoch from `2026-11-29T17:00:00Z`; raises `ValueError`."""
    return float(calendar.timegm(time.strptime(text, FORMAT)))


def drained(path: str) -> Drain | None:
    """The drain that the file says; None where it says none, is not there, or is not to be trusted."""
    try:
        return look(path)
    except OSError:
        return None


def look(path: str) -> Drain | None:
    """The drain that the file says, None without one; raises `OSError` where it cannot be read or trusted."""
    try:
        descriptor = state.opened(path)
    except FileNotFoundError:
        return None
    try:
        return parse(os.read(descriptor, MOST_BYTES))
    finally:
        os.close(descriptor)


def parse(data: bytes) -> Drain | None:
    """The drain that the bytes of a file say: none where Keepalived reads 0, as from what is no number."""
    number = number_of(data)
    if not number:
        return None
    head, *rest = data.decode("utf-8", "replace").split("\n")
    found = RECORD.search(head)
    if not found:
        return Drain(number)
    try:
        since = parse_instant(found["since"])
        until = parse_instant(found["until"]) if found["until"] else None
    except ValueError:
        return Drain(number)
    vips = next((line[len(VIPS) :].split() for line in rest if line.startswith(VIPS)), [])
    return Drain(
        number, since, until, one_line(found["by"]), one_line(found["reason"] or ""), tuple(map(one_line, vips))
    )


def number_of(data: bytes) -> int:
    """The number that Keepalived reads: 0 from what is none."""
    found = NUMBER.match(data[:SEEN_BY_KEEPALIVED])
    if not found:
        return 0
    digits = found[2].decode()
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
    return max(-LARGEST - 1, min(int(digits, base) * (-1 if found[1] == b"-" else 1), LARGEST))


def write(path: str, drain: Drain | None) -> None:
    """Put a drain there, or 0 for none; raises `OSError`. It is on the disk when this returns."""
    state.replace(path, drain.to_text() if drain else "0\n", sync=True)
