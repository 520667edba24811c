"""A composition: several checks are asked at once, and enough of them must pass."""

from __future__ import annotations

import queue
import threading
from time import monotonic

from hachecks.checks import runner
from hachecks.deadline import Deadline, TimedOut
from hachecks.verdict import STATUSES, Status, Verdict, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hachecks.checks.runner import Memory, RunOptions
    from hachecks.probes import Probe

GRACE = 0.02
"""Seconds beyond the deadline in which members that keep theirs have told their verdicts."""
MOST_THREADS = 64
"""Threads that all compositions of a process have together. Who finds no room for one asks by himself, in turn."""
ROOM = threading.Semaphore(MOST_THREADS)


class Member:
    """A named check inside a composition, with its own options, rise and fall included."""

    def __init__(self, name: str, probe: Probe, options: RunOptions) -> None:
        self.name = name
        self.probe = probe
        self.options = options
        self._asked: list[float] = []

    @property
    def is_stuck(self) -> bool:
        """Whether a run before has not ended, long after its deadline; the agent runs one after the other."""
        return bool(self._asked) and min(self._asked) + GRACE < monotonic()

    def ask(self, name: str, deadline: Deadline, memory: Memory | None) -> Verdict:
        """Its verdict, unless it still hangs since a run before: each would take a thread with it."""
        if self.is_stuck:
            return Verdict.failing("gives no answer to a run before", "timeout")
        self._asked.append(deadline.at)
        try:
            return runner.run(self.probe, self.options, name, deadline, memory)
        finally:
            self._asked.remove(deadline.at)


class Composition:
    """A probe that asks several checks at once and PASSes when `needed` of them do.

    FAIL as soon as too few can still pass; UNKNOWN when those that could not look decide. A member's own `on_unknown`
    is obeyed.
    """

    def __init__(self, name: str, members: Sequence[Member], needed: int, memory: Memory | None = None) -> None:
        self.name = name
        self.members = members
        self.needed = needed
        self.memory = memory

    @property
    def composes(self) -> str:
        """The key that stands for it in hacheck.toml: `all` or `any`."""
        return "all" if self.needed == len(self.members) else "any"

    @property
    def subject(self) -> str:
        """`all of a, b` or `2 of a, b, c`."""
        names = ", ".join(member.name for member in self.members)
        return f"{'all' if self.composes == 'all' else self.needed} of {names}"

    def check(self, deadline: Deadline) -> Verdict:
        """Ask the members at once, in threads, and answer as soon as the answer is certain."""
        deadline.remaining()
        waiting: queue.SimpleQueue[Member] = queue.SimpleQueue()
        answers: queue.SimpleQueue[tuple[Member, Verdict]] = queue.SimpleQueue()
        for member in self.members:
            waiting.put(member)
        alone = not self._start_threads(lambda: self._ask_in_turn(waiting, deadline, answers))
        told: list[tuple[Member, Verdict]] = []
        while True:
            verdict = self._judge(told)
            if verdict is not None:
                _take_all(waiting)
                return verdict
            if alone:
                self._ask_next(waiting, deadline, answers)
            try:
                told.append(answers.get(timeout=max(0.0, deadline.at - monotonic()) + GRACE))
            except queue.Empty:
                told += self._overdue(told, deadline)

    def _start_threads(self, work: Callable[[], None]) -> int:
        """Start a thread for each member, or as many as there is room for, and return their number."""

        def work_and_make_room() -> None:
            try:
                work()
            finally:
                ROOM.release()

        for number in range(len(self.members)):
            if not ROOM.acquire(blocking=False):
                return number
            try:
                threading.Thread(target=work_and_make_room, daemon=True).start()
            except RuntimeError:  # the container may have no more processes
                ROOM.release()
                return number
        return len(self.members)

    def _ask_in_turn(
        self, waiting: queue.SimpleQueue[Member], deadline: Deadline, answers: queue.SimpleQueue[tuple[Member, Verdict]]
    ) -> None:
        while self._ask_next(waiting, deadline, answers):
            pass

    def _ask_next(
        self, waiting: queue.SimpleQueue[Member], deadline: Deadline, answers: queue.SimpleQueue[tuple[Member, Verdict]]
    ) -> bool:
        """Ask the next of those who wait, if there is one and the time for it."""
        try:
            member = waiting.get_nowait()
            seconds = member.options.timeout
            own = Deadline.after(seconds) if seconds < deadline.remaining() else Deadline(deadline.at, deadline.seconds)
        except (queue.Empty, TimedOut):
            return False
        name = f"{self.name}.{member.name}"
        answers.put((member, member.ask(name, own, self.memory)))
        return True

    def _overdue(self, told: Sequence[tuple[Member, Verdict]], deadline: Deadline) -> Iterator[tuple[Member, Verdict]]:
        """A FAIL for each member that is stuck in something that knows no deadline, such as a dead NFS server."""
        answered = [member for member, _ in told]
        for member in self.members:
            if member not in answered:
                yield member, Verdict.failing(f"gave no answer within {in_words(deadline.seconds)}", "timeout")

    def _judge(self, told: Sequence[tuple[Member, Verdict]]) -> Verdict | None:
        """The verdict, once those that have answered decide it."""
        by_status: dict[Status, list[str]] = {status: [] for status in STATUSES}
        kinds: dict[Status, str] = {}
        for member, verdict in told:
            status = Status.PASS if member.options.counts_as_good(verdict.status) else verdict.status
            by_status[status].append(f"{member.name}: {verdict.reason}")
            kinds.setdefault(status, verdict.kind)
        passing, failing, unknown = (by_status[s] for s in (Status.PASS, Status.FAIL, Status.UNKNOWN))
        if len(passing) >= self.needed:
            return Verdict.passing("; ".join(passing), passing_count=len(passing))
        pending = len(self.members) - len(told)
        if len(passing) + len(unknown) + pending < self.needed:
            return Verdict.failing("; ".join(failing), kinds[Status.FAIL], passing_count=len(passing))
        if len(passing) + pending < self.needed <= len(passing) + len(unknown):
            return Verdict.unknown("; ".join(unknown + failing), kinds[Status.UNKNOWN], passing_count=len(passing))
        return None


def _take_all(waiting: queue.SimpleQueue[Member]) -> None:
    """Leave nobody to be asked: the answer is certain."""
    try:
        while True:
            waiting.get_nowait()
    except queue.Empty:
        pass
