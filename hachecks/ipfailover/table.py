"""The plan as lines for people: VIPs with their nodes, what each loss comes to, and what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.losses import Loads, losses, staying_away
from hachecks.ipfailover.spread import EVEN, HASH, UNKNOWN
from hachecks.verdict import in_words, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.against import Change
    from hachecks.ipfailover.losses import Loss
    from hachecks.ipfailover.plan import Plan

SHOWN_NODES = 8
"""Nodes up to which every node's load and every pair is shown: 8 have 28 pairs."""
SHOWN_RANKS = 3
STOCK_DELAY = 300.0
"""Seconds of preempt_delay that the stock image has, shown where the plan has no other."""
SPREADS = {EVEN: "spread evenly", HASH: "spread by hash"}


def lines(plans: Sequence[Plan], changes: Sequence[Change] | None) -> Iterator[str]:
    """The plans one after another, and what changes against an old one."""
    for plan in plans:
        yield from (visible(line) for line in _plan(plan))
        yield ""
    if changes is not None:
        yield from (visible(line) for line in _changes(changes))


def count(count: int, what: str) -> str:
    """`1 VIP`, `2 VIPs`."""
    return f"{count} {what}{'s' * (count != 1)}"


def summary(plan: Plan) -> str:
    """How many VIPs, instances and nodes, and how they are spread and speak to each other."""
    vips = sum(len(one.vips) for one in plan.instances)
    where = f" on {count(len(plan.nodes), 'node')}, {SPREADS[plan.placement]}" if plan.placement != UNKNOWN else ""
    how = "unicast" if plan.unicast else "multicast"
    what = f"{count(vips, 'VIP')} in {count(len(plan.instances), 'instance')}{where}"
    return f"{what}; {how}, {plan.preemption}"


def _plan(plan: Plan) -> Iterator[str]:
    yield f"{plan.name}: {summary(plan)}"
    yield from (f"? {note}" for note in plan.notes)
    yield ""
    ranks = min(SHOWN_RANKS, len(plan.nodes)) if plan.placement != UNKNOWN else 0
    heads = ("VIP", "INSTANCE", "ID", *("MASTER", "IF THAT IS LOST", "IF BOTH ARE")[:ranks])
    rows = [
        (vip, one.name, str(one.id), *(f"{node} ({priority})" for node, priority in one.ranks[:ranks]))
        for one in plan.instances
        for vip in one.vips
    ]
    yield from aligned(heads, rows)
    if ranks:
        yield ""
        yield from _losses(plan)


def _losses(plan: Plan) -> Iterator[str]:
    """What is lost, the VIPs of each node then, and when it is back without preemption."""
    loads = Loads(plan.instances, plan.nodes)
    few = len(plan.nodes) <= SHOWN_NODES
    rows = [("nothing", "0", _loads(loads.before, few), "")]
    shown = losses(plan.instances, plan.nodes) if few else losses(plan.instances, plan.nodes, (1,))
    rows += [_loss(loss, loads, few) for loss in shown]
    if not few:
        pairs = len(plan.nodes) * (len(plan.nodes) - 1) // 2
        lost, moved, after, back = _loss(loads.worst(losses(plan.instances, plan.nodes, (2,))), loads, few)
        rows.append((f"{lost}, the worst of {pairs} pairs", moved, after, back))
    yield from aligned(("LOST", "VIPS MOVED", "VIPS BY NODE", "BACK WITH nopreempt"), rows)
    yield ""
    yield from returns(plan).values()


def _loss(loss: Loss, loads: Loads, few: bool) -> tuple[str, str, str, str]:
    moved = sum(len(one.vips) for one, _ in loss.moves)
    back = loads.back(loss, preempts=False)
    return " and ".join(loss.lost), str(moved), _loads(loads.after(loss), few), _loads(back, few)


def _loads(loads: dict[str, int], few: bool) -> str:
    if not loads:
        return "nobody has them"
    if few:
        return ", ".join(f"{node} {load}" for node, load in loads.items())
    return f"{min(loads.values())} to {max(loads.values())} each"


def returns(plan: Plan) -> dict[str, str]:
    """What a node that is back takes, by the mode of preemption."""
    seconds = plan.preemption.seconds if plan.preemption.mode == "delay" else STOCK_DELAY
    staying = staying_away(plan.instances, plan.nodes)
    but = f", but {count(staying, 'instance')} of equal priorities that stay away" if staying else ""
    told = {
        "immediate": f"Back with preempt: a node has its VIPs again at once{but}",
        "delay": f"Back with preempt_delay: a node has its VIPs again after {in_words(seconds)}{but}",
        "nopreempt": "Back with nopreempt: a node has no VIP until others are lost, and the plan holds again when all "
        "start at once",
    }
    return {mode: f"{text}{' (as configured)' * (mode == plan.preemption.mode)}." for mode, text in told.items()}


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        yield "Against the old plan nothing changes."
        return
    yield from aligned(("VIP", "CHANGE", ""), [(one.vip, one.kind, one.why) for one in changes])


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows below their heads, in columns."""
    shown = [heads, *rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(heads) - 1)]
    for row in shown:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]).rstrip()
