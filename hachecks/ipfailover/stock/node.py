"""A node as the stock image looks at it: its interfaces, and the address that its priorities are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OWNER = 255
"""The priority of who owns the address (RFC 5798, section 5.2.4)."""


class StockNode(NamedTuple):
    """A node: the IPv4 address of its interface, or none, its interfaces so far as they are known, and the default."""

    address: str
    interfaces: tuple[str, ...] | None = None
    route: str = ""

    @property
    def slot(self) -> int:
        """The number that its priorities are made of: the last octet modulo 128, and 0 without an IPv4 address."""
        parts = self.address.split(".")
        return int(parts[3]) % 128 if len(parts) == 4 else 0


class Rank(NamedTuple):
    """What an instance gets on a node: the least and greatest priority, between which chance decides, and its state."""

    least: int
    greatest: int
    master: bool


def interface(wanted: str, others: Sequence[str], node: StockNode | None) -> str:
    """The interface that is taken: the first that exists of those named and the others, or that of the default route.

    Without a node, the first that is named; empty where nothing tells.
    """
    names = wanted.split()
    if node is None or node.interfaces is None:
        return names[0] if names else ""
    return next((name for name in (*names, *others) if name in (node.interfaces or ())), node.route)


def ranks(node: StockNode, replicas: int, *, backs_up: bool) -> Iterator[Rank]:
    """The rank of the instances in turn on a node; `backs_up` says that none has the state MASTER."""
    slot = node.slot
    index = slot % replicas + 1
    turned = False
    number = 0
    while True:
        number += 1
        if number % index:
            yield Rank(slot % 64, slot % 64 + 31, False)
        else:
            # Every second instance of a node that would be master of all has the least there is.
            priority = slot + 1 if turned else OWNER - slot
            turned = not turned and not backs_up
            yield Rank(priority, priority, not backs_up)
