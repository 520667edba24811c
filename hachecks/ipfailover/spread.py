"""Spread: which node each VIP should be on, and the order of those that take it over when nodes are lost.

With a list of nodes the VIPs are spread evenly; without one each node can only rank itself, by rendezvous hashing.
"""

from __future__ import annotations

from hashlib import blake2b
from ipaddress import ip_address
from math import comb
from typing import TYPE_CHECKING, NamedTuple

from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

EVEN, HASH, UNKNOWN = "even", "hash", "unknown"
"""How VIPs are placed: by who knows all nodes, by each node for itself, or not at all where none is named."""
HIGHEST = 254
"""The highest priority: 255 is the address owner's, which no weight can lower and which forbids nopreempt."""
LOWEST_HASHED = 155
"""The lowest priority by hash: a backup of 155 takes over within 0.4 s of a master's farewell, one of 1 within 1 s."""

STEP = 20
"""From one node's priority to the next one's, where there is room.

A backup is the later the lower its priority is, in VRRP 2 by 1/256 s for each. Keepalived takes over one VIP after the
other: of 85 at once, with a step of 1, the second backup took 41 before the first had come to them; with 20 none.
"""


class Unit(NamedTuple):
    """What has one node: an instance, or several that belong together; with the number of its VIPs."""

    key: str
    weight: int = 1
    prefer: tuple[str, ...] = ()
    apart: frozenset[str] = frozenset()
    """Keys of units that should be on other nodes."""


def score(node: str, key: str) -> int:
    """How much a node is a VIP's, of 64 bits: the same on every node, and independent of all other nodes and VIPs."""
    return _score(f"{node}\0".encode(), key.encode())


def _score(node: bytes, key: bytes) -> int:
    return int.from_bytes(blake2b(node + key, digest_size=8).digest(), "big")


