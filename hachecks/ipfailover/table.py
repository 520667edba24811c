"""The plan as lines for people: VIPs with their nodes, what each loss comes to, and what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.losses import Loads, losses, returned
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


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _plan(plan: Plan) -> Iterator[str]:
    vips = sum(len(one.vips) for one in plan.instances)
    where = f" on {_count(len(plan.nodes), 'node')}, {SPREADS[plan.placement]}" if plan.placement != UNKNOWN else ""
    how = "unicast" if plan.unicast else "multicast"
    what = f"{_count(vips, 'VIP')} in {_count(len(plan.instances), 'instance')}{where}"
    yield f"{plan.name}: {what}; {how}, {plan.preemption}"
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
    worst: tuple[int, Loss] | None = None
    staying = 0
    for loss in losses(plan.instances, plan.nodes):
        if len(loss.lost) == 1:
            staying += sum(returned(one, loss, True) != one.ranks[0][0] for one, _ in loss.moves)
        fullest = loads.extremes(loss)[1]
        if len(loss.lost) == 2 and not few:
            worst = max(worst or (-1, loss), (fullest, loss), key=lambda one: one[0])
            continue
        rows.append(_loss(loss, loads, few))
    if worst:
        pairs = len(plan.nodes) * (len(plan.nodes) - 1) // 2
        lost, moved, after, back = _loss(worst[1], loads, few)
        rows.append((f"{lost}, the worst of {pairs} pairs", moved, after, back))
    yield from aligned(("LOST", "VIPS MOVED", "VIPS BY NODE", "BACK WITH nopreempt"), rows)
    yield ""
    yield from _back(plan, staying)


def _loss(loss: Loss, loads: Loads, few: bool) -> tuple[str, str, str, str]:
    moved = sum(len(one.vips) for one, _ in loss.moves)
    after = loads.after(loss)
    back = {**dict.fromkeys(loss.lost, 0), **after}
    for one, node in loss.moves:
        owner = returned(one, loss, False)
        if owner != node and owner:  # nobody had it while the nodes were lost
            back[owner] += len(one.vips)
    ordered = {node: back[node] for node in loads.before}
    return " and ".join(loss.lost), str(moved), _loads(after, few), _loads(ordered, few)


def _loads(loads: dict[str, int], few: bool) -> str:
    if not loads:
        return "nobody has them"
    if few:
        return ", ".join(f"{node} {load}" for node, load in loads.items())
    return f"{min(loads.values())} to {max(loads.values())} each"


def _back(plan: Plan, staying: int) -> Iterator[str]:
    """What a node that is back takes, under each strategy."""
    seconds = plan.preemption.seconds if plan.preemption.mode == "delay" else STOCK_DELAY
    but = f", but {_count(staying, 'instance')} of equal priorities that stay away" if staying else ""
    told = {
        "immediate": f"Back with preempt: a node has its VIPs again at once{but}",
        "delay": f"Back with preempt_delay: a node has its VIPs again after {in_words(seconds)}{but}",
        "nopreempt": "Back with nopreempt: a node has no VIP until others are lost, and the plan holds again when all "
        "start at once",
    }
    for mode, text in told.items():
        yield f"{text}{' (as configured)' * (mode == plan.preemption.mode)}."


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
