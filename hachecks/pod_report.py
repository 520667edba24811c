"""The report of a pod's first process, `hacheck ipfailover run`, for the agent beside it: how far it is, what is wrong.

It is a file of the state directory, replaced whole each second, so that its age tells whether that process lives.
"""

from __future__ import annotations

import json
import math
import os
import time

from hachecks import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = "pod.json"
EVERY = 1.0
"""Seconds between two reports."""
STALE = 10.0
"""Seconds after which its writer hangs, or is gone."""
PREFLIGHT, RUNNING, STOPPING = "preflight", "running", "stopping"
PHASES = (PREFLIGHT, RUNNING, STOPPING)


class PodReport:
    """What the first process says of itself: its phase, and sentences for people, each with its cure.

    `findings` are what preflight and firewall found, `held` is why a changed configuration is not in force yet (empty
    where none waits), and `restarts` counts how often each child was started again.
    """

    def __init__(
        self,
        phase: str,
        findings: tuple[str, ...] = (),
        held: str = "",
        restarts: dict[str, int] | None = None,
        reloads: int = 0,
        at: float | None = None,
    ) -> None:
        self.phase = phase
        self.findings = findings
        self.held = held
        self.restarts = restarts or {}
        self.reloads = reloads
        self.at = _now() if at is None else at
        """Seconds of the clock that nobody sets."""

    @property
    def age(self) -> float:
        """Seconds since it was written."""
        return _now() - self.at

    @property
    def is_stale(self) -> bool:
        """Whether its writer should have written another by now."""
        return not 0 <= self.age < STALE

    def write(self, directory: str) -> None:
        """Put it into the state directory; raises `OSError`."""
        state.replace(os.path.join(directory, NAME), json.dumps(vars(self)))


def read(directory: str) -> PodReport | None:
    """The report in a state directory; None where there is none, or what is there is none. Raises `OSError`."""
    try:
        found: Any = json.loads(state.read(os.path.join(directory, NAME)))
        report = PodReport(
            found["phase"],
            tuple(map(str, found["findings"])),
            str(found["held"]),
            {str(name): int(count) for name, count in found["restarts"].items()},
            int(found["reloads"]),
            float(found["at"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return report if report.phase in PHASES and math.isfinite(report.at) else None


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
