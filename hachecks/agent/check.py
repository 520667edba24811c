"""A check that the agent runs: what is asked, when, and what came of it so far."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, cast

from hachecks.agent.standing import Standing
from hachecks.checks.publish import probe_kind
from hachecks.checks.results import CheckResults
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from hachecks.checks.runner import RunOptions
    from hachecks.checks.schedule import Schedule
    from hachecks.probes import Patient, Probe
    from hachecks.verdict import Verdict

DEFAULT_INTERVAL = 1.0
"""Seconds between two runs of a check that names no interval."""
SLACK = 0.5
"""Seconds by which a run may be late before the verdict of the one before counts no more."""
JITTER = 0.05
"""The share of an interval by which a run is moved at random, so that checks do not run in step for ever."""
EARLY = 0.2
"""The share of an interval, and at most the seconds, by which a run may begin early: one waking serves several.

With 255 checks a second they are fifty at a time: the first of them takes a millisecond, since all caches are cold,
and the others a twentieth of that.
"""
FIRST_WITHIN = 1.0
"""Seconds within which each check has its first run, however long its interval is."""
LONG_SECONDS = 0.005
"""A run that took longer is expected to do so again: others are not to wait for it."""


class AgentCheck:
    """One check. `verdict` and `good` are what counts, rise and fall included, and None before the first run.

    `results` are never changed after they have been published here: there is a new object for each run. `declared` is
    all that hacheck.toml says of it: where that is the same after a reload, the check goes on as it is.
    """

    def __init__(self, name: str, probe: Probe, options: RunOptions, schedule: Schedule, declared: str = "") -> None:
        self.name = name
        self.probe = probe
        self.options = options
        self.schedule = schedule
        self.declared = declared
        self.interval = options.interval or DEFAULT_INTERVAL
        """Seconds between two runs while all is well."""
        self.lifetime = self.interval + options.timeout + SLACK
        """Seconds from the beginning of a run for which its verdict counts: until the next one has ended."""
        self.standing = Standing(options, schedule)
        self.fault: int | None = None
        """What Keepalived is told of a failure where keepalived.conf would make something else of the number."""
        self.verdict: Verdict | None = None
        self.counts_until = 0.0
        """The monotonic instant until which that verdict counts."""
        self.results = CheckResults(name, probe_kind(probe))
        self.results.subject = one_line(probe.subject)
        self.results.timeout, self.results.interval = options.timeout, self.interval
        self._prepare_to_run()

    def _prepare_to_run(self) -> None:
        """What the engine keeps of it."""
        self.due: float | None = None
        self.was_due = 0.0
        self.early = EARLY * min(1.0, self.interval)
        can_pause = hasattr(self.probe, "begin") and not self.options.retries
        self.patient = cast("Patient", self.probe) if can_pause else None
        self.takes_long = False
        self.is_triggered = False
        self.is_excused = False
        self.is_retired = False
        self.lock = threading.Lock()
        """Held while a verdict of it is counted and published."""

    def first_due(self, now: float) -> float:
        """When it is run first."""
        return now + random.random() * min(self.interval, FIRST_WITHIN)  # noqa: S311 - no secret

    def next_due(self, now: float) -> float:
        """When it is run next, after a run that was due at `was_due` has ended now; `early` is set for that run."""
        if self.is_excused:
            return now
        standing, interval = self.standing, self.interval
        if standing.is_undecided and self.schedule.fast_interval is not None:
            interval = self.schedule.fast_interval
        elif self.results.runs == 1 and interval > FIRST_WITHIN:
            return self.was_due + interval * random.random()  # noqa: S311 - the first runs were all in one second
        self.early = EARLY * min(1.0, interval)
        at = self.was_due + interval * (1 + JITTER * (2 * random.random() - 1))  # noqa: S311
        if standing.is_delayed:
            turn = standing.changes_at(now)
            if turn is not None and turn < at:
                at, self.early = turn, 0.0
        return at if at > now else now

    def percent(self, now: float) -> int:
        """How much of it counts at this monotonic instant: 0 is failed, 100 is well, between is a slow start.

        It changes with time alone while a weight comes back; the check is run at each step, and published by that.
        """
        return self.standing.percent(now)

    @property
    def good(self) -> bool | None:
        """Whether what counts is a success."""
        return None if self.verdict is None else self.options.counts_as_good(self.verdict.status)
