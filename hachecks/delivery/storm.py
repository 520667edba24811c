"""A storm: records that come one after another, and are told of together once it is over."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.transitions.journal import Batch


class Pace(NamedTuple):
    """How long is waited for what; all in seconds.

    A storm is over after `storm_quiet` without a record, and people are told after `longest_storm` anyway. Once
    Keepalived says STOP, its pod ends a second later, and the deliverer has to start within that: then it is
    `goodbye_quiet` and `longest_goodbye`. No more often than at each `look_interval` is looked how a storm goes on.
    """

    storm_quiet: float = 1.0
    longest_storm: float = 5.0
    goodbye_quiet: float = 0.1
    longest_goodbye: float = 0.4
    look_interval: float = 0.1


PACE = Pace()


class Storm:
    """The records that have come since `began`, and are still to be read; times are on the monotonic clock."""

    def __init__(self, began: float, pace: Pace) -> None:
        self.began = began
        self.pace = pace
        self.ends = began

    def goes_on(self, now: float, unread: Batch) -> None:
        """More has come; `unread` is all that has come since it began, or as much as is read at once."""
        quiet, longest = self.pace.storm_quiet, self.pace.longest_storm
        if any(transition.state == "STOP" for transition in unread.transitions):
            quiet, longest = self.pace.goodbye_quiet, self.pace.longest_goodbye
        is_over = unread.more or not unread.transitions
        self.ends = now if is_over else min(now + quiet, self.began + longest)
