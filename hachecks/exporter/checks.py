"""The checks that Keepalived runs, as their last runs left their results in the state directory."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from hachecks.checks import results
from hachecks.checks.command_line import check_name
from hachecks.checks.results import CheckResults
from hachecks.exporter.view import Check
from hachecks.keepalived.configuration import hacheck_command
from hachecks.kept import LATEST
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

    from hachecks.exporter.additions import Additions
    from hachecks.exporter.source import SourceHealth
    from hachecks.keepalived.configuration import Configuration

STALE_SECONDS = 60.0
"""Seconds after which a verdict says nothing about now, or five intervals where these are longer."""
STALE_INTERVALS = 5
"""Intervals that a verdict may be old, where these are longer than STALE_SECONDS."""
FORGET_SECONDS = 3600.0
"""Seconds after which a check is not mentioned any more that nobody has configured: somebody tried it by hand."""
DEFAULT_INTERVAL = 1.0
"""Seconds between two runs of a `vrrp_script` that names no interval (keepalived.conf(5))."""
MAX_INTERVAL = 4294.0
"""Seconds: Keepalived counts an interval in microseconds, in 32 bits."""
MAX_CHECKS = 500
"""Verdicts of others that are shown: those of configured checks, and of the rest the latest."""
UNASKED_INTERVAL = 15.0
"""Seconds between two looks at the verdicts, while nobody asks and all the news is what this process does itself."""
MAX_COUNT = 2**53
"""The largest count that Prometheus, for which every number is a float, tells from the next."""
MAX_PROBE_LENGTH = 100
"""Characters of a probe's name."""
NEVER_RAN = "it has never run: can Keepalived start it?"


class Checks(NamedTuple):
    """The published verdicts by name, how often Keepalived is configured to run each check, and by which scripts."""

    verdicts: Mapping[str, CheckResults] = {}
    intervals: Mapping[str, float] = {}
    of_script: Mapping[str, str] = {}

    def shown(self, now: float) -> Iterator[tuple[str, CheckResults | None]]:
        """The checks that matter: configured, or run lately. None stands for one that has never run."""
        for name in self.intervals:
            if name not in self.verdicts:
                yield name, None
        for name, verdict in self.verdicts.items():
            if name in self.intervals or abs(now - verdict.at) < FORGET_SECONDS:
                yield name, verdict

    def is_fresh(self, verdict: CheckResults, now: float) -> bool:
        """Whether the verdict says something about now; one from the future is of a clock that was set back since.

        How often the check is run says Keepalived's configuration, or the check itself where others run it.
        """
        interval = max(self.intervals.get(verdict.name, 0.0), min(verdict.interval, MAX_INTERVAL))
        return abs(now - verdict.at) < max(STALE_SECONDS, STALE_INTERVALS * interval)

    def freshness(self, now: float) -> object:
        """What changes when a verdict begins or ceases to say something about now."""
        return [
            (one.name, self.is_fresh(one, now), abs(now - one.at) < FORGET_SECONDS) for one in self.verdicts.values()
        ]

    def view(self, now: float) -> tuple[Check, ...]:
        """The checks as values, those that do not pass first."""
        scripts: dict[str, list[str]] = {}
        for script, name in self.of_script.items():
            scripts.setdefault(name, []).append(script)
        checks = [self._check(name, verdict, scripts.get(name, ()), now) for name, verdict in self.shown(now)]
        return tuple(sorted(checks, key=lambda check: (check.status == "PASS", check.name)))

    def _check(self, name: str, verdict: CheckResults | None, scripts: Iterable[str], now: float) -> Check:
        interval, run_by = self.intervals.get(name), tuple(scripts)
        if verdict is None:
            return Check(name, "", "", "", NEVER_RAN, None, None, None, interval, scripts=run_by)
        fresh = self.is_fresh(verdict, now)
        return Check(
            name,
            verdict.probe,
            verdict.subject,
            verdict.status if fresh else "",
            verdict.reason,
            verdict.at,
            verdict.duration,
            verdict.timeout,
            interval,
            passes=verdict.good if fresh else None,
            scripts=run_by,
            results=verdict,
        )


