"""The runner: a probe is asked within a deadline, and its verdict counts by retries, inversion, rise and fall."""

from __future__ import annotations

from time import monotonic, sleep

from hachecks.deadline import Deadline, TimedOut
from hachecks.settings import option, settings
from hachecks.units import Duration
from hachecks.verdict import CannotLook, Failure, Status, Verdict, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, Protocol, TypeVar

    from hachecks.checks.streak import Streak
    from hachecks.probes import Patient, Pause, Probe

    V = TypeVar("V")

    class Memory(Protocol):
        """What remembers the streaks of checks between two runs."""

        def counted(self, verdict: Verdict, options: RunOptions, name: str, deadline: Deadline) -> Verdict:
            """The verdict that counts, given the runs before; this one is remembered, too."""


LONGEST_TIMEOUT = 3600.0
LONGEST_STREAK = 1000
RETRY_PAUSE = 0.1
"""Seconds between two tries: a service that restarts refuses several connections within a millisecond."""


@settings
class RunOptions:
    """How a probe is run, the same for every probe."""

    heading = "How it is run"

    timeout: Duration = option(default=1.5, help="The whole check ends within this time, name resolution included.")
    retries: int = option(default=0, metavar="N", help="Try again up to N times, within the time left.")
    rise: int = option(
        default=1, metavar="N", help="PASS only after N good answers in a row (remembered between runs)."
    )
    fall: int = option(default=1, metavar="N", help="FAIL only after N bad answers in a row (remembered between runs).")
    interval: Duration | None = option(
        default=None, help="How often it is run: rise and fall are remembered for three intervals, at least 3 min."
    )
    on_unknown: Literal["fail", "pass"] = option(
        default="fail", help="What the exit status says when the probe could not look."
    )
    invert: bool = option(default=False, help="The probe must fail: PASS and FAIL change places.")

    def validate(self) -> None:
        """Refuse what makes no check."""
        if self.timeout > LONGEST_TIMEOUT:
            raise ValueError(f"--timeout is at most {LONGEST_TIMEOUT:.0f}s")
        if self.rise < 1 or self.fall < 1:
            raise ValueError("--rise and --fall are at least 1")
        if self.rise > LONGEST_STREAK or self.fall > LONGEST_STREAK:
            raise ValueError(f"--rise and --fall are at most {LONGEST_STREAK}; more never comes")

    @property
    def needs_memory(self) -> bool:
        """Whether the runs before say which verdict counts."""
        return self.rise > 1 or self.fall > 1

    def counts_as_good(self, status: Status) -> bool:
        """Whether the exit status for it is 0."""
        return status is Status.PASS or (status is Status.UNKNOWN and self.on_unknown == "pass")


def conclude(probe: Probe, deadline: Deadline) -> Verdict:
    """Ask the probe once; whatever happens becomes a verdict."""
    return _with_phases(_answer_of(probe, probe.check, deadline), deadline)


def _answer_of(probe: Probe, ask: Callable[[Deadline], V], deadline: Deadline) -> V | Verdict:
    """What is answered, or the verdict that an error is."""
    deadline.phase = ""
    try:
        return ask(deadline)
    except Failure as failure:
        return Verdict.failing(str(failure), failure.kind)
    except CannotLook as hindrance:
        return Verdict.unknown(str(hindrance), hindrance.kind)
    except TimedOut:
        during = f" ({deadline.phase.replace('_', ' ')})" if deadline.phase else ""
        told = f"{probe.subject} gave no full answer within {in_words(deadline.seconds)}{during}"
        return Verdict.failing(told, TimedOut.kind)
    except Exception as error:  # noqa: BLE001 - the one catch-all: no error of ours may look like one of the target's
        return Verdict.unknown(f"{probe.subject}: {type(error).__name__}: {error}", "internal")


def _with_phases(verdict: Verdict, deadline: Deadline) -> Verdict:
    verdict.phases.update(deadline.phases)
    return verdict


def begin(probe: Patient, options: RunOptions, deadline: Deadline, started: float) -> Verdict | Pause:
    """Ask a probe that can pause, once, at `started`; `end` is due at `Pause.at`. Nothing is tried again."""
    answer = _answer_of(probe, probe.begin, deadline)
    return _ended(answer, options, deadline, started) if isinstance(answer, Verdict) else answer


def end(probe: Probe, pause: Pause, options: RunOptions, deadline: Deadline, started: float) -> Verdict:
    """The verdict after a pause."""
    return _ended(_answer_of(probe, pause.end, deadline), options, deadline, started)


def _ended(verdict: Verdict, options: RunOptions, deadline: Deadline, started: float) -> Verdict:
    if options.invert:
        verdict = verdict.inverted
    verdict.measured["duration_seconds"] = monotonic() - started
    return _with_phases(verdict, deadline)


def run(probe: Probe, options: RunOptions, name: str, deadline: Deadline, memory: Memory | None = None) -> Verdict:
    """Ask the probe as the options say; `name` is what `memory` has its streak under."""
    verdict = attempt(probe, options, deadline)
    return verdict if memory is None else memory.counted(verdict, options, name, deadline)


def attempt(probe: Probe, options: RunOptions, deadline: Deadline) -> Verdict:
    """Ask the probe, and again while it does not pass, as far as options and time allow; `invert` is obeyed."""
    started = monotonic()
    for tries in range(1, options.retries + 2):
        verdict = conclude(probe, deadline)
        if options.invert:
            verdict = verdict.inverted
        if verdict.status is Status.PASS or deadline.at - monotonic() <= RETRY_PAUSE:
            break
        if tries <= options.retries:
            sleep(RETRY_PAUSE)
    if tries > 1:
        verdict = verdict.with_status(verdict.status, f"{verdict.reason} (try {tries})")
    verdict.measured["duration_seconds"] = monotonic() - started
    return verdict


def counted(verdict: Verdict, streak: Streak, options: RunOptions) -> Verdict:
    """The verdict that counts where this one has made `streak` of the runs so far."""
    if streak.up == options.counts_as_good(verdict.status):
        return verdict
    status, needed = (Status.PASS, options.fall) if streak.up else (Status.FAIL, options.rise)
    kind = "bad" if streak.up else "good"
    return verdict.with_status(status, f"{kind} answer {streak.opposing} of {needed}: {verdict.reason}")
