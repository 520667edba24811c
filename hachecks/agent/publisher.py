"""The publisher: a verdict becomes what `hacheck run` answers, what Keepalived tracks, and what is told of it.

It is called by each thread after each run, and most runs say what the run before said: then nothing is written. The
order is answer, track file, all else: who finds no fresh answer looks by himself, and may write the track file.
"""

from __future__ import annotations

from time import CLOCK_BOOTTIME, clock_gettime, monotonic, time
from typing import TYPE_CHECKING

from hachecks import mounts, state
from hachecks.agent.check import JITTER, SLACK
from hachecks.agent.counters import copied, join
from hachecks.agent.left import RESULTS_SECONDS, LeftAnswer, LeftNumber, LeftResults, LeftStreak
from hachecks.checks import answer, track_file
from hachecks.checks.answer import Asked
from hachecks.checks.publish import note_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hachecks.agent.check import AgentCheck
    from hachecks.checks.results import CheckResults
    from hachecks.verdict import Status, Verdict

    Told = tuple[Status, str, bool, str]
    """What makes a verdict another one: status, kind, whether it is good, and the reason but for what is measured."""

LONGER = 1.0
"""Seconds, an interval at most, for which an answer counts beyond the end of the next run: it is written less often."""
SHORTEST = 1.0
"""Seconds from the beginning of a run for which its answer counts at least."""
LATE = 0.1
"""Seconds by which the next run may end late before its check is answered by nobody."""
NUMBERS = dict.fromkeys(map(ord, "0123456789."))
"""What is left out of a reason: a run takes another time each."""
PATIENCE = 60.0
"""Seconds between two complaints about the same at least."""


class Published:
    """What is published of one check."""

    def __init__(self, check: AgentCheck, answer: LeftAnswer, directory: str, boot: str) -> None:
        path = check.schedule.track_file
        self.answer = answer
        self.number = LeftNumber(path) if path else None
        self.results = LeftResults(directory, check.name)
        self.streak = LeftStreak(directory, check.name, boot) if check.options.needs_memory else None
        self.last: CheckResults | None = None
        self.told: Told | None = None
        self.known = check.schedule, check.options

    def fits(self, check: AgentCheck) -> bool:
        """Whether the check is still declared as it was."""
        return self.known == (check.schedule, check.options)


class Publisher:
    """Publishes the verdicts of checks that this file declares, in the state directory of this user's own.

    `version` is another after each run. `fallbacks` counts the runs that `hacheck run` made itself meanwhile, by the
    name of the check.
    """

    def __init__(
        self, config: str, directory: str, tell: Callable[[str], None], environ: Mapping[str, str] | None = None
    ) -> None:
        self.config = config
        self.directory = directory
        self.tell = tell
        self.given = answer.given(environ or {})
        self.boot = state.boot_id()
        self.version = 0
        self.fallbacks: dict[str, int] = {}
        self._answers_boot = answer.IN_MEMORY if mounts.file_system(directory) in mounts.IN_MEMORY else self.boot
        self._published: dict[str, Published] = {}
        self._told: dict[tuple[str, str], float] = {}
        self._asleep = clock_gettime(CLOCK_BOOTTIME) - monotonic()
        self._woke = 0.0

    def publish(self, check: AgentCheck, verdict: Verdict, began: float) -> None:
        """Publish a verdict of a run that began at this monotonic instant; none that counts no more when it comes."""
        now = monotonic()
        if now - began >= check.lifetime or began < self._awake_since(now):
            return
        published = self._published.get(check.name)
        if published is None or not published.fits(check):
            last = published.last if published else None
            asked = Asked(check.name, self.config, self.given)
            left = LeftAnswer(self.directory, asked, self._answers_boot)
            published = Published(check, left, self.directory, self.boot)
            published.last = last
            self._published[check.name] = published
        good = check.options.counts_as_good(verdict.status)
        check.counts_until = began + check.lifetime
        told = verdict.status, verdict.kind, good, verdict.reason.translate(NUMBERS)
        self._answer(check, published, told, verdict, began + self._asleep)
        if published.number:
            number = track_file.value(check.schedule, good, check.percent(now))
            if number and check.fault is not None:
                number = check.fault
            self._track(published, published.number, number)
        self._count(check, published, told, verdict, now)
        self.version += 1

    def keep(self, names: set[str]) -> None:
        """Take back what is answered for checks that are declared no more: all but these."""
        for name in set(self._published) - names:
            self._published.pop(name).answer.withdraw()

    def _awake_since(self, now: float) -> float:
        """When the node last woke up, in monotonic seconds: no run from before tells of anything now."""
        asleep = clock_gettime(CLOCK_BOOTTIME) - now
        if asleep - self._asleep > SLACK:
            self._asleep, self._woke = asleep, now
        return self._woke

    def _answer(self, check: AgentCheck, published: Published, told: Told, verdict: Verdict, began: float) -> None:
        """`began` is in seconds since the boot."""
        interval = check.interval
        ended = began + interval * (1 + JITTER) + check.options.timeout
        needed = ended + LATE
        until = max(began + SHORTEST, ended + SLACK + min(interval * (1 - JITTER), LONGER))
        try:
            published.answer.leave(told, verdict, told[2], int(needed * 100), int(until * 100))
        except OSError as error:
            published.answer.withdraw()
            self._complain("answers", self.directory, f"{error.strerror}; `hacheck run` looks by itself")
        else:
            self._works("answers", self.directory)

    def _track(self, published: Published, left: LeftNumber, number: int) -> None:
        try:
            left.leave(number)
        except OSError as error:
            # Whoever runs the check for Keepalived may be able to write it, and does when there is no answer.
            published.answer.withdraw()
            cure = "" if track_file.is_there(left.path) else "; make its directory, before Keepalived starts"
            self._complain("track file", left.path, f"{error.strerror}{cure}")
        else:
            self._works("track file", left.path)

    def _count(self, check: AgentCheck, published: Published, told: Told, verdict: Verdict, now: float) -> None:
        ours, good = copied(check.results), told[2]
        writes = told != published.told or now - published.results.at >= RESULTS_SECONDS
        if writes:
            self._join(published, ours)
        took = verdict.measured.get("duration_seconds", check.options.timeout)
        ours.boot = self.boot
        ours.count(verdict, good, round(max(0.0, time()), 3), round(max(0.0, took), 6))
        check.results, check.verdict, published.last, published.told = ours, verdict, ours, told
        try:
            if writes:
                if not good:
                    note_failure(verdict, self.directory, check.name)
                published.results.leave(ours, now)
            streak = check.standing.streak
            if published.streak and streak:
                published.streak.leave(streak, check.options, check.interval, now)
        except OSError as error:
            self._complain("results", self.directory, f"{error.strerror}; they are not kept")
        else:
            if writes:
                self._works("results", self.directory)

    def _join(self, published: Published, ours: CheckResults) -> None:
        if published.last and not ours.runs:
            join(ours, published.last)  # the check is declared anew
        others = published.results.join(ours)
        if published.told:
            self.fallbacks[ours.name] = self.fallbacks.get(ours.name, 0) + others

    def _complain(self, what: str, path: str, why: str) -> None:
        """Once, until it has been done again."""
        if (what, path) not in self._told:
            self._told[what, path] = monotonic()
            self.tell(f"{what}: {path}: {why}")

    def _works(self, what: str, path: str) -> None:
        """It is complained of again if it fails again, but not each time that a disk is full by turns."""
        at = self._told.get((what, path))
        if at is not None and monotonic() - at > PATIENCE:
            self._told.pop((what, path), None)
