"""A deadline: the instant by which everything has ended, and the phases that the time went to."""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class TimedOut(Exception):  # noqa: N818
    """The deadline has passed.

    Not an `OSError`, as `TimeoutError` is: the SQL drivers would catch it and call it a lost connection.
    """

    kind = "timeout"


class Deadline:
    """One absolute instant on the monotonic clock, in seconds, and the phases passed on the way to it."""

    __slots__ = ("at", "phase", "phases", "seconds")

    def __init__(self, at: float, seconds: float) -> None:
        self.at = at
        self.seconds = seconds
        self.phase = ""
        self.phases: dict[str, float] = {}

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The instant that many seconds from now."""
        return cls(monotonic() + seconds, seconds)

    def remaining(self) -> float:
        """Seconds left, always more than zero.

        Raises `TimedOut` at zero: several APIs take 0 for "no limit".
        """
        left = self.at - monotonic()
        if left <= 0:
            raise TimedOut
        return left

    def share(self, parts: int) -> Deadline:
        """A deadline for the first of so many equal parts of what is left; it records into the same phases."""
        now = monotonic()
        if self.at <= now:
            raise TimedOut
        if parts == 1:
            return self
        part = Deadline(now + (self.at - now) / parts, self.seconds)
        part.phases = self.phases
        return part

    def during(self, phase: str) -> Phase:
        """`with deadline.during("connect"):` adds what the block takes to that phase, also when it raises."""
        return Phase(self, phase)


class Phase:
    """A part of a probe's time, such as `resolve`, `connect`, `tls`, `first_byte` or `transfer`."""

    __slots__ = ("deadline", "name", "started")

    def __init__(self, deadline: Deadline, name: str) -> None:
        self.deadline = deadline
        self.name = name

    def __enter__(self) -> None:
        self.deadline.phase = self.name
        self.started = monotonic()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        phases = self.deadline.phases
        phases[self.name] = phases.get(self.name, 0.0) + monotonic() - self.started
        if kind is None:
            self.deadline.phase = ""  # what comes next is not this phase's fault
