"""Columns of nodes: their short names, where each stands, and how their heads are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.picture.drawing import mono_width, shortened
from hachecks.ipfailover.picture.style import SMALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.ipfailover.picture.drawing import Drawing

LONGEST = 28
"""Characters of a node's name that are shown."""
WIDEST = 760
"""Units that nodes may take together with their names lying; else these stand."""
LYING = 12
"""Nodes whose names may lie side by side."""
NARROW = 26
"""Units of a column whose name stands."""


def common_domain(nodes: Sequence[str]) -> str:
    """What all names end in, from a dot on: it tells none from another. Empty for addresses and for one node."""
    parts = [node.split(".") for node in nodes]
    if len(nodes) < 2 or any(part[-1].isdigit() or ":" in node for part, node in zip(parts, nodes)):
        return ""
    common: list[str] = []
    for labels in zip(*(reversed(part[1:]) for part in parts)):
        if len(set(labels)) > 1:
            break
        common.insert(0, labels[0])
    return f".{'.'.join(common)}" if common else ""


class Columns:
    """A column for each node."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.nodes = nodes
        self.domain = common_domain(nodes)
        self.names = {node: shortened(node[: len(node) - len(self.domain)], LONGEST) for node in nodes}
        longest = max((mono_width(name, SMALL) for name in self.names.values()), default=0)
        self.lying = len(nodes) <= LYING and len(nodes) * (longest + 18) <= WIDEST
        self.each = max(52, longest + 18) if self.lying else NARROW
        self.head = 22 if self.lying else longest + 12
        self.width = self.each * len(nodes)
        self.left = 0

    def x(self, node: int) -> int:
        """Where the column of the node of this number begins."""
        return self.left + node * self.each

    def draw_heads(self, drawing: Drawing) -> None:
        """The names above the columns, in so much room as `head` says."""
        bottom = drawing.below + self.head
        for number, node in enumerate(self.nodes):
            middle = self.x(number) + self.each // 2
            if self.lying:
                drawing.text(middle, bottom - 8, self.names[node], "mono small middle")
            else:
                drawing.text(middle + 4, bottom - 6, self.names[node], "mono small", up=True)
        drawing.below = bottom
