"""What a rule may ask of a packet, answered as far as it is known: yes, no, or None for what cannot be told."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from hachecks.ipfailover.family import IPV4

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hachecks.ipfailover.pod.firewall.passages import Passage

PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "ipv6": 41,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "ospf": 89,
    "pim": 103,
    "comp": 108,
    "vrrp": 112,
    "l2tp": 115,
    "sctp": 132,
    "udplite": 136,
}
SINGLE = ("/32", "/128")
NEW, MULTICAST, HOST = "new", "multicast", "host"
ADVERT_STATES = ("new", "untracked", "invalid", "established", "related")


def either(answers: Iterable[bool | None]) -> bool | None:
    """Whether one of them is yes; None where one may be."""
    found = list(answers)
    return True if True in found else None if None in found else False


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """Whether all of them are yes; None where they may be."""
    found = list(answers)
    return False if False in found else None if None in found else True


def negated(answer: bool | None) -> bool | None:
    """The contrary."""
    return None if answer is None else not answer


class Packet:
    """An advert on its way in or out by an interface."""

    def __init__(self, passage: Passage, interface: str) -> None:
        self.passage = passage
        self.interface = interface
        self.is_tracked = True
        """Whether the kernel surely follows it as a connection."""

    @property
    def is_multicast(self) -> bool:
        """Whether it is for the group."""
        to = self.passage.destination
        return bool(to) and ipaddress.ip_address(to).is_multicast

    def has_protocol(self, name: str) -> bool | None:
        """Whether it is of a protocol, by its name or number."""
        number = int(name) if name.isascii() and name.isdigit() else PROTOCOLS.get(name.lower())
        return None if number is None else number == self.passage.protocol

    def is_from(self, network: str) -> bool | None:
        """Whether its source is an address, or in a network."""
        return _within(self.passage.source, network)

    def is_to(self, network: str) -> bool | None:
        """Whether its destination is an address, or in a network."""
        return _within(self.passage.destination, network)

    def comes_by(self, name: str) -> bool | None:
        """Whether it comes in by an interface; `eth+` and `eth*` stand for all whose names begin so."""
        return _named(self.interface, name) if self.passage.incoming else None

    def goes_by(self, name: str) -> bool | None:
        """Whether it goes out by an interface."""
        return None if self.passage.incoming else _named(self.interface, name)

    def has_state(self, state: str) -> bool | None:
        """Whether the kernel, which follows connections, calls it new, established and so on."""
        if self.is_multicast and self.is_tracked:
            # Nobody answers a multicast to its group, so each is new (tried with nf_conntrack).
            return state.lower() == NEW if state.lower() in ADVERT_STATES else None
        return None

    def is_cast(self, kind: str) -> bool | None:
        """Whether it is to a group, or to this host, as `pkttype` has it."""
        if not self.passage.incoming or kind not in (MULTICAST, HOST, "broadcast", "unicast"):
            return None
        return kind == MULTICAST if self.is_multicast else kind in (HOST, "unicast")

    def is_cast_to(self, kind: str) -> bool | None:
        """Whether its destination is of a type, as `addrtype` and `fib` have it."""
        return kind.lower() == MULTICAST if self.is_multicast else None

    def has_family(self, name: str) -> bool | None:
        """Whether it is of IPv4 or IPv6, as nftables calls them."""
        if name not in ("ip", "ip6", "ipv4", "ipv6"):
            return False
        return name in (("ip", "ipv4") if self.passage.family == IPV4 else ("ip6", "ipv6"))


def _within(address: str, network: str) -> bool | None:
    if address and network.endswith(SINGLE):  # most of the many that kube-proxy has
        return network.partition("/")[0] == address
    try:
        found = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return None
    if not found.prefixlen:
        return True
    return ipaddress.ip_address(address) in found if address else None


def _named(interface: str, name: str) -> bool | None:
    if not interface:
        return None
    return interface.startswith(name[:-1]) if name[-1:] in ("+", "*") else interface == name
