"""What do the checks say that Keepalived runs? As their last runs left it in the state directory."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from hachecks.checks import results
from hachecks.checks.command_line import check_name
from hachecks.exporter.view import Check
from hachecks.keepalived.configuration import hacheck_command
from hachecks.kept import LATEST
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from hachecks.checks.results import CheckResults
    from hachecks.exporter.source import SourceHealth
    from hachecks.keepalived.configuration import Configuration

STALE = 60.0
"""Seconds after which a verdict says nothing about now, or five intervals where these are longer."""
FORGOTTEN = 3600.0
"""Seconds after which a check is not mentioned any more that nobody has configured: somebody tried it by hand."""
DEFAULT_INTERVAL = 1.0
"""Seconds between two runs of a `vrrp_script` that names no interval (keepalived.conf(5))."""
LONGEST_INTERVAL = 4294.0
"""Keepalived counts an interval in microseconds, in 32 bits."""
MOST = 500
"""Verdicts that are shown: those of configured checks, and of others the latest."""
LARGEST = 2**53
"""The largest count that Prometheus, for which every number is a float, tells from the next."""
LONGEST_PROBE = 100


class Checks:
    """The published verdicts, and which checks Keepalived is configured to run how often."""

    def __init__(
        self,
        directories: Callable[[], list[str]],
        environ: Mapping[str, str],
        source: SourceHealth,
    ) -> None:
        self.directories = directories
        self.environ = environ
        self.source = source
        self.verdicts: dict[str, CheckResults] = {}
        self.intervals: dict[str, float] = {}
        self.of_script: dict[str, str] = {}
        self._seen: object = None

    def configure(self, configuration: Configuration) -> None:
        """Learn which checks the configured scripts run."""
        self.intervals, self.of_script = {}, {}
        for script in configuration.scripts:
            words = hacheck_command(script.command)
            try:
                name = check_name(words, self.environ) if words else ""
            except Invalid:
                continue  # Keepalived shows it, and no verdict comes of it
            if name:
                self.of_script[script.name] = name
                self.intervals[name] = min(script.interval or DEFAULT_INTERVAL, LONGEST_INTERVAL)

    def refresh(self) -> None:
        """Read the verdicts again if one has come."""
        began = time.monotonic()
        directories = self.directories()
        try:
            seen = [one for directory in directories for one in self._signature(directory)]
        except OSError as error:
            self.source.failed(f"{error.filename}: {error.strerror}: no verdict of a check can be read there")
            return
        changed = seen != self._seen
        if changed:
            published_ones = [one for directory in directories for one in results.read_all(directory)]
            self.verdicts = self._most_wanted(published_ones)
            self._seen = seen
        self.source.succeeded(changed, time.monotonic() - began)

    def _most_wanted(self, verdicts: Iterable[CheckResults]) -> dict[str, CheckResults]:
        """By name; of two users' runs of one check, the later one counts."""
        kept = sorted(filter(_makes_sense, verdicts), key=lambda one: (one.name in self.intervals, one.at))
        return {one.name: one for one in kept[-MOST:]}

    def _signature(self, directory: str) -> list[tuple[str, int, int]]:
        with os.scandir(directory) as entries:
            return [
                (entry.path, status.st_ino, status.st_mtime_ns)
                for entry in entries
                if entry.name.startswith(results.PREFIX) and "~" not in entry.name
                for status in [entry.stat(follow_symlinks=False)]
            ]

    def shown(self, now: float) -> Iterator[tuple[str, CheckResults | None]]:
        """The checks that matter: configured, or run lately. None stands for one that has never run."""
        for name in self.intervals:
            if name not in self.verdicts:
                yield name, None
        for name, verdict in self.verdicts.items():
            if name in self.intervals or abs(now - verdict.at) < FORGOTTEN:
                yield name, verdict

    def is_fresh(self, verdict: CheckResults, now: float) -> bool:
        """Whether the verdict says something about now; one from the future is of a clock that was set back since."""
        return abs(now - verdict.at) < max(STALE, 5 * self.intervals.get(verdict.name, 0.0))

    def freshness(self) -> object:
        """What changes when a verdict begins or ceases to say something about now."""
        now = time.time()
        return [(one.name, self.is_fresh(one, now), abs(now - one.at) < FORGOTTEN) for one in self.verdicts.values()]

    def view(self, now: float) -> tuple[Check, ...]:
        """The checks as values, those that do not pass first."""
        checks = [self._check(name, verdict, now) for name, verdict in self.shown(now)]
        return tuple(sorted(checks, key=lambda check: (check.status == "PASS", check.name)))

    def _check(self, name: str, verdict: CheckResults | None, now: float) -> Check:
        interval = self.intervals.get(name)
        if verdict is None:
            return Check(name, "", "", "", "it has never run: can Keepalived start it?", None, None, None, interval)
        return Check(
            name,
            verdict.probe,
            verdict.subject,
            verdict.status if self.is_fresh(verdict, now) else "",
            verdict.reason,
            verdict.at,
            verdict.duration,
            verdict.timeout,
            interval,
        )

    def why(self, scripts: Sequence[str], now: float) -> str:
        """The reason of the first of these scripts' checks that does not pass right now."""
        for script in scripts:
            verdict = self.verdicts.get(self.of_script.get(script, ""))
            if verdict and not verdict.good and self.is_fresh(verdict, now):
                return verdict.reason
        return ""


def _makes_sense(one: CheckResults) -> bool:
    """Whether the numbers are such as a clock or a count can have."""
    failures = one.failures.values()
    times = (one.at, one.duration, one.timeout, one.seconds, *(at for _, at in failures))
    counts = (one.runs, one.consecutive_failures, *one.durations, *(count for count, _ in failures))
    maybe = (one.last_success or 0.0, one.certificate_expiry or 0.0)
    small = len(one.probe) <= LONGEST_PROBE
    return small and max(*times, *maybe) < LATEST and max(counts) <= LARGEST
