"""The matrix of a plan: VIPs as rows, nodes as columns, and in each cell the rank that the node has for the VIP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.losses import Loads
from hachecks.ipfailover.picture.columns import Columns
from hachecks.ipfailover.picture.drawing import MARGIN, mono_width, sans_width
from hachecks.ipfailover.picture.style import SMALL
from hachecks.ipfailover.table import SHOWN_NODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.picture.drawing import Drawing
    from hachecks.ipfailover.plan import Instance, Plan

SHADES = ("one", "two", "three")
"""By rank; those that come later have none."""
SAID = ("master", "has it when that is lost", "has it when both are lost")
TOGETHER = 32
"""Rows below one head, so that it is in sight."""


class Matrix:
    """The matrix of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.columns = Columns(plan.nodes)
        self.few = len(plan.nodes) <= SHOWN_NODES
        self.row = 28 if self.few else 24
        longest = max(mono_width(vip) for one in plan.instances for vip in one.vips)
        self.ids = MARGIN + max(longest, 60) + 44
        """Where ids end."""
        self.columns.left = self.ids + 20

    @property
    def right(self) -> int:
        """Where the last column ends."""
        return self.columns.left + self.columns.width

    def draw(self, drawing: Drawing) -> None:
        """Draw it below what is there."""
        drawing.reaches(self.right)
        loads: dict[str, int] | None = Loads(self.plan.instances, self.plan.nodes).before if self.plan.nodes else None
        for rows in self._blocks():
            self._heads(drawing, loads)
            loads = None
            self._block(drawing, rows)
            drawing.below += 18
        self._legend(drawing)

    def _blocks(self) -> Iterator[list[tuple[Instance, str]]]:
        rows = [(one, vip) for one in self.plan.instances for vip in one.vips]
        return (rows[start : start + TOGETHER] for start in range(0, len(rows), TOGETHER))

    def _heads(self, drawing: Drawing, loads: dict[str, int] | None) -> None:
        self.columns.draw_heads(drawing)
        drawing.text(MARGIN, drawing.below - 8, "VIP", "small muted")
        drawing.text(self.ids, drawing.below - 8, "id", "small muted end")
        if loads is None:
            return
        drawing.below += 20
        drawing.text(MARGIN, drawing.below - 7, "VIPs of each node", "small muted")
        for number, load in enumerate(loads.values()):
            middle = self.columns.x(number) + self.columns.each // 2
            drawing.text(middle, drawing.below - 7, str(load), "mono small muted middle")

    def _block(self, drawing: Drawing, rows: list[tuple[Instance, str]]) -> None:
        top, bottom = drawing.below, drawing.below + self.row * len(rows)
        # A line above each instance: what has none above it is of the same.
        instances = [
            f"M{MARGIN} {top + number * self.row}H{self.right}"
            for number, (one, vip) in enumerate(rows)
            if vip == one.vips[0] or not number
        ]
        drawing.path([*instances, f"M{MARGIN} {bottom}H{self.right}"], "rule")
        if not self.few:
            x = self.columns.x
            drawing.path((f"M{x(node)} {top}V{bottom}" for node in range(len(self.plan.nodes) + 1)), "rule")
        for one, vip in rows:
            drawing.begin(about(one, vip))
            self._one(drawing, one, vip, drawing.below == top)
            drawing.end()
            drawing.below += self.row

    def _one(self, drawing: Drawing, one: Instance, vip: str, first: bool) -> None:
        baseline = drawing.below + self.row // 2 + 5
        drawing.text(MARGIN, baseline, vip, "mono")
        if vip == one.vips[0] or first:
            drawing.text(self.ids, baseline, str(one.id), "mono muted end")
        number_of = {node: number for number, node in enumerate(self.plan.nodes)}
        for rank, (node, _) in enumerate(one.ranks, 1):
            if rank > len(SHADES) and not self.few:
                return
            self._cell(drawing, self.columns.x(number_of[node]), baseline, rank)

    def _cell(self, drawing: Drawing, x: int, baseline: int, rank: int) -> None:
        kind = "muted"
        if rank <= len(SHADES):
            shade = SHADES[rank - 1]
            drawing.box(x + 2, drawing.below + 2, self.columns.each - 4, self.row - 4, shade, 4 if self.few else 3)
            kind = f"on-{shade}"
        drawing.text(x + self.columns.each // 2, baseline, str(rank), f"mono small middle {kind}")

    def _legend(self, drawing: Drawing) -> None:
        """What shades and numbers say."""
        x = MARGIN
        for rank, (shade, said) in enumerate(zip(SHADES, SAID[: len(self.plan.nodes)]), 1):
            drawing.box(x, drawing.below, 22, 20, shade, 4)
            drawing.text(x + 11, drawing.below + 14, str(rank), f"mono small middle on-{shade}")
            drawing.text(x + 30, drawing.below + 14, said, "small")
            x += 30 + sans_width(said, SMALL) + 22
        later = len(self.plan.nodes) - len(SHADES)
        if self.plan.nodes:
            drawing.below += 20
        if later > 0:
            said = "later ranks have no shade" if self.few else "later ranks are not shown"
            drawing.below += 6
            drawing.lines([f"{said}; priorities are shown when a row is pointed at"], "small muted")


def about(one: Instance, vip: str) -> str:
    """A VIP's row in words."""
    ranks = ", ".join(f"{rank}. {node} ({priority})" for rank, (node, priority) in enumerate(one.ranks[:3], 1))
    return f"{vip}: {one.name}, id {one.id}{': ' if ranks else ''}{ranks}"
