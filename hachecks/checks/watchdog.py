"""The watchdog: it ends the process of a check in time, whatever the check is stuck in."""

from __future__ import annotations

import faulthandler
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
else:
    import _signal as signal  # see verdict.Status

WITH_LINE_AFTER, WITHOUT_LINE_AFTER = 0.05, 0.25
"""Seconds after the deadline at which the process is ended with a line, and then without one."""


def set_watchdog(seconds: float, end: Callable[[], None]) -> None:
    """End this process soon after so many seconds, whatever it is stuck in, unless the watchdog is called off.

    `end` runs when the interpreter still can, regular expressions included (their engine looks for signals); code that
    never returns to it is ended by faulthandler's own thread, with exit status 1 and no line.
    """
    signal.signal(signal.SIGALRM, lambda *_: end())
    signal.setitimer(signal.ITIMER_REAL, seconds + WITH_LINE_AFTER)
    silence = os.open(os.devnull, os.O_WRONLY)
    faulthandler.dump_traceback_later(seconds + WITHOUT_LINE_AFTER, exit=True, file=silence)


def call_off_alarm() -> None:
    """Have `end` not run any more: there is a verdict. What comes after it may still be ended without a line."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def call_off_watchdog() -> None:
    """Let the process live."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()
