"""Losses: which node has a VIP when nodes are lost, and when they come back, by how Keepalived elects."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from hachecks.ipfailover.plan import Instance


class Loss(NamedTuple):
    """Nodes that are lost at once, and what moves: each instance's new node, None where there is none."""

    lost: tuple[str, ...]
    moves: tuple[tuple[Instance, str | None], ...]


def holder(ranks: Sequence[tuple[str, int]], lost: Container[str]) -> str | None:
    """The node with the highest priority of those that are not lost."""
    for node, _ in ranks:
        if node not in lost:
            return node
    return None


def follow(
    ranks: Sequence[tuple[str, int]], events: Iterable[tuple[str, bool]], preempts: bool, lost: Iterable[str] = ()
) -> str | None:
    """The node that has the VIP after a row of events, each a node and whether it comes back or is lost.

    A node that comes back takes the VIP from one of a lower priority if it preempts, and else from nobody; with equal
    priorities a backup stays one. Before the first event all nodes have started at once but those that are lost.
    """
    gone = set(lost)
    now = holder(ranks, gone)
    for node, returns in events:
        if not returns:
            gone.add(node)
            now = holder(ranks, gone) if now in (node, None) else now
        elif node in gone:
            gone.discard(node)
            if now is None or (preempts and _priority(ranks, node) > _priority(ranks, now)):
                now = node
    return now


def _priority(ranks: Sequence[tuple[str, int]], wanted: str) -> int:
    # Whoever has a VIP is among the first, so that looking is cheaper than a mapping of all nodes.
    for node, priority in ranks:
        if node == wanted:
            return priority
    raise ValueError(wanted)


def losses(instances: Sequence[Instance], nodes: Sequence[str], counts: Sequence[int] = (1, 2)) -> Iterator[Loss]:
    """The loss of each node, then of each pair; of `counts` nodes at once."""
    by_master: dict[str, list[Instance]] = {node: [] for node in nodes}
    for one in instances:
        by_master[one.ranks[0][0]].append(one)
    for count in counts:
        for lost in combinations(nodes, count):
            moves = tuple((one, holder(one.ranks, lost)) for node in lost for one in by_master[node])
            yield Loss(lost, moves)


def returned(instance: Instance, node: str | None, lost: Sequence[str], preempts: bool) -> str | None:
    """The node that has the VIPs of an instance, which a node took over, when all that were lost are back in order.

    It is what `follow` comes to, of which nothing but this is asked for each VIP and each pair of nodes.
    """
    now = node or lost[0]
    if not preempts:
        return now
    ranks = instance.ranks
    has = _priority(ranks, now)
    for back in lost:
        priority = _priority(ranks, back)
        if priority > has:
            now, has = back, priority
    return now


def staying_away(instances: Sequence[Instance], nodes: Sequence[str]) -> int:
    """The instances that a node does not take back though it preempts: another of equal priority has them."""
    alone = (loss for loss in losses(instances, nodes, (1,)))
    return sum(returned(one, node, loss.lost, True) != one.ranks[0][0] for loss in alone for one, node in loss.moves)


class Loads:
    """The VIPs on each node, from which those after a loss are told without counting all anew."""

    def __init__(self, instances: Sequence[Instance], nodes: Sequence[str]) -> None:
        self.before = dict.fromkeys(nodes, 0)
        for one in instances:
            self.before[one.ranks[0][0]] += len(one.vips)
        self._by_load = sorted(nodes, key=lambda node: self.before[node])

    def after(self, loss: Loss) -> dict[str, int]:
        """The VIPs on each node that is left."""
        return {node: load for node, load in {**self.before, **self._changed(loss)}.items() if node not in loss.lost}

    def back(self, loss: Loss, preempts: bool) -> dict[str, int]:
        """The VIPs on each node when those that were lost are back."""
        found = {**dict.fromkeys(loss.lost, 0), **self.after(loss)}
        for one, node in loss.moves:
            owner = returned(one, node, loss.lost, preempts)
            if owner != node and owner:
                found[owner] += len(one.vips)
                if node:  # else nobody had it while nodes were lost
                    found[node] -= len(one.vips)
        return {node: found[node] for node in self.before}

    def worst(self, losses: Iterable[Loss]) -> Loss:
        """The first of those after which the fullest node has most."""
        return max(losses, key=self._fullest)

    def _fullest(self, loss: Loss) -> int:
        changed = self._changed(loss)
        most = max(changed.values(), default=0)
        for node in reversed(self._by_load):
            if node not in changed and node not in loss.lost:
                return max(most, self.before[node])
        return most

    def extremes(self, loss: Loss) -> tuple[int, int]:
        """The VIPs on the emptiest and on the fullest node that is left; 0 where none is."""
        changed = self._changed(loss)
        same = [
            next((self.before[node] for node in order if node not in loss.lost and node not in changed), None)
            for order in (self._by_load, reversed(self._by_load))
        ]
        counts = [*changed.values(), *(count for count in same if count is not None)]
        return min(counts, default=0), max(counts, default=0)

    def _changed(self, loss: Loss) -> dict[str, int]:
        found: dict[str, int] = {}
        for one, node in loss.moves:
            if node:
                found[node] = found.get(node, self.before[node]) + len(one.vips)
        return found
