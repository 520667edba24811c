"""The interfaces of this network namespace and the addresses on them, as netlink tells at one instant."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

# Of pyroute2 the part that is needed: the exporter gives the name to an empty package.
from hachecks.exporter.addresses_netlink import NetlinkError

# isort: split
from pyroute2.iproute.linux import IPRoute

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

IFF_UP, IFF_LOOPBACK, IFF_LOWER_UP, IFF_MULTICAST = 0x1, 0x8, 0x10000, 0x1000
IFA_F_SECONDARY = 0x1
ANYWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses of nobody, for which the way to everybody is asked."""


class Held(NamedTuple):
    """An address on an interface, which `link` numbers, with the length of its prefix.

    `secondary` is of IPv4: it came after another of its subnet. `scope` is 0 where it is known beyond the segment.
    """

    address: str
    length: int
    link: int
    secondary: bool
    scope: int

    @property
    def is_single(self) -> bool:
        """Whether it has no subnet with it."""
        return self.length == (128 if ":" in self.address else 32)

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """The subnet that is reached by it."""
        return ipaddress.ip_network(f"{self.address}/{self.length}", strict=False)


class Link(NamedTuple):
    """An interface by its number; `master` is the number of what it is a port or a part of, 0 for none."""

    number: int
    name: str
    mac: str
    flags: int
    kind: str
    master: int

    @property
    def is_up(self) -> bool:
        """Whether it was set up."""
        return bool(self.flags & IFF_UP)

    @property
    def has_carrier(self) -> bool:
        """Whether its cable is in."""
        return bool(self.flags & IFF_LOWER_UP)


class Links(NamedTuple):
    """The interfaces by name, all addresses, and the interfaces by which the rest of the world is reached."""

    by_name: Mapping[str, Link]
    addresses: tuple[Held, ...]
    default: frozenset[str]

    def on(self, name: str) -> tuple[Held, ...]:
        """The addresses of an interface."""
        link = self.by_name.get(name)
        return tuple(one for one in self.addresses if link and one.link == link.number)

    def named(self, number: int) -> str:
        """The name of an interface."""
        return next((link.name for link in self.by_name.values() if link.number == number), f"interface {number}")


def read() -> Links:
    """What is there now; raises `OSError`."""
    with IPRoute() as netlink:
        try:
            links = [_link(message) for message in netlink.get_links()]
            addresses = tuple(_held(message) for message in netlink.get_addr())
            ways = [way for family in ANYWHERE for way in _ways(netlink, family)]
        except NetlinkError as error:
            raise OSError(error.code, str(error)) from None
    names = {link.number: link.name for link in links}
    return Links(
        {link.name: link for link in links}, addresses, frozenset(names[index] for index in ways if index in names)
    )


def _link(message: Any) -> Link:
    kind = message.get("linkinfo")
    return Link(
        message["index"],
        str(message.get("ifname")),
        str(message.get("address") or ""),
        message["flags"],
        str(kind.get("kind") or "") if kind else "",
        message.get("master") or 0,
    )


def _held(message: Any) -> Held:
    # IFA_LOCAL is ours where IFA_ADDRESS is the peer's; IPv6 has no IFA_LOCAL without a peer.
    address = str(message.get("local") or message.get("address"))
    flags = message.get("flags") or 0
    secondary = message["family"] == socket.AF_INET and bool(flags & IFA_F_SECONDARY)
    return Held(address, message["prefixlen"], message["index"], secondary, message["scope"])


def _ways(netlink: IPRoute, family: socket.AddressFamily) -> Iterator[int]:
    try:
        for message in netlink.route("get", family=family, dst=ANYWHERE[family]):
            if index := message.get("oif"):
                yield index
    except NetlinkError:  # there is none
        return
