"""The weight of a failing check: none, which is FAULT, or one that leaves the node as the last resort."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.spread import EVEN, HIGHEST, LOWEST_HASHED, priorities
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from hachecks.ipfailover.render.target import Target

BEYOND = 10
"""How much lower than the last healthy node a failing one is."""


def weight(target: Target) -> int:
    """The weight, 0 for FAULT; raises `Invalid` where a failing node could not be the last resort."""
    settings, plan = target.settings, target.plan
    if settings.on_fail == "fault":
        return 0
    where = settings.where("OPENSHIFT_HA_ON_FAIL")
    if plan.preemption.mode == "nopreempt":
        raise Invalid(f"{where}: under nopreempt a lower priority moves nothing; use fault, or preempt")
    # Priorities by hash lie anywhere between the highest and the lowest.
    lowest = priorities(len(plan.nodes))[-1] if plan.placement == EVEN else LOWEST_HASHED
    lowered = HIGHEST - lowest + 1 + BEYOND
    if lowest - lowered < 1:
        most = (HIGHEST - BEYOND) // 2
        raise Invalid(f"{where}: of {len(plan.nodes)} nodes the last cannot be lowered, limit {most}; use fault")
    return -lowered
