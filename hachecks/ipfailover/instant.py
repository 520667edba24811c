"""Instants by which nodes change together: as RFC 3339 has them, and as Keepalived reads them in its time file."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

EXPECTED = "expected 2026-11-30T22:00:00Z or the like"
PATTERN = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[Zz]|([+-])([0-9]{2}):([0-5][0-9]))", re.ASCII
)
"""Whole seconds of a known clock: Keepalived knows no others, and nodes may be in different zones."""


def parse(text: str) -> int:
    """Seconds since the epoch, or 0 for no text; raises `ValueError`."""
    if not text:
        return 0
    found = PATTERN.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        day, time, sign, hours, minutes = found.groups()
        east = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
        seconds = datetime.strptime(f"{day} {time}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone(east)).timestamp()
    except (ValueError, OverflowError):
        seconds = 0
    # strptime bears a 61st second.
    if seconds <= 0 or not found or found[2][-2:] > "59":
        raise ValueError(f"{text!r} is no instant; {EXPECTED}")
    return int(seconds)


def written(at: float) -> str:
    """An instant as RFC 3339 has it, in UTC."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_time_file(at: float) -> str:
    """An instant as the first line of a `reload_time_file`: the manual permits this form precisely."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
