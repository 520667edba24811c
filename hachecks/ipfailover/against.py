"""A new plan against an old one: VIP by VIP what moves, gets another id, or has two owners while it is rolled out.

Nodes with the old plan and nodes with the new one elect together only if they hear each other and agree on what an
advert says. Where they do not, each side has its own master, and the VIP is served twice until the last node has the
new plan. Keepalived drops what has another id, another list of addresses, or, of VRRP 2, another password or interval
of adverts; nodes with VRRP 2 and nodes with VRRP 3 do not hear each other at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.plan import HMAC_MODES, Untold

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
        found += (Change(vip, kind, why) for kind, why in _changes(was_plan, was, plan, instance))
    found += (
        Change(vip, REMOVED, f"it is served no more; its id was {was.id}")
        for vip, (_, was) in before.items()
        if vip not in after
    )
    return tuple(found)


def _by_vip(plans: Sequence[Plan]) -> Mapping[str, tuple[Plan, Instance]]:
    return {vip: (plan, instance) for plan in plans for instance in plan.instances for vip in instance.vips}


def _changes(was_plan: Plan, was: Instance, plan: Plan, instance: Instance) -> Iterator[tuple[str, str]]:
    if was.ranks and instance.ranks and was.nodes[0] != instance.nodes[0]:
        gone = "" if was.nodes[0] in plan.nodes else ", which is no node of the plan any more,"
        yield MOVES, f"from {was.nodes[0]}{gone} to {instance.nodes[0]}"
    if was.id != instance.id:
        yield RENUMBERS, f"from id {was.id} to {instance.id}"
    reasons = list(two_elections(was_plan, was, plan, instance))
    if reasons:
        yield TWICE, f"until every node has the new plan, since {'; and '.join(reasons)}"


def two_elections(was_plan: Plan, was: Instance, plan: Plan, instance: Instance) -> Iterator[str]:
    """Why nodes with the old plan and nodes with the new one do not elect one owner; nothing where they do."""
    if was.id != instance.id:
        yield f"its id was {was.id} and is {instance.id}"
    if was_plan.interface and plan.interface and was_plan.interface != plan.interface:
        yield f"VRRP was on {was_plan.interface} and is on {plan.interface}"
    if was_plan.unicast != plan.unicast:
        was_by, by = ("unicast" if one.unicast else "multicast" for one in (was_plan, plan))
        yield f"adverts went by {was_by} and go by {by}"
    yield from _adverts_that_differ(was_plan, was, plan, instance)
    if was.id == instance.id and _advertised(was) != _advertised(instance):
        # The first address alone is in an instance's adverts, so that the others may come and go.
        were = "was the address" if was.advertised == 1 else "were the addresses"
        yield f"{_advertised(was)} {were} in its adverts and {_advertised(instance)} is"
    new = [node for node in plan.nodes if node not in was_plan.nodes]
    # A keepalived.conf does not tell what its nodes are called.
    if plan.unicast and was_plan.unicast and was_plan.nodes and new:
        yield f"nodes with the old peers do not speak to {', '.join(new)}; start it after all others have the new plan"


def _advertised(one: Instance) -> str:
    return ", ".join(one.vips[: one.advertised])


def _adverts_that_differ(was_plan: Plan, was: Instance, plan: Plan, instance: Instance) -> Iterator[str]:
    """Why nodes with one plan drop the adverts of those with the other, as far as both are known."""
    before, now = was_plan.vrrp(was), plan.vrrp(instance)
    if before != now:
        if before:
            yield f"it was VRRP {before} and is VRRP {now}"
        return
    if now == 2:
        old, new = was_plan.advert_interval, plan.advert_interval
        if old and new and old != new:
            yield f"adverts came every {old:g} s and come every {new:g} s, which VRRP 2 does not bear"
        if was_plan.password is not None and was_plan.password != plan.password:
            yield f"the password was {_named(was_plan.password)} and is {_named(plan.password)}"
    elif was_plan.hmac and plan.hmac:
        yield from _signatures_that_differ(was_plan.hmac, plan.hmac)


def _named(password: str | None) -> str:
    """A password, or the file that it is in."""
    if isinstance(password, Untold):
        return "another" if password else "none"
    return password if password and password.startswith("in /") else repr(password)


def _signatures_that_differ(was: tuple[str, str], now: tuple[str, str]) -> Iterator[str]:
    """Why signed adverts are not taken: each mode bears the one before and the one after it."""
    steps = [HMAC_MODES.index(mode) for mode, _ in (was, now)]
    if abs(steps[0] - steps[1]) > 1:
        old, new = (mode or "not signed" for mode, _ in (was, now))
        between = " and ".join(HMAC_MODES[min(steps) + 1 : max(steps)])
        yield f"adverts were {old} and are {new}; roll out {between} between them"
    elif was[1] != now[1] and min(steps) >= HMAC_MODES.index("permissive"):
        yield f"the key was in {was[1]} and is in {now[1]}"