def priorities(count: int) -> range:
    """The priorities of so many nodes, the master's first; none is below the lowest by hash if 100 have room."""
    step = max(1, min(STEP, (HIGHEST - LOWEST_HASHED) // max(1, count - 1)))
    return range(HIGHEST, HIGHEST - step * count, -step)


def hashed_priority(node: str, key: str) -> int:
    """The priority that a node gives itself for a VIP where it does not know the others."""
    return LOWEST_HASHED + score(node, key) % (HIGHEST - LOWEST_HASHED + 1)


def by_hash(key: str, nodes: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Nodes with their priorities, the master first; of equal ones that with the higher address wins, as in VRRP."""
    ranked = sorted(((hashed_priority(node, key), _in_order(node), node) for node in nodes), reverse=True)
    return tuple((node, priority) for priority, _, node in ranked)


def _in_order(node: str) -> tuple[bool, int, int, str]:
    """Names, then addresses by number."""
    try:
        address = ip_address(node)
    except ValueError:
        return False, 0, 0, node
    return True, address.version, int(address), ""


def in_order(nodes: Iterable[str]) -> tuple[str, ...]:
    """Nodes in an order that does not depend on how they are given."""
    return tuple(sorted(nodes, key=_in_order))


def fullest_by_hash(vips: int, nodes: int, certainty: float) -> int:
    """How many of the VIPs the fullest node has at most, with about this probability, where hashes decide.

    Each node's number is binomial; that they are taken for independent of each other overstates the probability by
    less than what the answer, a whole number, tells apart.
    """
    most, at_most = -1, 0.0
    while most < vips and at_most**nodes < certainty:
        most += 1
        at_most += comb(vips, most) * (nodes - 1) ** (vips - most) / nodes**vips
    return most


def spread(
    units: Sequence[Unit], nodes: Sequence[str], before: Mapping[str, str], displaced: Collection[str] = ()
) -> dict[str, tuple[str, ...]]:
    """The order of nodes for each unit; raises `Invalid` where units cannot be kept apart.

    The VIPs of any two nodes differ by at most one, unless a unit has several or is preferred somewhere; so they do
    when any one node is lost. `before` has the node that a unit is on, where that is known: as few as possible move,
    the `displaced` first, which have lost a better node. Nothing depends on the order of units and nodes.
    """
    return _Spread(units, nodes, before, displaced).orders()


class _Spread:
    """The work of `spread`, rank by rank."""

    def __init__(
        self, units: Sequence[Unit], nodes: Sequence[str], before: Mapping[str, str], displaced: Collection[str]
    ) -> None:
        # Those that have fewest nodes to go to are placed first.
        self.units = sorted(units, key=lambda one: (-len(one.apart), -one.weight, one.key))
        self.by_key = {one.key: one for one in units}
        self.nodes = sorted(nodes)
        self.before = before
        self.displaced = displaced
        names = [(node, f"{node}\0".encode()) for node in self.nodes]
        self.scores = {
            one.key: {node: _score(name, key) for node, name in names} for one in units for key in (one.key.encode(),)
        }
        self.ranks: dict[str, list[str]] = {one.key: [] for one in units}
        self.loads = dict.fromkeys(self.nodes, 0)
        self.on: dict[str, list[Unit]] = {node: [] for node in self.nodes}

    def orders(self) -> dict[str, tuple[str, ...]]:
        """The order of nodes for each unit."""
        self._place()
        self._even_out()
        for unit in self.units:
            unit_master = next(node for node in self.nodes if unit in self.on[node])
            self.ranks[unit.key] = [unit_master]
        if len(self.nodes) > 1:
            self._second()
        if len(self.nodes) > 2:
            self._third()
        return {key: self._whole(key, ranks) for key, ranks in self.ranks.items()}

    def _put(self, unit: Unit, node: str) -> None:
        self.on[node].append(unit)
        self.loads[node] += unit.weight
        self.ranks[unit.key] = [node]

    def _master_is_free(self, unit: Unit, node: str) -> bool:
        return all(self.ranks[other][:1] != [node] for other in unit.apart)

    def _place(self) -> None:
        """Put each unit where it is preferred, or is, or where its hash says; the others where there is most room."""
        homeless = []
        for unit in sorted(self.units, key=lambda one: not one.prefer):
            scores = self.scores[unit.key]
            wanted = unit.prefer[0] if unit.prefer else self.before.get(unit.key, "")
            if not wanted and not self.before:
                wanted = max(self.nodes, key=lambda node: scores[node])
            if wanted in self.loads and self._master_is_free(unit, wanted):
                self._put(unit, wanted)
            elif unit.prefer:
                raise Invalid(f"{unit.key} is to be on {wanted}, and apart from another that is to be there, too")
            else:
                homeless.append(unit)
        for unit in homeless:
            free = [node for node in self.nodes if self._master_is_free(unit, node)]
            if not free:
                raise Invalid(
                    f"{unit.key} has to be kept apart from {len(unit.apart)} others, which is not possible on "
                    f"{len(self.nodes)} nodes; name more nodes, or fewer VIPs in OPENSHIFT_HA_APART"
                )
            self._put(unit, self._emptiest(unit, free, self.loads))

    def _emptiest(self, unit: Unit, nodes: Iterable[str], loads: Mapping[str, int]) -> str:
        scores = self.scores[unit.key]
        return min(nodes, key=lambda node: (loads[node], -scores[node]))

    def _even_out(self) -> None:
        """Move one unit after another from a fuller node to an emptier one, as long as that makes it more even."""
        moving = True
        while moving:
            moving = self._move_one()

    def _move_one(self) -> bool:
        fullest = sorted(self.nodes, key=lambda node: (-self.loads[node], node))
        for source in fullest:
            for target in reversed(fullest):
                difference = self.loads[source] - self.loads[target]
                if difference <= 1:
                    break
                unit = self._movable(source, target, difference)
                if unit:
                    self.on[source].remove(unit)
                    self.loads[source] -= unit.weight
                    self._put(unit, target)
                    return True
        return False

    def _movable(self, source: str, target: str, difference: int) -> Unit | None:
        """The unit whose move makes two nodes most equal, of several the one that is most the target's by its hash."""
        return min(
            (
                one
                for one in self.on[source]
                if one.weight < difference and not one.prefer and self._master_is_free(one, target)
            ),
            key=lambda one: (
                abs(difference - 2 * one.weight),
                one.key not in self.displaced,
                -self.scores[one.key][target],
            ),
            default=None,
        )

    def _second(self) -> None:
        """Give the units of each node to those that have the fewest when it is lost."""
        for lost in self.nodes:
            loads = dict(self.loads)
            del loads[lost]
            for unit in sorted(self.on[lost], key=lambda one: (not one.prefer[1:], *self._place_in_line(one))):
                self._next(unit, loads, lambda key: self.ranks[key][0])

    def _third(self) -> None:
        """Give the units that lose both their first nodes to those that have the fewest then."""
        taken: dict[tuple[str, str], int] = {}
        pairs: dict[tuple[str, ...], list[Unit]] = {}
        for unit in self.units:
            first, second = self.ranks[unit.key][:2]
            taken[first, second] = taken.get((first, second), 0) + unit.weight
            pairs.setdefault(tuple(sorted((first, second))), []).append(unit)
        for pair, units in sorted(pairs.items()):
            one, other = pair
            loads = {
                node: load + taken.get((one, node), 0) + taken.get((other, node), 0)
                for node, load in self.loads.items()
                if node not in pair
            }
            for unit in sorted(units, key=lambda one: not one.prefer[2:]):
                self._next(unit, loads, lambda key, pair=pair: self._holder(key, pair))  # type: ignore[misc]

    def _holder(self, key: str, lost: Sequence[str]) -> str:
        return next((node for node in self.ranks[key] if node not in lost), "")

    def _place_in_line(self, unit: Unit) -> tuple[int, int, str]:
        return -len(unit.apart), -unit.weight, unit.key

    def _next(self, unit: Unit, loads: dict[str, int], holder: Callable[[str], str]) -> None:
        """Append the next rank of a unit: what is preferred, or the emptiest node that none of those apart is on."""
        ranks = self.ranks[unit.key]
        preferred = [node for node in unit.prefer if node not in ranks and node in loads]
        if preferred:
            node = preferred[0]
        else:
            holders = {holder(key) for key in unit.apart}
            free = [node for node in loads if node not in holders] or list(loads)
            # Where those apart go next is left out, too: when two of their nodes are lost they would meet there.
            nexts = {other for key in unit.apart for other in self.ranks[key][1:2]}
            node = self._emptiest(unit, [node for node in free if node not in nexts] or free, loads)
        ranks.append(node)
        loads[node] += unit.weight

    def _whole(self, key: str, ranks: list[str]) -> tuple[str, ...]:
        """The ranks with all nodes that are left: those preferred, then by hash."""
        scores, prefer = self.scores[key], self.by_key[key].prefer
        rest = sorted(
            (node for node in self.nodes if node not in ranks),
            key=lambda node: (prefer.index(node) if node in prefer else len(prefer), -scores[node]),
        )
        return (*ranks, *rest)
