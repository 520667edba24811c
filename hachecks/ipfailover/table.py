"""The plan as lines for people: VIPs with their nodes, what each loss comes to, and what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.against import ADDED, ALARMING, REMOVED
from hachecks.ipfailover.colour import plain
from hachecks.ipfailover.losses import Loads, losses, staying_away
from hachecks.ipfailover.spread import EVEN, HASH, UNKNOWN
from hachecks.verdict import in_words, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hachecks.ipfailover.against import Change
    from hachecks.ipfailover.losses import Loss
    from hachecks.ipfailover.plan import Plan

    Paint = Callable[[str, str], str]

SHOWN_NODES = 8
"""Nodes up to which every node's load and every pair is shown: 8 have 28 pairs."""
SHOWN_RANKS = 3
STOCK_DELAY = 300.0
"""Seconds of preempt_delay that the stock image has, shown where the plan has no other."""
NOBODY = "nobody has them"
SPREADS = {EVEN: "spread evenly", HASH: "spread by hash"}


def lines(plans: Sequence[Plan], changes: Sequence[Change] | None, paint: Paint = plain) -> Iterator[str]:
    """The plans one after another, and what changes against an old one; `paint` gives a text a style."""
    for plan in plans:
        yield from _plan(plan, paint)
        yield ""
    if changes is not None:
        yield from _changes(changes, paint)


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


def _plan(plan: Plan, paint: Paint) -> Iterator[str]:
    yield f"{paint(visible(plan.name), 'strong')}: {summary(plan)}"
    yield from (paint(visible(f"? {note}"), "note") for note in plan.notes)
    yield ""
    ranks = min(SHOWN_RANKS, len(plan.nodes)) if plan.placement != UNKNOWN else 0
    heads = ("VIP", "INSTANCE", "ID", *("MASTER", "IF THAT IS LOST", "IF BOTH ARE")[:ranks])
    rows = [
        (vip, one.name, str(one.id), *(f"{node} ({priority})" for node, priority in one.ranks[:ranks]))
        for one in plan.instances
        for vip in one.vips
    ]
    yield from aligned(heads, rows, paint, dict(enumerate(("", "muted", "", "master", "second", "later"))))
    if ranks:
        yield ""
        yield from _losses(plan, paint)


def _losses(plan: Plan, paint: Paint) -> Iterator[str]:
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
    heads = ("LOST", "VIPS MOVED", "VIPS BY NODE", "BACK WITH nopreempt")
    yield from aligned(heads, rows, paint, {3: "muted"}, {NOBODY: "alarm"})
    yield ""
    for mode, text in returns(plan).items():
        yield paint(text, "strong") if mode == plan.preemption.mode else text


def _loss(loss: Loss, loads: Loads, few: bool) -> tuple[str, str, str, str]:
    moved = sum(len(one.vips) for one, _ in loss.moves)
    back = loads.back(loss, preempts=False)
    return " and ".join(loss.lost), str(moved), _loads(loads.after(loss), few), _loads(back, few)


def _loads(loads: dict[str, int], few: bool) -> str:
    if not loads:
        return NOBODY
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
        "nopreempt": "Back with nopreempt: a node has no VIP until others are lost, or until all reload with preempt",
    }
    return {mode: f"{text}{' (as configured)' * (mode == plan.preemption.mode)}." for mode, text in told.items()}


def _changes(changes: Sequence[Change], paint: Paint) -> Iterator[str]:
    if not changes:
        yield paint("Against the old plan nothing changes.", "good")
        return
    kinds = {**dict.fromkeys(ALARMING, "alarm"), ADDED: "good", REMOVED: "note"}
    rows = [(one.vip, one.kind, one.why) for one in changes]
    yield from aligned(("VIP", "CHANGE", ""), rows, paint, {}, kinds)


def aligned(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    paint: Paint = plain,
    by_column: Mapping[int, str] = {},
    by_text: Mapping[str, str] = {},
) -> Iterator[str]:
    """Rows below their heads, in columns, with the style of a cell by its text or its column's number."""
    shown = [list(map(visible, row)) for row in (heads, *rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(heads) - 1)]
    for number, row in enumerate(shown):
        last = max((column for column, cell in enumerate(row) if cell), default=0)
        cells = []
        for column, cell in enumerate(row[: last + 1]):
            style = by_text.get(cell, by_column.get(column, "")) if number else "head"
            # Blanks to the right stay as they are, so that columns are aligned whatever is painted.
            blanks = " " * (widths[column] - len(cell)) if column < last else ""
            cells.append(f"{paint(cell, style) if cell and style else cell}{blanks}")
        yield "  ".join(cells)
