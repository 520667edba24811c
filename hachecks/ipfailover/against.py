"""A new plan against an old one: VIP by VIP what moves, gets another id, or has two owners while it is rolled out.

Nodes with the old plan and nodes with the new one elect together only if they hear each other and agree on what an
advert says. Where they do not, each side has its own master, and the VIP is served twice until the last node has the
new plan. Keepalived drops what has another id, another list of addresses, or, of VRRP 2, another password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hachecks.ipfailover.plan import Instance, Plan

MOVES, RENUMBERS, TWICE, ADDED, REMOVED = "moves", "renumbers", "served twice", "added", "removed"
ALARMING = (MOVES, RENUMBERS, TWICE)
"""What `plan --against` exits 1 for: a VIP that is added or removed is what was asked."""


class Change(NamedTuple):
    """What happens to a VIP: the kind, and the sentence about it."""

    vip: str
    kind: str
    why: str


def against(old: Sequence[Plan], new: Sequence[Plan]) -> tuple[Change, ...]:
    """What would change, in the order of the new plan."""
    before, after = _by_vip(old), _by_vip(new)
    found: list[Change] = []
    for vip, (plan, instance) in after.items():
        if vip not in before:
            found.append(Change(vip, ADDED, f"it is new, with the id {instance.id}"))
            continue
        was_plan, was = before[vip]
        found += (Change(vip, kind, why) for kind, why in _changes(vip, was_plan, was, plan, instance))
    found += (
        Change(vip, REMOVED, f"it is served no more; its id was {was.id}")
        for vip, (_, was) in before.items()
        if vip not in after
    )
    return tuple(found)


def _by_vip(plans: Sequence[Plan]) -> Mapping[str, tuple[Plan, Instance]]:
    return {vip: (plan, instance) for plan in plans for instance in plan.instances for vip in instance.vips}


def _changes(vip: str, was_plan: Plan, was: Instance, plan: Plan, instance: Instance) -> Iterator[tuple[str, str]]:
    if was.ranks and instance.ranks and was.nodes[0] != instance.nodes[0]:
        gone = "" if was.nodes[0] in plan.nodes else ", which is no node of the plan any more,"
        yield MOVES, f"from {was.nodes[0]}{gone} to {instance.nodes[0]}"
    if was.id != instance.id:
        yield RENUMBERS, f"from id {was.id} to {instance.id}"
    reasons = list(_two_elections(vip, was_plan, was, plan, instance))
    if reasons:
        yield TWICE, f"until every node has the new plan, since {'; and '.join(reasons)}"


def _two_elections(vip: str, was_plan: Plan, was: Instance, plan: Plan, instance: Instance) -> Iterator[str]:
    """Why nodes with the old plan and nodes with the new one do not elect one owner."""
    if was.id != instance.id:
        yield f"its id was {was.id} and is {instance.id}"
    if was_plan.interface and plan.interface and was_plan.interface != plan.interface:
        yield f"VRRP was on {was_plan.interface} and is on {plan.interface}"
    if was_plan.unicast != plan.unicast:
        was_by, by = ("unicast" if one.unicast else "multicast" for one in (was_plan, plan))
        yield f"adverts went by {was_by} and go by {by}"
    if was_plan.password != plan.password and ":" not in vip:
        yield f"the password was {was_plan.password!r} and is {plan.password!r}"
    if was.id == instance.id and was.vips[0] != instance.vips[0]:
        # The first address alone is in an instance's adverts, so that the others may come and go.
        yield f"{was.vips[0]} was the address in its adverts and {instance.vips[0]} is"
    new = [node for node in plan.nodes if node not in was_plan.nodes]
    if plan.unicast and was_plan.unicast and new:
        yield f"nodes with the old peers do not speak to {', '.join(new)}; start it after all others have the new plan"
