"""What the agent's engine tells of itself, as plain numbers that only grow unless they say how many there are now."""

from __future__ import annotations

LATE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Seconds by which a run begins after it was due."""


class Figures:
    """`late` has the runs that began within each of `LATE_BUCKETS` after they were due, and at last the others.

    `late_seconds` is the sum and `late_most` the longest of these times. `overdue` are runs that did not end by their
    deadline, `late_verdicts` those of them that ended after all, `dropped` verdicts of checks that are declared no
    more, `excused` verdicts that were not believed because the agent itself had stood still, and `stalls` how often it
    did. `threads` are there now, and of `stuck` ones nothing has come back yet; `refused` are those that the system did
    not give.
    """

    def __init__(self) -> None:
        self.runs = self.triggered = 0
        self.late = [0] * (len(LATE_BUCKETS) + 1)
        self.late_seconds = self.late_most = 0.0
        self.overdue = self.late_verdicts = self.dropped = 0
        self.stalls = self.excused = 0
        self.threads = self.stuck = self.refused = 0

    def began(self, late: float) -> None:
        """A run began so many seconds after it was due."""
        self.runs += 1
        place = 0
        for bound in LATE_BUCKETS:
            if late <= bound:
                break
            place += 1
        self.late[place] += 1
        if late > 0.0:
            self.late_seconds += late
            if late > self.late_most:
                self.late_most = late
