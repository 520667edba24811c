"""How does a probe become a verdict that counts? Deadline, catch-all, retries, inversion, rise and fall."""

from __future__ import annotations

import _thread
import faulthandler
import os
from time import monotonic, sleep

from hachecks import state
from hachecks.checks import results
from hachecks.deadline import Deadline, TimedOut
from hachecks.settings import option, settings
from hachecks.units import Duration
from hachecks.verdict import CannotLook, Failure, Status, Verdict, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Literal

    from hachecks.probes import Probe
else:
    import _signal as signal  # see verdict.Status

LONGEST_TIMEOUT = 3600.0
LONGEST_STREAK = 1000
PAUSE = 0.1
"""Seconds between two tries: a service that restarts refuses several connections within a millisecond."""
WATCHDOG_GRACE = (0.05, 0.25)
"""Seconds after the deadline at which the watchdog ends the process with a line, and then without one."""
PUBLISHING = 0.2
"""Seconds to wait for the state directory at last: it may be on a file system that hangs."""
REMEMBERING = 0.1
"""Seconds to wait for it before the verdict is told; beyond the deadline, less than the watchdog does."""
LAST_FAILURE = "last-failure"


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
        default=None, help="How often it is run. Rise and fall are remembered for three intervals, at least 3 min."
    )
    on_unknown: Literal["fail", "pass"] = option(
        default="fail", help="What the exit status says when the probe could not look."
    )
    invert: bool = option(default=False, help="The probe must fail: PASS and FAIL change places.")
    state_dir: str = option(
        default="/run/hacheck", metavar="DIR", help="Where rise and fall are remembered, and verdicts left."
    )

    def validate(self) -> None:
        """Refuse what makes no check."""
        if self.timeout > LONGEST_TIMEOUT:
            raise ValueError(f"--timeout is at most {LONGEST_TIMEOUT:.0f}s")
        if self.rise < 1 or self.fall < 1:
            raise ValueError("--rise and --fall are at least 1")
        if self.rise > LONGEST_STREAK or self.fall > LONGEST_STREAK:
            raise ValueError(f"--rise and --fall are at most {LONGEST_STREAK}; more never comes")

    def counts_as_good(self, status: Status) -> bool:
        """Whether the exit status for it is 0."""
        return status is Status.PASS or (status is Status.UNKNOWN and self.on_unknown == "pass")


def conclude(probe: Probe, deadline: Deadline) -> Verdict:
    """Ask the probe once; whatever happens becomes a verdict."""
    deadline.phase = ""
    try:
        verdict = probe.check(deadline)
    except Failure as failure:
        verdict = Verdict.failing(str(failure), failure.kind)
    except CannotLook as hindrance:
        verdict = Verdict.unknown(str(hindrance), hindrance.kind)
    except TimedOut:
        during = f" ({deadline.phase.replace('_', ' ')})" if deadline.phase else ""
        told = f"{probe.subject} gave no full answer within {in_words(deadline.seconds)}{during}"
        verdict = Verdict.failing(told, TimedOut.kind)
    except Exception as error:  # noqa: BLE001 - the one catch-all: no error of ours may look like one of the target's
        verdict = Verdict.unknown(f"{probe.subject}: {type(error).__name__}: {error}", "internal")
    verdict.phases.update(deadline.phases)
    return verdict


def run(probe: Probe, options: RunOptions, name: str, deadline: Deadline | None = None) -> Verdict:
    """Ask the probe as the options say; `name` is what its streak is remembered under."""
    started = monotonic()
    deadline = deadline or Deadline.after(options.timeout)
    verdict = _try_repeatedly(probe, options, deadline)
    verdict.measured["duration_seconds"] = monotonic() - started
    return remembered(verdict, options, name, deadline)


