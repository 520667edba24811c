"""A parser as a target of generated inputs, and what counts as a finding there."""

from __future__ import annotations

import gc
import resource
import signal
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

LONGEST = 64 * 1024
"""Bytes of an input."""
MOST_SECONDS = 1.0
"""Of CPU for one input, so that a busy machine is no finding."""
LAST_SECONDS = 20.0
"""Of CPU after which it is stopped; before that it may come to its end."""
MOST_MEMORY = 200 * 1024 * 1024
"""Bytes by which one input may make the process grow beyond what it ever took."""

COSTS = ("slow", "memory")
"""The places of what takes too much."""


@dataclass(frozen=True)
class Target:
    """`run` takes an input and may raise `errors` only, as its parser documents; `seeds` are inputs to begin with.

    Inputs are cut to `longest` bytes.
    """

    name: str
    run: Callable[[bytes], object]
    seeds: Sequence[bytes]
    errors: tuple[type[Exception], ...] = ()
    longest: int = LONGEST


class Finding(AssertionError):  # noqa: N818 - the name says what happened
    """What an input did that it must not; equal `place`s are one finding."""

    def __init__(self, place: str, what: str, data: bytes) -> None:
        super().__init__(f"{place}: {what}, with {data[:200]!r}{'…' if len(data) > 200 else ''}")
        self.place = place
        self.data = data


class TooSlow(BaseException):
    """Raised inside the parser; no `except Exception` of its own may take it for something else."""


def examine(target: Target, data: bytes) -> str:
    """Give a target an input; returns what kind of answer it gave, raises `Finding`."""
    data = data[: target.longest]
    grown, began = _memory(), time.process_time()
    try:
        _limited(target, data)
        answer = ""
    except target.errors as error:
        answer = f"{type(error).__name__} {_place(error)}"
    except TooSlow:
        raise Finding("slow", f"takes more than {LAST_SECONDS} s of CPU", data) from None
    except Exception as error:
        place = f"{type(error).__name__} {_place(error)}"
        raise Finding(place, str(error)[:200] or "no message", data) from error
    took, grown = time.process_time() - began, _memory() - grown
    if took > MOST_SECONDS and (took := _seconds(target, data)) > MOST_SECONDS:
        raise Finding("slow", f"takes {took:.1f} s of CPU", data)
    if grown > MOST_MEMORY:
        raise Finding("memory", f"takes {grown >> 20} MiB", data)
    return answer


def _seconds(target: Target, data: bytes) -> float:
    """What the input takes of CPU without the garbage of thousands of tests before it, which may be collected in it."""
    gc.collect()
    gc.disable()
    began = time.process_time()
    try:
        _limited(target, data)
    except target.errors:
        pass
    finally:
        gc.enable()
    return time.process_time() - began


def _limited(target: Target, data: bytes) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    # Again and again: raised where an object is finalized, it would be lost.
    signal.setitimer(signal.ITIMER_PROF, LAST_SECONDS, 0.5)
    try:
        target.run(data)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _place(error: BaseException) -> str:
    """Where in our code it was raised, or what our code called."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = ([frame for frame in frames if "/hachecks/" in frame.filename] or frames)[-1]
    return f"{frame.filename.rpartition('/hachecks/')[2]}:{frame.lineno} {frame.name}"
