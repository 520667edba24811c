"""A check's standing: what counts of its answers, by rise and fall, hold-down and slow start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.checks.runner import counted
from hachecks.checks.streak import Streak
from hachecks.verdict import Status, in_words

if TYPE_CHECKING:
    from hachecks.checks.runner import RunOptions
    from hachecks.checks.schedule import Schedule
    from hachecks.verdict import Verdict

STEPS = 10
"""In so many steps a weight comes back."""
WELL = 100
"""Percent of a check that counts in full."""


class Standing:
    """What counts, answer by answer; instants are seconds of the monotonic clock.

    The first answer counts at once, as it does for Keepalived: what was before the agent began is not known, so it is
    neither flapping nor a recovery.
    """

    def __init__(self, options: RunOptions, schedule: Schedule) -> None:
        self.options = options
        self.schedule = schedule
        self.streak: Streak | None = None
        self._recovered: float | None = None
        self._held = False
        self._good_since = 0.0

    def after(self, verdict: Verdict, now: float) -> Verdict:
        """The verdict that counts after this one."""
        good = self.options.counts_as_good(verdict.status)
        before = self.streak
        if before is None:
            self.streak = Streak(good, 0)
            return verdict
        if good == before.up and not before.opposing:
            streak = before
        else:
            streak = self.streak = before.after(good, self.options.rise, self.options.fall)
        if not good:
            self._good_since = 0.0
        elif not self._good_since:
            self._good_since = now
        if streak.up != before.up:
            self._turn(streak.up, now)
        return self._delayed(verdict, now) if streak.up and self.is_delayed else counted(verdict, streak, self.options)

    def _turn(self, up: bool, now: float) -> None:
        if up:
            if not self._held:
                self._recovered = now
        else:
            since = self._recovered
            self._held = self._held or (since is not None and now - since < self.schedule.hold_down)
            self._recovered = None

    @property
    def is_delayed(self) -> bool:
        """Whether good answers may not count yet, or not in full."""
        return self._held or self._recovered is not None

    def _delayed(self, verdict: Verdict, now: float) -> Verdict:
        """What counts of an answer after a recovery."""
        assert self.streak is not None  # noqa: S101 - for the type checker
        schedule = self.schedule
        if self._held:
            good_for = now - self._good_since if self._good_since else 0.0
            if good_for < schedule.hold_down:
                told = f"held down, good for {in_words(good_for)} of {in_words(schedule.hold_down)}"
                return verdict.with_status(Status.FAIL, f"{told}: {verdict.reason}")
            self._held, self._recovered = False, now
        assert self._recovered is not None  # noqa: S101
        passed = now - self._recovered
        if schedule.weight is None and passed < schedule.slow_start:
            told = f"slow start, {in_words(passed)} of {in_words(schedule.slow_start)}"
            return verdict.with_status(Status.FAIL, f"{told}: {verdict.reason}")
        if passed >= max(schedule.slow_start, schedule.hold_down):
            self._recovered = None
        return counted(verdict, self.streak, self.options)

    def percent(self, now: float) -> int:
        """How much of the check counts: 0 while it counts as failed, 100 while all is well.

        In between it is in steps while its weight comes back (`slow_start` with a `weight`).
        """
        streak = self.streak
        if streak is None or not streak.up or self._held:
            return 0
        slow = self.schedule.slow_start
        if self._recovered is None or now - self._recovered >= slow:
            return WELL
        return int(STEPS * (now - self._recovered) / slow) * (WELL // STEPS) if self.schedule.weight is not None else 0

    @property
    def is_undecided(self) -> bool:
        """Whether the last answers say otherwise than what counts."""
        return self.streak is not None and self.streak.opposing > 0

    def changes_at(self, now: float) -> float | None:
        """When what counts will be another thing if the answers stay good: the end of a hold-down, or a step."""
        if self.streak is None or not self.streak.up:
            return None
        slow = self.schedule.slow_start
        if self._held:
            return (self._good_since or now) + self.schedule.hold_down
        if self._recovered is None or now - self._recovered >= slow:
            return None
        steps = STEPS if self.schedule.weight is not None else 1
        return self._recovered + slow * (int(steps * (now - self._recovered) / slow) + 1) / steps