def _try_repeatedly(probe: Probe, options: RunOptions, deadline: Deadline) -> Verdict:
    for attempt in range(options.retries + 1):
        verdict = conclude(probe, deadline)
        if options.invert:
            verdict = verdict.inverted
        if verdict.status is Status.PASS or deadline.at - monotonic() <= PAUSE:
            break
        if attempt < options.retries:
            sleep(PAUSE)
    return verdict if attempt == 0 else verdict.with_status(verdict.status, f"{verdict.reason} (try {attempt + 1})")


def remembered(verdict: Verdict, options: RunOptions, name: str, deadline: Deadline) -> Verdict:
    """The verdict that counts, given the runs before; the verdict as it is when there is no memory to be had."""
    if options.rise == options.fall == 1:
        return verdict
    from hachecks.checks.streak import Streak, exchange  # what a check without rise and fall does not owe

    good = options.counts_as_good(verdict.status)
    recalled = [(Streak(good, 0), f"no rise/fall: {options.state_dir} does not answer")]
    within = min(REMEMBERING, max(deadline.at - monotonic(), 0.0) + WATCHDOG_GRACE[0] / 2)
    _done_within(within, lambda: recalled.append(exchange(good, options, name)))
    streak, note = recalled[-1]
    if streak.up == good:
        return verdict.noted(note) if note else verdict
    status, needed = (Status.PASS, options.fall) if streak.up else (Status.FAIL, options.rise)
    kind = "bad" if streak.up else "good"
    return verdict.with_status(status, f"{kind} answer {streak.opposing} of {needed}: {verdict.reason}")


def publish(probe: Probe, verdict: Verdict, options: RunOptions, name: str) -> None:
    """Leave the verdict in the state directory, for the exporter and for notifications; at most for a moment."""

    def write() -> None:
        try:
            directory = state.directory(options.state_dir)
            if not options.counts_as_good(verdict.status):
                note_failure(verdict, directory, name)
            results.record_run(directory, name, probe_kind(probe), probe.subject, verdict, options)
            if os.path.lexists(f"{directory}/delivering"):
                _revive_delivery(directory, options)
        except OSError:
            pass

    _done_within(PUBLISHING, write)


def _done_within(seconds: float, act: Callable[[], None]) -> None:
    """Do it in a thread that may be abandoned: of a file system that hangs, no system call returns."""
    done = _thread.allocate_lock()
    done.acquire()

    def act_and_say() -> None:
        try:
            act()
        finally:
            done.release()

    try:
        _thread.start_new_thread(act_and_say, ())
    except RuntimeError:  # there is no room for one more thread
        act()
    else:
        done.acquire(timeout=seconds)


def probe_kind(probe: Probe) -> str:
    """By what name the registry has the probe: that of its module; `all` or `any` for a composition."""
    return getattr(probe, "composes", None) or type(probe).__module__.rpartition(".")[2]


def note_failure(verdict: Verdict, directory: str, name: str) -> None:
    """Leave the reason where notifications look for it, if it can be left there."""
    try:
        state.replace(os.path.join(directory, LAST_FAILURE), f"{name}: {verdict.reason}\n")
    except OSError:
        pass


def _revive_delivery(directory: str, options: RunOptions) -> None:
    """See to it that what was recorded is told, should who tells it have been killed."""
    from hachecks.delivery.starting import revive

    revive(directory, {**os.environ, "HACHECK_STATE_DIR": options.state_dir})


def call_off_watchdog() -> None:
    """Let the process live."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()


def watchdog(seconds: float, end: Callable[[], None]) -> None:
    """End this process soon after so many seconds, whatever it is stuck in, unless the watchdog is called off.

    `end` runs when the interpreter still can, regular expressions included (their engine looks for signals); code that
    never returns to it is ended by faulthandler's own thread, with exit status 1 and no line.
    """
    with_line, without = WATCHDOG_GRACE
    signal.signal(signal.SIGALRM, lambda *_: end())
    signal.setitimer(signal.ITIMER_REAL, seconds + with_line)
    faulthandler.dump_traceback_later(seconds + without, exit=True, file=os.open(os.devnull, os.O_WRONLY))
