"""Losses as small multiples: for each the VIPs of all nodes, those that were taken over apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.losses import Loads, losses
from hachecks.ipfailover.picture.drawing import LINE, MARGIN, mono_width, sans_width, wrapped
from hachecks.ipfailover.picture.loss import DrawnLoss
from hachecks.ipfailover.picture.style import SMALL
from hachecks.ipfailover.table import SHOWN_NODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.picture.columns import Columns
    from hachecks.ipfailover.picture.drawing import Drawing
    from hachecks.ipfailover.plan import Plan

GAP = 36
BAR = 130
"""Units of the longest bar that lies."""
COUNTS = 72
"""Units for the numbers beside it."""
ROW, THICK = 20, 12
TALL = 56
"""Units of the highest bar that stands."""
HEADINGS = 42


class Multiples:
    """The losses of a plan that are drawn: each node, and each pair, or of many pairs the worst."""

    def __init__(self, plan: Plan, columns: Columns) -> None:
        self.plan, self.names = plan, columns.names
        self.loads = Loads(plan.instances, plan.nodes)
        self.few = len(plan.nodes) <= SHOWN_NODES
        self.shown = list(self._shown())
        self.side_by_side = len(self.shown) if self.few else len(plan.nodes)
        self.most = max(1, *self.loads.before.values(), *(load for one in self.shown for load in one.after.values()))
        self.labels = max(mono_width(name, SMALL) for name in self.names.values()) + 10
        self.thin = max(3, min(18, 260 // len(plan.nodes)))
        chart = self.labels + BAR + COUNTS if self.few else self.thin * len(plan.nodes)
        self.width = max(chart, *map(_heading_width, self.shown[: self.side_by_side]))
        self.extra = {
            one.lost: [line for text in one.unusual_returns() for line in wrapped(text, self.width, SMALL)]
            for one in self.shown
            if self.few
        }

    def _shown(self) -> Iterator[DrawnLoss]:
        for loss in losses(self.plan.instances, self.plan.nodes, (1, 2) if self.few else (1,)):
            yield DrawnLoss(loss, self.loads, self.names)
        if not self.few:
            worst = self.loads.worst(losses(self.plan.instances, self.plan.nodes, (2,)))
            pairs = len(self.plan.nodes) * (len(self.plan.nodes) - 1) // 2
            yield DrawnLoss(worst, self.loads, self.names, f", the worst of {pairs} pairs")

    def draw(self, drawing: Drawing, room: int) -> None:
        """Draw them below what is there, as many side by side as there is room for."""
        across = max(1, (room + GAP) // (self.width + GAP))
        rows = [
            self.shown[start : min(start + across, self.side_by_side)] for start in range(0, self.side_by_side, across)
        ]
        # The worst pair has a long heading, and a row of its own.
        for row in (*rows, *([one] for one in self.shown[self.side_by_side :])):
            for number, one in enumerate(row):
                drawing.begin(one.about)
                self._one(drawing, MARGIN + number * (self.width + GAP), one)
                drawing.end()
            chart = ROW * len(self.plan.nodes) if self.few else TALL + 8
            drawing.below += HEADINGS + chart + 26 + max(LINE * len(self.extra.get(one.lost, ())) for one in row)

    def legend(self, drawing: Drawing) -> None:
        """What bars and marks say."""
        x, y = MARGIN, drawing.below
        drawing.box(x, y + 4, 28, THICK, "kept")
        x = _said(drawing, x + 36, "has them already")
        drawing.box(x, y + 4, 28, THICK, "gained")
        x = _said(drawing, x + 36, "takes them over")
        drawing.path([f"M{x + 4} {y + 1}v18"] if self.few else [f"M{x} {y + 10}h12"], "before")
        x = _said(drawing, x + 18, "before, and again when all are back")
        if not self.few:
            drawing.path([_cross(x + 4, y + 10, 4)], "before")
            _said(drawing, x + 16, "lost")
        drawing.below += 22
        where = "" if self.few else "nodes stand in the order of the columns above; "
        drawing.lines([f"{where}with nopreempt bars stay as they are when nodes are back"], "small muted")
        drawing.below += 12

    def _one(self, drawing: Drawing, x: int, one: DrawnLoss) -> None:
        drawing.text(x, drawing.below + 14, one.heading, "strong")
        drawing.text(x, drawing.below + 32, one.subheading, "small muted")
        drawing.reaches(x + max(self.width, _heading_width(one)))
        if self.few:
            self._lying(drawing, x, one)
        else:
            self._standing(drawing, x, one)

    def _lying(self, drawing: Drawing, x: int, one: DrawnLoss) -> None:
        left = x + self.labels
        marks = []
        for number, (node, before) in enumerate(self.loads.before.items()):
            y = drawing.below + HEADINGS + number * ROW
            drawing.text(x, y + 14, self.names[node], f"mono small{' muted' * (node in one.lost)}")
            gained = one.gained.get(node, 0)
            kept, end = (self._long(load, BAR) for load in (one.after.get(node, 0) - gained, one.after.get(node, 0)))
            if kept:
                drawing.box(left, y + 4, kept, THICK, "kept")
            if gained:
                drawing.box(left + kept, y + 4, end - kept, THICK, "gained")
            marks.append(f"M{left + self._long(before, BAR)} {y + 1}v{ROW - 2}")
            told = "lost" if node in one.lost else str(one.after[node])
            drawing.text(left + BAR + 36, y + 14, told, f"mono small end{' muted' * (node in one.lost)}")
            if gained:
                drawing.text(left + BAR + COUNTS, y + 14, f"+{gained}", "mono small end more")
        drawing.path(marks, "before")
        for number, line in enumerate(self.extra[one.lost]):
            y = drawing.below + HEADINGS + ROW * len(self.plan.nodes) + LINE * number
            drawing.text(x, y + 16, line, "small muted")

    def _standing(self, drawing: Drawing, x: int, one: DrawnLoss) -> None:
        floor = drawing.below + HEADINGS + TALL
        bars: dict[str, list[str]] = {"kept": [], "gained": []}
        marks, crosses = [], []
        for number, (node, before) in enumerate(self.loads.before.items()):
            at, wide = x + number * self.thin, self.thin - 1
            marks.append(f"M{at} {floor - self._long(before, TALL)}h{wide}")
            if node in one.lost:
                crosses.append(_cross(at + wide // 2, floor - 6, 3))
                continue
            kept, end = (self._long(load, TALL) for load in (one.after[node] - one.gained[node], one.after[node]))
            bars["kept"].append(f"M{at} {floor}v{-kept}h{wide}v{kept}z")
            if end > kept:
                bars["gained"].append(f"M{at} {floor - kept}v{kept - end}h{wide}v{end - kept}z")
        for kind, steps in bars.items():
            drawing.path(steps, kind)
        drawing.path([*marks, *crosses], "before")
        drawing.path([f"M{x} {floor + 1}h{self.thin * len(self.plan.nodes)}"], "rule")

    def _long(self, load: int, most: int) -> int:
        return round(load * most / self.most)


def _heading_width(one: DrawnLoss) -> int:
    return max(sans_width(one.heading, bold=True), sans_width(one.subheading, SMALL))


def _said(drawing: Drawing, x: int, text: str) -> int:
    """A word of a legend; returns where the next one may begin."""
    drawing.text(x, drawing.below + 14, text, "small")
    return x + sans_width(text, SMALL) + 22


def _cross(x: int, y: int, size: int) -> str:
    return f"M{x - size} {y - size}l{2 * size} {2 * size}M{x + size} {y - size}l{-2 * size} {2 * size}"
