"""A streak: a verdict counts after `rise` good ones in a row, or `fall` bad ones."""

from __future__ import annotations

from time import CLOCK_BOOTTIME, clock_gettime, monotonic

from hachecks import state
from hachecks.checks.runner import counted
from hachecks.checks.watchdog import WITHOUT_LINE_AFTER
from hachecks.verdict import in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.checks.runner import RunOptions
    from hachecks.deadline import Deadline
    from hachecks.verdict import Verdict

REMEMBER_SECONDS = 0.5
"""Seconds to wait for the state directory before the verdict is told; less where the watchdog is about to end us."""
ASSUMED_INTERVAL = 60.0
"""Seconds between two runs where nothing is known of them: the longest of Keepalived's defaults, that of delay_loop."""
MISSED = 3
"""A streak ends when so many runs have not been made: Keepalived was stopped, or the node was asleep."""
TIMEOUTS = 10
"""A streak is remembered for so many timeouts: a check that takes minutes is not run every minute."""
LONGEST_COUNT = 9
"""Digits of a number of runs in a row."""


class Streak:
    """The answer that counts now (`up`), and how many in a row have said otherwise since."""

    __slots__ = ("opposing", "up")

    def __init__(self, up: bool, opposing: int) -> None:
        self.up = up
        self.opposing = opposing

    def after(self, good: bool, rise: int, fall: int) -> Streak:
        """The streak after one more verdict."""
        if good == self.up:
            return Streak(self.up, 0)
        opposing = self.opposing + 1
        return Streak(good, 0) if opposing >= (rise if good else fall) else Streak(self.up, opposing)


class StreakRecord:
    """A streak as it is kept between two runs: one line of text, `BOOT NOW up|down OPPOSING GAP`.

    It is believed when it is of this boot and no older than `lifetime` seconds, or than what three runs take at the
    pace that they had: after a longer pause the first verdict counts at once, as it does for Keepalived. `now` is
    seconds since the boot, with those in which the node was asleep. `forgotten` says why a streak was not believed.
    """

    __slots__ = ("boot", "forgotten", "gap", "lifetime", "now")

    def __init__(self, boot: str, now: float, lifetime: float) -> None:
        self.boot = boot
        self.now = now
        self.lifetime = lifetime
        self.gap = 0.0
        self.forgotten = ""

    def load(self, text: str) -> Streak | None:
        """The streak the text tells of, if it can be read and believed."""
        if not text:
            return None
        try:
            boot, at, streak, gap = _read(text)
        except ValueError:
            self.forgotten = "what was remembered cannot be read"
            return None
        age = self.now - at
        if boot != self.boot:
            self.forgotten = "the node was started anew"
        elif age < 0:
            self.forgotten = "what was remembered is from the future"
        else:
            # A run by hand in between may be soon after another: it halves what is known of the pace, no more.
            self.gap = max(age, gap / 2)
            if age > max(self.lifetime, MISSED * gap):
                self.forgotten = f"the last run was {in_words(age)} ago"
        return None if self.forgotten else streak

    def dump(self, streak: Streak) -> str:
        """The text to keep."""
        return f"{self.boot} {self.now!r} {'up' if streak.up else 'down'} {streak.opposing} {self.gap!r}\n"


def _read(text: str) -> tuple[str, float, Streak, float]:
    """Boot, time, streak and gap; raises `ValueError` at anything that no run can have left."""
    boot, at_word, way, count, *rest = text.split()
    at, gap = float(at_word), float(rest[0]) if rest else 0.0  # 0.1.0 kept no gap
    plain = count.isascii() and count.isdigit() and len(count) <= LONGEST_COUNT
    if way not in ("up", "down") or not plain or len(rest) > 1 or not 0 <= gap <= at:
        raise ValueError(text)
    return boot, at, Streak(way == "up", int(count)), gap


def lifetime(options: RunOptions) -> float:
    """For how many seconds a streak is remembered at least."""
    return max(MISSED * max(ASSUMED_INTERVAL, options.interval or 0.0), TIMEOUTS * options.timeout)


class StreakFiles:
    """The streaks of forked checks, each in a file of the state directory."""

    def __init__(self, state_dir: str) -> None:
        self.state_dir = state_dir

    def counted(self, verdict: Verdict, options: RunOptions, name: str, deadline: Deadline) -> Verdict:
        """The verdict that counts, given the runs before; the verdict as it is where there is no memory to be had."""
        if not options.needs_memory:
            return verdict
        good = options.counts_as_good(verdict.status)
        found = [(Streak(good, 0), f"no rise/fall: {self.state_dir} does not answer")]
        within = min(REMEMBER_SECONDS, max(deadline.at + WITHOUT_LINE_AFTER - monotonic(), 0.0) / 2)
        state.done_within(within, lambda: found.append(self.exchange(good, options, name)))
        streak, note = found[-1]
        if streak.up == good:
            return verdict.noted(note) if note else verdict
        return counted(verdict, streak, options)

    def exchange(self, good: bool, options: RunOptions, name: str) -> tuple[Streak, str]:
        """The streak with one more run, which is remembered, and what there is to say about the memory."""
        streak, note = Streak(good, 0), ""

        def change(text: str) -> str:
            nonlocal streak, note
            record = StreakRecord(state.boot_id(), clock_gettime(CLOCK_BOOTTIME), lifetime(options))
            before = record.load(text)
            streak = before.after(good, options.rise, options.fall) if before else streak
            note = record.forgotten and f"rise and fall begin anew: {record.forgotten}"
            return record.dump(streak)

        try:
            state.exchange(state.directory(self.state_dir), f"streak-{name}", change)
        except OSError as error:
            return Streak(good, 0), f"no rise/fall: {self.state_dir}: {error.strerror or error}"
        return streak, note
