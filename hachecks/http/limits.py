"""Limits for the phases of a request, as `connect=200ms`."""

from __future__ import annotations

from hachecks.units import parse_duration
from hachecks.verdict import in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PHASES = ("resolve", "connect", "tls", "first-byte", "transfer")


class PhaseLimit:
    """The most that a phase may take, as in `connect=200ms`."""

    __slots__ = ("phase", "seconds")

    def __init__(self, phase: str, seconds: float) -> None:
        self.phase = phase
        self.seconds = seconds

    @classmethod
    def parse(cls, text: str) -> PhaseLimit:
        """From `PHASE=DURATION`; raises `ValueError`."""
        phase, equals, duration = text.partition("=")
        if not equals or phase not in PHASES:
            raise ValueError(f"{text!r} is not PHASE=DURATION, with PHASE one of {', '.join(PHASES)}")
        return cls(phase, parse_duration(duration))

    def complaint(self, phases: Mapping[str, float]) -> str | None:
        """What to say when the phase took longer."""
        took = phases.get(self.phase.replace("-", "_"), 0.0)
        if took <= self.seconds:
            return None
        return f"{self.phase} took {in_words(took)}, limit {in_words(self.seconds)}"

    def __repr__(self) -> str:
        return f"{self.phase}={self.seconds}"
