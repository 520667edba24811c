"""What the agent leaves of a check in files, and what of them it need not write again."""

from __future__ import annotations

import contextlib
import os
from time import CLOCK_BOOTTIME, clock_gettime
from typing import TYPE_CHECKING

from hachecks import state
from hachecks.agent.counters import join
from hachecks.checks import answer, results, track_file
from hachecks.checks.answer import Answer, Asked
from hachecks.checks.results import CheckResults
from hachecks.checks.streak import StreakRecord, lifetime

if TYPE_CHECKING:
    from typing import Optional

    from hachecks.checks.runner import RunOptions
    from hachecks.checks.streak import Streak
    from hachecks.verdict import Verdict

    Identity = Optional[tuple[int, int]]

RESULTS_SECONDS = 30.0
"""Seconds between two writings of results that say nothing new but numbers."""
OLDEST_LINE = 2000
"""Hundredths of a second for which a line counts that tells of a run before: what a connection took a while ago."""
STREAK_SECONDS = 60.0
"""Seconds between two writings of a streak that has not changed; it is believed for three minutes at least."""


def identity(path: str) -> Identity:
    """By what a file is known to be the one that was left, or None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


class LeftAnswer:
    """The answer of a check: written when another verdict counts, and what is there is prolonged when it would end."""

    def __init__(self, directory: str, asked: Asked, boot: str) -> None:
        self.asked = asked
        self.boot = boot
        self.path = answer.path(directory, asked.name)
        self.told: object = None
        self.until = 0
        self._text = b""
        self._place = 0
        self._since = 0

    def leave(self, told: object, verdict: Verdict, good: bool, needed: int, until: int) -> None:
        """Have it there until `needed`, and rather until `until` where anything is written; raises `OSError`.

        Only another `told` makes it worth writing at once: the line says what a connection took, another time each run.
        """
        same = told == self.told
        if same and (needed <= self.until or (until - self._since < OLDEST_LINE and self._prolong(until))):
            return
        found = Answer(self.asked, self.boot, answer.now(), until, good, repr(verdict))
        text = found.to_text()
        try:
            state.replace(self.path, text)
        except OSError:
            if same and self._prolong(until):  # on a full disk
                return
            raise
        self._text, self._place, self._since = text.encode(), found.place_of_until, found.since
        self.told, self.until = told, until

    def _prolong(self, until: int) -> bool:
        """Let what is there count longer: a fourth of what it takes to replace it. False where something else is there.

        Whoever reads it meanwhile may have digits of both: it is over for him, or counts at an instant when it does.
        """
        digits = b"%d" % until
        if len(digits) != len(b"%d" % self.until):
            return False
        try:
            descriptor = os.open(self.path, os.O_RDWR | state.NO_WAIT)
        except OSError:
            return False
        try:
            if os.pread(descriptor, len(self._text) + 1, 0) != self._text:
                return False
            os.pwrite(descriptor, digits, self._place)
        finally:
            os.close(descriptor)
        self._text = self._text[: self._place] + digits + self._text[self._place + len(digits) :]
        self.until = until
        return True

    def withdraw(self) -> None:
        """Let `hacheck run` look by itself: nothing that is there holds any more."""
        self.told = None
        with contextlib.suppress(OSError):
            os.unlink(self.path)


class LeftNumber:
    """The number in a track file, which others write as well: `hacheck run` while we were stopped, and Keepalived."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.number: int | None = None
        self.identity: Identity = None

    def leave(self, number: int) -> None:
        """Have this number there; raises `OSError`."""
        if number == self.number and (known := identity(self.path)) and known == self.identity:
            return
        track_file.under_lock(self.path, lambda: self._write(number))
        self.number = number

    def _write(self, number: int) -> None:
        # Known before it is read: Keepalived, which knows no lock, writes over it at its start. What has been written
        # here is read at the next run, since a file that is changed twice within a tick of the clock looks the same.
        self.identity = identity(self.path)
        if track_file.read(self.path) != number:
            track_file.write(self.path, number)
            self.identity = None


class LeftResults:
    """The results of a check, which the runs of `hacheck run` are counted in, too."""

    def __init__(self, directory: str, name: str) -> None:
        self.path = os.path.join(directory, results.PREFIX + name)
        self.identity: Identity = None
        self.at = 0.0
        self.runs = 0

    def join(self, ours: CheckResults) -> int:
        """Add what others have counted since to ours, and return how many runs that were."""
        if identity(self.path) == self.identity:
            return 0
        try:
            theirs = CheckResults.parse(state.read(self.path))
        except (OSError, ValueError):
            return 0
        if (theirs.name, theirs.probe) != (ours.name, ours.probe):
            return 0
        join(ours, theirs)
        return max(0, theirs.runs - self.runs)

    def leave(self, ours: CheckResults, now: float) -> None:
        """Write them; raises `OSError`."""
        self.at = now
        state.replace(self.path, ours.to_text())
        self.runs = ours.runs
        self.identity = identity(self.path)


class LeftStreak:
    """The streak of a check, with which `hacheck run` goes on where we end."""

    def __init__(self, directory: str, name: str, boot: str) -> None:
        self.path = os.path.join(directory, f"streak-{name}")
        self.boot = boot
        self.known: object = None
        self.at = 0.0

    def leave(self, streak: Streak, options: RunOptions, interval: float, now: float) -> None:
        """Have it there; raises `OSError`."""
        known = (streak.up, streak.opposing)
        if known == self.known and now - self.at < STREAK_SECONDS:
            return
        record = StreakRecord(self.boot, clock_gettime(CLOCK_BOOTTIME), lifetime(options))
        record.gap = min(interval, record.now)
        state.replace(self.path, record.dump(streak))
        self.known, self.at = known, now
