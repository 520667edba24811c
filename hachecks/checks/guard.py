"""The guard: `hacheck run NAME` gives the agent's verdict while that is fresh, and takes the agent's place otherwise.

Keepalived's slow `vrrp_script` runs it beside the track file that the agent writes. When there is no fresh verdict it
has looked itself, and what it has found goes into the track file as well: a dead agent leaves neither an eternal FAULT
nor an eternal 0.
"""

from __future__ import annotations

from hachecks import state
from hachecks.checks import answer, track_file
from hachecks.checks.answer import Asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hachecks.checks.answer import Answer
    from hachecks.checks.runner import RunOptions
    from hachecks.checks.schedule import Schedule
    from hachecks.verdict import Verdict

ANSWER_SECONDS = 0.1
"""Seconds to wait for the state directory: it may be on a file system that hangs."""
MEND_SECONDS = 0.15
"""Seconds to wait for the track file and its lock at last."""


class Guard:
    """The guard of one check, for one run."""

    def __init__(self, name: str, config: str, state_dir: str, environ: Mapping[str, str]) -> None:
        self.asked = Asked(name, config, answer.given(environ))
        self.places = (state_dir, *state.PLACES)

    def answer(self) -> Answer | None:
        """The agent's verdict, if a fresh one is found in time."""
        found: list[Answer | None] = [None]
        state.done_within(ANSWER_SECONDS, lambda: found.append(answer.find(self.asked, self.places)))
        return found[-1]

    def mending(self, schedule: Schedule, options: RunOptions) -> Callable[[Verdict], Verdict]:
        """What mends the track file after a verdict, and notes there what hindered it."""

        def mend(verdict: Verdict) -> Verdict:
            hindrance = self.mend(schedule, options.counts_as_good(verdict.status))
            return verdict.noted(hindrance) if hindrance else verdict

        return mend

    def mend(self, schedule: Schedule, good: bool) -> str:
        """Set the track file to what this verdict makes it, unless the agent has answered meanwhile.

        Returns what hindered; it raises nothing, and changes no verdict.
        """
        path = schedule.track_file
        if not path:
            return ""
        number = track_file.value(schedule, good)
        hindrance = [f"track file {path} does not answer"]

        def write() -> None:
            if answer.find(self.asked, self.places) is None:
                track_file.write(path, number)

        def mend() -> None:
            try:
                if track_file.read(path) != number:
                    track_file.under_lock(path, write)
                hindrance.append("")
            except OSError as error:
                hindrance.append(f"track file {path}: {error.strerror or error}")

        state.done_within(MEND_SECONDS, mend)
        return hindrance[-1]
