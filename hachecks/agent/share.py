"""What a check comes to for a load balancer: the share of a server's weight that it is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.agent.check import AgentCheck

MAX_REASON_CHARACTERS = 100
"""Characters of a reason; HAProxy keeps 128 of all that it tells."""
WELL = 100


class Share(NamedTuple):
    """What a check comes to: percent of a server's weight, 0 for down, None for nothing that is known; and why."""

    percent: int | None
    why: str = ""

    def line(self, drain: str) -> str:
        """The answer; `drain` says that the node is drained, and why."""
        why = f" #{_plain(self.why)}" if self.why else ""
        if self.percent is None:
            return f"0% #{_plain(drain)}\n" if drain else f"{why.strip()}\n"
        if not self.percent:
            return f"down{why}\n"
        return f"up 0% #{_plain(drain)}\n" if drain else f"up {self.percent}%{why}\n"


def share(check: AgentCheck, now: float) -> Share:
    """What a check comes to at a monotonic instant."""
    verdict = check.verdict
    if verdict is None:
        return Share(None, f"{check.name} has not run yet")
    if now >= check.counts_until:
        return Share(None, f"{check.name}: its last verdict counts no more")
    least = max(0, WELL + (check.schedule.weight or -WELL))
    if not check.good:
        return Share(least, f"{check.name}: {verdict.reason}")
    recovered = check.percent(now)
    percent = least + (WELL - least) * recovered // WELL
    return Share(max(1, percent), "" if percent == WELL else f"{check.name} starts slowly")


def together(shares: Sequence[Share]) -> Share:
    """What several checks come to: the least of them, and nothing where one is not known and none is down."""
    if not shares:
        return Share(None, "there is no check")
    known = [one for one in shares if one.percent is not None]
    worst = min(known, key=lambda one: cast("int", one.percent), default=shares[0])
    if worst.percent == 0:
        return worst
    return next((one for one in shares if one.percent is None), worst)


def _plain(text: str) -> str:
    """A text as HAProxy can show it."""
    return one_line(text).encode("ascii", "replace").decode()[:MAX_REASON_CHARACTERS]
