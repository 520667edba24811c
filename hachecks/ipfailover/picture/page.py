"""The whole picture: plans one below the other, each as a matrix of ranks with its losses, and what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover import table
from hachecks.ipfailover.against import ALARMING
from hachecks.ipfailover.picture.drawing import LINE, MARGIN, Drawing, mono_width, sans_width, wrapped
from hachecks.ipfailover.picture.matrix import Matrix
from hachecks.ipfailover.picture.multiples import Multiples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.against import Change
    from hachecks.ipfailover.plan import Plan

NARROWEST = 760
"""Units that texts and losses may take, however few nodes there are."""
DESCRIBED = 24
"""VIPs whose nodes are told to those who do not see the picture."""


def picture(plans: Sequence[Plan], changes: Sequence[Change] | None) -> str:
    """The plans, and what changes against an old one, as SVG."""
    drawing = Drawing()
    for number, plan in enumerate(plans):
        drawing.below += 40 if number else 0
        _plan(drawing, plan)
    if changes is not None:
        _changes(drawing, changes)
    names = " and ".join(plan.name for plan in plans)
    return drawing.svg(f"Plan of {names}", " ".join(text for plan in plans for text in _described(plan)))


def _plan(drawing: Drawing, plan: Plan) -> None:
    drawing.text(MARGIN, drawing.below + 18, plan.name, "title")
    drawing.reaches(MARGIN + sans_width(plan.name, 22))
    drawing.below += 32
    matrix = Matrix(plan)
    room = max(NARROWEST, matrix.right - MARGIN)
    drawing.lines(wrapped(table.summary(plan), room))
    if matrix.columns.domain:
        drawing.lines(wrapped(f"All nodes end in {matrix.columns.domain}", room), "muted")
    for note in plan.notes:
        drawing.below += 4
        drawing.lines(wrapped(note, room), "muted small")
    drawing.below += 14
    matrix.draw(drawing)
    if plan.nodes and any(one.ranks for one in plan.instances):
        _losses(drawing, plan, matrix, room)


def _losses(drawing: Drawing, plan: Plan, matrix: Matrix, room: int) -> None:
    drawing.below += 30
    drawing.text(MARGIN, drawing.below + 14, "When nodes are lost", "heading")
    drawing.below += 32
    multiples = Multiples(plan, matrix.columns)
    multiples.legend(drawing)
    multiples.draw(drawing, room)
    drawing.below += 8
    drawing.text(MARGIN, drawing.below + 14, "When they are back", "heading")
    drawing.below += 28
    for mode, text in table.returns(plan).items():
        configured = mode == plan.preemption.mode
        drawing.lines(wrapped(text, room, bold=configured), "strong" if configured else "muted")


def _changes(drawing: Drawing, changes: Sequence[Change]) -> None:
    drawing.below += 40
    drawing.text(MARGIN, drawing.below + 14, "Against the old plan", "heading")
    drawing.below += 30
    if not changes:
        drawing.lines(["nothing changes"])
    vips = MARGIN + max((mono_width(one.vip) for one in changes), default=0) + 20
    kinds = vips + sans_width("served twice") + 20
    for one in changes:
        top = drawing.below
        drawing.text(MARGIN, top + LINE - 6, one.vip, "mono")
        drawing.text(vips, top + LINE - 6, one.kind, "strong more" if one.kind in ALARMING else "strong")
        drawing.lines(wrapped(one.why, NARROWEST), x=kinds)


def _described(plan: Plan) -> Iterator[str]:
    """The plan in sentences."""
    yield f"{plan.name}: {table.summary(plan)}."
    if not any(one.ranks for one in plan.instances):
        yield "No nodes are named."
        return
    yield "VIPs are rows, nodes columns, and the numbers in them ranks, of which 1 is the master."
    rows = [(vip, one.nodes[:3]) for one in plan.instances for vip in one.vips]
    yield from (f"{vip}: {', then '.join(nodes)}." for vip, nodes in rows[:DESCRIBED])
    if len(rows) > DESCRIBED:
        yield f"{len(rows) - DESCRIBED} more VIPs are in the picture."
    yield "Below, the VIPs of each node are bars for each loss."
    yield from table.returns(plan).values()
