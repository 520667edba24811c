"""The rate limit of the `web.config.file`: a token bucket, and its durations as Go writes them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hachecks.exporter.web_config.file import Table

GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
GO_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds of each unit."""


class Rate:
    """A token bucket: `burst` requests at once, and one more each `interval` seconds."""

    def __init__(self, interval: float, burst: int) -> None:
        self.interval = interval
        self.burst = burst
        self._tokens = float(burst)
        self._at = time.monotonic()

    def same_as(self, other: Rate | None) -> bool:
        """Whether it is the same rate."""
        return other is not None and (other.interval, other.burst) == (self.interval, self.burst)

    def take(self, now: float) -> bool:
        """Whether there was a token at this monotonic time, which is now gone."""
        self._tokens = min(float(self.burst), self._tokens + (now - self._at) / self.interval)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def rate_limit(table: Table) -> Rate | None:
    """The rate that `rate_limit` asks for, None for any; raises `Invalid`."""
    table.refuse_unknown(("interval", "burst"))
    text = table.text("interval") or "0"
    parts = GO_DURATION.findall(text)
    if text != "0" and "".join(number + unit for number, unit in parts) != text:
        raise table.invalid("interval", f"{text!r} is no duration; write 1s or 500ms, or 0 for no limit")
    interval = sum(float(number) * GO_UNITS[unit] for number, unit in parts)
    burst = table.text("burst") or "0"
    if not (burst.isascii() and burst.isdigit() and len(burst) < 10):
        raise table.invalid("burst", f"{burst!r} is not a whole number")
    if interval and int(burst) < 1:
        raise table.invalid("burst", "no request would ever be answered; write 1 or more")
    return Rate(interval, int(burst)) if interval else None
