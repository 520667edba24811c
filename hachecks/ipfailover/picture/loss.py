"""One loss as the picture has it: its heading, the VIPs of each node then, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.table import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.ipfailover.losses import Loads, Loss

TOLD = 12
"""VIPs whose way is told to those who point at a loss."""


class DrawnLoss:
    """A loss, with names of nodes as they are shown."""

    def __init__(self, loss: Loss, loads: Loads, names: Mapping[str, str], more: str = "") -> None:
        self.lost = loss.lost
        self.after = loads.after(loss)
        self.gained = {node: load - loads.before[node] for node, load in self.after.items()}
        self.heading = f"{' and '.join(names[node] for node in loss.lost)} lost{more}"
        self._loss, self._loads, self._names = loss, loads, names

    @property
    def subheading(self) -> str:
        """How many VIPs another node takes over, and how even that is."""
        moving = count(sum(len(one.vips) for one, _ in self._loss.moves), "VIP")
        if not self.after:
            return f"{moving}, which nobody has"
        least, most = min(self.after.values()), max(self.after.values())
        each = f"{least} to {most} each" if least < most else f"{most} each"
        return f"{moving} taken over, then {each}"

    @property
    def about(self) -> str:
        """Which VIPs go where."""
        ways = [f"{vip} to {node or 'nobody'}" for one, node in self._loss.moves for vip in one.vips]
        rest = f" and {len(ways) - TOLD} more" if len(ways) > TOLD else ""
        return f"{' and '.join(self.lost)} lost: {', '.join(ways[:TOLD]) or 'no VIP moves'}{rest}"

    def unusual_returns(self) -> Iterator[str]:
        """What is so after the return that the bars do not show: they stay with nopreempt, and else go to the marks."""
        stay = {**dict.fromkeys(self.lost, 0), **self.after}
        for word, preempts, shown in (("nopreempt", False, stay), ("preempt", True, self._loads.before)):
            back = self._loads.back(self._loss, preempts)
            if any(back[node] != load for node, load in shown.items()):
                yield f"back with {word}: {', '.join(f'{self._names[node]} {load}' for node, load in back.items())}"
