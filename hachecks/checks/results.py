"""The results of a check: what its last run said, and what all runs have said so far.

A small text file for each check in the state directory, `verdict-NAME`: a line that names the format, then a key and
its value on a line, then `end`. No JSON, which a check would have to import.
"""

from __future__ import annotations

import os
from time import monotonic, time

from hachecks import state
from hachecks.verdict import KINDS as KINDS  # noqa: PLC0414 - the words of the failures here, for the exporter
from hachecks.verdict import STATUSES, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.checks.runner import RunOptions
    from hachecks.verdict import Verdict

PREFIX = "verdict-"
FORMAT = "hacheck-verdict 1"
END = "\nend\n"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds within which runs are counted."""
LAST_FAILURE = "last-failure"
"""The file with the name of the check that failed last, and why."""
LOCK_SECONDS = 0.15
"""Seconds to wait for other runs of the same check, each of which holds the lock for a millisecond, unless stopped."""
MAX_FILE_BYTES = 65536
FAILURES = "failures-"
WORDS = {status.value for status in STATUSES}
INFINITE = float("inf")


class CheckResults:
    """What is known of a check: its last run, and counters that only grow, whatever boot the runs were of.

    `at`, `last_success` and `certificate_expiry` are seconds of the epoch, `duration`, `timeout`, `interval` (0 where
    nothing is known of it) and `seconds` (of all runs together) are seconds. `good` is what the exit status said, rise
    and fall included, and what is counted as a success. `kind` is one of `verdict.KINDS`, or empty. `failures` has the
    number and the last time of each kind there was; `durations` the runs that ended within each of `BUCKETS`, and at
    last all.
    """

    __slots__ = ("at", "boot", "certificate_expiry", "consecutive_failures", "duration", "durations", "failures",
                 "good", "interval", "kind", "last_success", "name", "probe", "reason", "runs", "seconds", "status",
                 "subject", "timeout")  # fmt: skip

    def __init__(self, name: str, probe: str) -> None:
        self.name = name
        self.probe = probe
        self.subject = self.status = self.reason = self.kind = self.boot = ""
        self.good = False
        self.at = self.duration = self.timeout = self.interval = self.seconds = 0.0
        self.runs = self.consecutive_failures = 0
        self.failures: dict[str, tuple[int, float]] = {}
        self.durations = [0] * (len(BUCKETS) + 1)
        self.last_success: float | None = None
        self.certificate_expiry: float | None = None

    @classmethod
    def parse(cls, text: str) -> CheckResults:
        """What a file tells; raises `ValueError` when it is torn, of another format, or makes no sense."""
        head, _, rest = text.partition("\n")
        if head != FORMAT or not rest.endswith(END):
            raise ValueError("it is no published verdict")
        facts = {key: value for key, _, value in [line.partition(" ") for line in rest.split("\n")]}
        try:
            return cls(facts["name"], facts["probe"])._load(facts)
        except KeyError as gap:
            raise ValueError(f"it does not say {gap}") from None

    def _load(self, facts: Mapping[str, str]) -> CheckResults:
        self.subject, self.reason, self.boot = facts["subject"], facts["reason"], facts["boot"]
        self.status, self.kind, self.good = facts["status"], facts.get("kind", ""), facts["good"] == "yes"
        self.at, self.duration, self.timeout, self.seconds = (
            _seconds(facts[key]) for key in ("at", "duration", "timeout", "seconds")
        )
        self.interval = _seconds(facts.get("interval", "0"))
        self.runs, self.consecutive_failures = _count(facts["runs"]), _count(facts["consecutive_failures"])
        self.durations = [_count(word) for word in facts["durations"].split(" ")]
        for kind in KINDS:
            if FAILURES + kind in facts:
                count, _, at = facts[FAILURES + kind].partition(" ")
                self.failures[kind] = _count(count), _seconds(at)
        self.last_success = _seconds(facts["last_success"]) if "last_success" in facts else None
        self.certificate_expiry = _seconds(facts["certificate_expiry"]) if "certificate_expiry" in facts else None
        if self.status not in WORDS or (self.kind and self.kind not in KINDS):
            raise ValueError(f"{self.status} {self.kind} is no verdict")
        counts = self.durations
        if len(counts) != len(BUCKETS) + 1 or counts != sorted(counts) or counts[-1] != self.runs:
            raise ValueError(f"{facts['durations']} is no histogram of {self.runs} runs")
        return self

    def to_text(self) -> str:
        """The text to keep."""
        lines = [
            f"{FORMAT}\nname {self.name}\nprobe {self.probe}\nsubject {self.subject}\nstatus {self.status}",
            f"good {'yes' if self.good else 'no'}\nreason {self.reason}",
            f"at {self.at!r}\nboot {self.boot}\nduration {self.duration!r}\ntimeout {self.timeout!r}",
            f"runs {self.runs}\nconsecutive_failures {self.consecutive_failures}",
            f"durations {' '.join(map(str, self.durations))}\nseconds {self.seconds!r}",
            *(f"{FAILURES}{kind} {count} {at!r}" for kind, (count, at) in self.failures.items()),
        ]
        if self.kind:
            lines.append(f"kind {self.kind}")
        if self.interval:
            lines.append(f"interval {self.interval!r}")
        if self.last_success is not None:
            lines.append(f"last_success {self.last_success!r}")
        if self.certificate_expiry is not None:
            lines.append(f"certificate_expiry {self.certificate_expiry!r}")
        return "\n".join(lines) + END

    def count(self, verdict: Verdict, good: bool, at: float, took: float) -> None:
        """One more run has ended, at `at`, after `took` seconds."""
        self.status, self.good, self.reason, self.kind = verdict.status.value, good, verdict.reason, verdict.kind
        self.at, self.duration = at, took
        self._set_back_to(at)
        self.runs += 1
        self.seconds = round(self.seconds + took, 6)
        for place, bound in enumerate((*BUCKETS, took)):
            self.durations[place] += took <= bound
        if good:
            self.last_success, self.consecutive_failures = at, 0
        else:
            kind = verdict.kind or "status"
            self.failures[kind] = self.failures.get(kind, (0,))[0] + 1, at
            self.consecutive_failures += 1
        left = verdict.measured.get("certificate_expires_seconds")
        if left is not None:
            self.certificate_expiry = max(0.0, round(at + left))
        elif good:
            self.certificate_expiry = None  # no TLS any more; a run that failed may only not have come so far

    def _set_back_to(self, now: float) -> None:
        """Leave nothing in the future: the wall clock was wrong, and is set back."""
        if self.last_success is not None:
            self.last_success = min(self.last_success, now)
        for kind, (count, at) in self.failures.items():
            self.failures[kind] = count, min(at, now)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CheckResults) and self.to_text() == other.to_text()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self.name}: {self.status} - {self.reason}>"


def record_run(directory: str, name: str, probe: str, subject: str, verdict: Verdict, options: RunOptions) -> None:
    """Add a run of a check to what is published of it; raises `OSError`.

    What is there and cannot be understood, or is of another kind of probe, begins anew.
    """
    at = round(max(0.0, time()), 3)
    took = round(max(0.0, verdict.measured.get("duration_seconds", options.timeout)), 6)

    def change(text: str) -> str:
        one = _recalled(text)
        if one is None or (one.name, one.probe) != (name, probe):
            one = CheckResults(name, probe)
        one.subject, one.timeout, one.boot = one_line(subject), options.timeout, boot
        one.interval = options.interval or 0.0
        one.count(verdict, options.counts_as_good(verdict.status), at, took)
        return one.to_text()

    boot = state.boot_id()
    until = monotonic() + LOCK_SECONDS
    while True:
        try:
            return state.exchange(directory, PREFIX + name, change)
        except BlockingIOError:
            if monotonic() > until:
                raise


def _recalled(text: str) -> CheckResults | None:
    try:
        return CheckResults.parse(text)
    except ValueError:
        return None


def read_all(directory: str, passed_over: list[str] | None = None) -> list[CheckResults]:
    """What is published of every check, by name; raises `OSError` when the directory cannot be listed.

    Files that cannot be read or understood are passed over, and their names added to `passed_over`.
    """
    found: list[CheckResults] = []
    for file in sorted(os.listdir(directory)):
        if not file.startswith(PREFIX) or "~" in file:
            continue
        try:
            found.append(read(os.path.join(directory, file)))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            if passed_over is not None:
                passed_over.append(file)
    return found


def read(path: str) -> CheckResults:
    """What is published of one check; raises `OSError` or `ValueError`."""
    one = CheckResults.parse(_text(path))
    if PREFIX + one.name != os.path.basename(path):
        raise ValueError(f"it is of {one.name}")
    return one


def _text(path: str) -> str:
    """The text of a plain file, however others have made what is there; raises `OSError` or `ValueError`."""
    descriptor = state.opened(path)
    try:
        return os.read(descriptor, MAX_FILE_BYTES).decode()
    finally:
        os.close(descriptor)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.0 <= value < INFINITE:
        raise ValueError(f"{text} is no time")
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is no count")
    return int(text)
