"""What has to pass for nodes to hear each other: adverts, and by multicast the reports of who is in a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.family import IPV4, IPV6, family

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

IGMP, ICMPV6, VRRP = 2, 58, 112
GROUPS = {IPV4: "224.0.0.18", IPV6: "ff02::12"}
LISTENERS = (130, 131, 132, 143)
"""Types of ICMPv6: who listens to a group is asked, told (MLD of version 1 and 2), and taken back."""


class Passage(NamedTuple):
    """Packets of a family and a protocol, in or out; an empty address is any, and `types` are those of ICMPv6."""

    family: int
    incoming: bool
    protocol: int
    source: str = ""
    destination: str = ""
    types: tuple[int, ...] = ()


def passages(families: Iterable[int], peers: Sequence[str]) -> Iterator[Passage]:
    """All that has to pass, with these peers by unicast, or by multicast where there are none."""
    for peer in peers:
        yield Passage(family(peer), True, VRRP, source=peer)
        yield Passage(family(peer), False, VRRP, destination=peer)
    if peers:
        return
    for one in sorted(set(families)):
        for incoming in (True, False):
            yield Passage(one, incoming, VRRP, destination=GROUPS[one])
            if one == IPV4:
                yield Passage(one, incoming, IGMP)
            else:
                yield Passage(one, incoming, ICMPV6, types=LISTENERS)