class CheckSource:
    """Reads the published verdicts again when one has come; `checks` is what they say, a new value with each change."""

    def __init__(
        self,
        directories: Callable[[], list[str]],
        environ: Mapping[str, str],
        health: SourceHealth,
        additions: Additions,
    ) -> None:
        self.directories = directories
        self.environ = environ
        self.health = health
        self.additions = additions
        self.checks = Checks()
        self._seen: object = None
        self._files: dict[tuple[str, int, int], CheckResults | str] = {}
        self._looked = -UNASKED_INTERVAL

    def configure(self, configuration: Configuration) -> None:
        """Learn which checks the configured scripts run."""
        intervals, of_script = {}, {}
        for script in configuration.scripts:
            words = hacheck_command(script.command)
            try:
                name = check_name(words, self.environ) if words else ""
            except Invalid:
                continue  # Keepalived shows it, and no verdict comes of it
            if name:
                of_script[script.name] = name
                intervals[name] = min(script.interval or DEFAULT_INTERVAL, MAX_INTERVAL)
        self.checks = Checks(self.checks.verdicts, intervals, of_script)
        self._seen = None  # which verdicts are the most wanted depends on what is configured

    def refresh(self) -> None:
        """Read the verdicts again if one has come."""
        began = time.monotonic()
        try:
            own = self._own()
            files = [one for directory in self.directories() for one in _signature(directory, own)]
        except OSError as error:
            self.health.failed(f"{error.filename}: {error.strerror}: no verdict of a check can be read there")
            return
        seen = self.additions.version, files
        changed = seen != self._seen
        if changed:
            self._files = {one: self._files.get(one) or _read(one[0]) for one in files}
            others = [one for one in self._files.values() if isinstance(one, CheckResults)]
            self.checks = self.checks._replace(verdicts={**self._most_wanted(others), **own})
            self._seen = seen
        self.health.succeeded(changed, time.monotonic() - began)

    def refresh_now_and_then(self) -> None:
        """The same while nobody asks: what runs in this process has news all the time, and nobody is told of it."""
        if self.additions.version == 0 or time.monotonic() > self._looked + UNASKED_INTERVAL:
            self._looked = time.monotonic()
            self.refresh()

    def _own(self) -> dict[str, CheckResults]:
        """What is run in this process, and lately: it is known better here than from any file."""
        now = time.time()
        return {one.name: one for one in self.additions.results() if abs(now - one.at) < STALE_SECONDS}

    def _most_wanted(self, verdicts: Iterable[CheckResults]) -> dict[str, CheckResults]:
        """By name; of two users' runs of one check, the later one counts."""
        intervals = self.checks.intervals
        kept = sorted(filter(_makes_sense, verdicts), key=lambda one: (one.name in intervals, one.at))
        return {one.name: one for one in kept[-MAX_CHECKS:]}


def _signature(directory: str, own: Container[str]) -> list[tuple[str, int, int]]:
    """What changes when a verdict comes or goes that others leave there."""
    with os.scandir(directory) as entries:
        return [
            (entry.path, status.st_ino, status.st_mtime_ns)
            for entry in entries
            if entry.name.startswith(results.PREFIX) and "~" not in entry.name
            if entry.name[len(results.PREFIX) :] not in own
            for status in [entry.stat(follow_symlinks=False)]
        ]


def _read(path: str) -> CheckResults | str:
    """What is published there; why there is nothing to be believed."""
    try:
        return results.read(path)
    except (OSError, ValueError) as error:
        return str(error) or "unreadable"


def _makes_sense(one: CheckResults) -> bool:
    """Whether the numbers are such as a clock or a count can have."""
    failures = one.failures.values()
    times = (one.at, one.duration, one.timeout, one.seconds, *(at for _, at in failures))
    counts = (one.runs, one.consecutive_failures, *one.durations, *(count for count, _ in failures))
    maybe = (one.last_success or 0.0, one.certificate_expiry or 0.0)
    small = len(one.probe) <= MAX_PROBE_LENGTH
    return small and max(*times, *maybe) < LATEST and max(counts) <= MAX_COUNT
