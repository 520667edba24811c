"""A schedule: when the agent runs a check, and what Keepalived is told of it; keys of a table of hacheck.toml only."""

from __future__ import annotations

from hachecks.settings import option, settings
from hachecks.units import Duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

LOWEST_WEIGHT = -253
"""The lowest weight that lowers a priority: -254 is FAULT (keepalived.conf(5))."""

SHORTEST_INTERVAL = 0.1
"""Seconds between two runs of a check at least."""
SHORTEST_FAST_INTERVAL = 0.01
"""The same of the few runs that have to tell a bad answer from a failure: a client waits for them."""


class Weight(int):
    """What is added to a priority: less than zero, which other whole numbers of settings are not."""

    @classmethod
    def parse(cls, text: str) -> Weight:
        """From `-50`; raises `ValueError`."""
        digits = text[1:]
        if not (text.startswith("-") and digits.isascii() and digits.isdigit() and len(digits) <= 3):
            raise ValueError(f"{text!r} is not a weight ({LOWEST_WEIGHT} to -1)")
        return cls(text)


@settings
class Schedule:
    """When the agent runs a check, and what it does with the verdict."""

    heading = "How the agent runs it"

    fast_interval: Duration | None = option(
        default=None, help="The agent runs the check so often after a bad answer, until rise or fall is reached."
    )
    hold_down: Duration = option(
        default=0.0,
        help="A check that fails again so soon after it has recovered counts as failed until it has been good for as "
        "long without interruption.",
    )
    slow_start: Duration = option(
        default=0.0,
        help="After a recovery its weight comes back in steps during this time; without a weight it counts as failed "
        "for as long.",
    )
    watch: bool = option(
        default=False,
        help="The agent holds an idle connection to the target, and runs the check at once when that ends. For tcp, "
        "http and sql, which is logged in and takes one of the server's connections. A server that hangs keeps its "
        "connections: the interval finds that out.",
    )
    process: str | None = option(
        default=None,
        metavar="NAME",
        help="The agent runs the check at once when a process of this name ends: the first of its kind, not its "
        "workers. It must be in the same PID namespace.",
    )
    track_file: str | None = option(
        default=None, metavar="PATH", help="Keepalived's track_file, which the agent sets to 0, 1 or the weight."
    )
    weight: Weight | None = option(
        default=None, metavar="N", help="What a failing check adds to the priority, -253 to -1, in place of FAULT."
    )
    on_fail: Literal["fault", "last-resort"] = option(
        default="fault", help="Whether a node whose check fails gives its VIPs up, or keeps them as the last resort."
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        if self.fast_interval is not None and self.fast_interval < SHORTEST_FAST_INTERVAL:
            raise ValueError(f"fast_interval is at least {SHORTEST_FAST_INTERVAL * 1000:.0f}ms")
        if self.weight is not None and not LOWEST_WEIGHT <= self.weight <= -1:
            raise ValueError(f"weight is {LOWEST_WEIGHT} to -1")
        if self.weight is not None and not self.track_file:
            raise ValueError("weight needs track_file, by which Keepalived is told")
