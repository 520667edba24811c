"""The weight of a failing check: none, which is FAULT, or one that leaves the node as the last resort."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.spread import EVEN, HIGHEST, LOWEST_HASHED, priorities
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from hachecks.ipfailover.render.target import Target

BEYOND = 10
"""How much lower than the last healthy node a failing one is, at least: drained ones are between them."""


def lowest(target: Target) -> int:
    """The lowest priority that a node of the plan may have; those by hash lie anywhere down to it."""
    return priorities(len(target.plan.nodes))[-1] if target.plan.placement == EVEN else LOWEST_HASHED


def tier(target: Target) -> int:
    """How many priorities below the lowest are for drained nodes: one for each, by hash one for two priorities."""
    if not target.settings.drain_file:
        return 0
    return len(target.plan.nodes) if target.plan.placement == EVEN else (HIGHEST - LOWEST_HASHED + 1) // 2


def weight(target: Target) -> int:
    """The weight, 0 for FAULT; raises `Invalid` where a failing node could not be the last resort."""
    settings, plan = target.settings, target.plan
    if settings.on_fail == "fault":
        return 0
    where = settings.where("OPENSHIFT_HA_ON_FAIL")
    if plan.preemption.mode == "nopreempt":
        raise Invalid(f"{where}: under nopreempt a lower priority moves nothing; use fault, or preempt")
    lowered = HIGHEST - lowest(target) + 1 + max(BEYOND, tier(target))
    if lowest(target) - lowered < 1:
        most = HIGHEST // 3 if settings.drain_file else (HIGHEST - BEYOND) // 2
        raise Invalid(f"{where}: of {len(plan.nodes)} nodes the last cannot be lowered, limit {most}; use fault")
    return -lowered
