"""Do enough of several checks pass?"""

from __future__ import annotations

import queue
import threading

from hachecks import runner
from hachecks.deadline import Deadline
from hachecks.verdict import Status, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.probes import Probe
    from hachecks.runner import RunOptions


class Member:
    """A named check inside a composition, with its own options, rise and fall included."""

    def __init__(self, name: str, probe: Probe, options: RunOptions) -> None:
        self.name = name
        self.probe = probe
        self.options = options


class Composition:
    """A probe that asks several checks at once and PASSes when `needed` of them do.

    FAIL as soon as too few can still pass; UNKNOWN when those that could not look decide. A member's own `on_unknown`
    is obeyed.
    """

    def __init__(self, name: str, members: Sequence[Member], needed: int) -> None:
        self.name = name
        self.members = members
        self.needed = needed

    @property
    def subject(self) -> str:
        """`all of a, b` or `2 of a, b, c`."""
        names = ", ".join(member.name for member in self.members)
        return f"{'all' if self.needed == len(self.members) else self.needed} of {names}"

    def check(self, deadline: Deadline) -> Verdict:
        """Ask all members at once, in threads, and answer as soon as the answer is certain."""
        answers: queue.SimpleQueue[tuple[Member, Verdict]] = queue.SimpleQueue()
        for member in self.members:
            threading.Thread(target=self._ask, args=(member, deadline, answers), daemon=True).start()
        told: list[tuple[Member, Verdict]] = []
        while True:
            verdict = self._judge(told)
            if verdict is not None:
                return verdict
            told.append(answers.get())

    def _ask(self, member: Member, deadline: Deadline, answers: queue.SimpleQueue[tuple[Member, Verdict]]) -> None:
        own = Deadline.after(member.options.timeout)
        own.at = min(own.at, deadline.at)
        answers.put((member, runner.run(member.probe, member.options, f"{self.name}.{member.name}", own)))

    def _judge(self, told: Sequence[tuple[Member, Verdict]]) -> Verdict | None:
        """The verdict, once those that have answered decide it."""
        by_status: dict[Status, list[str]] = {status: [] for status in Status}
        for member, verdict in told:
            status = Status.PASS if member.options.counts_as_good(verdict.status) else verdict.status
            by_status[status].append(f"{member.name}: {verdict.reason}")
        passing, failing, unknown = (by_status[s] for s in (Status.PASS, Status.FAIL, Status.UNKNOWN))
        if len(passing) >= self.needed:
            return Verdict.passing("; ".join(passing), passing_count=len(passing))
        pending = len(self.members) - len(told)
        if len(passing) + len(unknown) + pending < self.needed:
            return Verdict.failing("; ".join(failing), passing_count=len(passing))
        if pending:
            return None
        return Verdict.unknown("; ".join(unknown + failing), passing_count=len(passing))
