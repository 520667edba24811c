"""Who has an address on the segment: asked by ARP, and by IPv6's neighbour solicitation."""

from __future__ import annotations

import select
import socket
import struct
from time import monotonic

from hachecks.wire.addresses import is_virtual, mac_of, own_macs
from hachecks.wire.frames import (
    ADVERTISEMENT,
    ARP,
    ETH_P_ARP,
    ETH_P_IP,
    ETHERNET,
    NOBODY,
    SOLICITATION,
    SOLICITED,
    SOURCE_LINK_ADDRESS,
    UNROUTED,
    link_address,
    request,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PACKET_OUTGOING = 4
ICMP6_FILTER = 1
ONLY_ADVERTISEMENTS = b"".join(
    struct.pack("=I", 0xFFFFFFFF & ~((1 << ADVERTISEMENT % 32) if word == ADVERTISEMENT // 32 else 0))
    for word in range(8)
)
EVERYBODY = b"\xff" * 6
MOST_AT_ONCE = 64
"""Addresses that are asked for at once."""
MOST_HEARD = 1000
"""Packets that are read before something else is done: a segment may be full of them."""
PACKET_BYTES = 1500


class Asker:
    """Asks for addresses, each on an interface, and hears who answers. Answers of our own do not count.

    Raises `PermissionError` where we lack CAP_NET_RAW.
    """

    def __init__(self, interfaces: Mapping[str, str]) -> None:
        """`interfaces` has the interface of each address."""
        self.interfaces = interfaces
        self.heard: dict[str, str] = {}
        self.trouble = ""
        self._own = own_macs()
        self._turn = 0
        self._arp = self._ndp = None
        families = {":" in address for address in interfaces}
        if False in families:
            self._arp = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ARP))
            self._arp.setblocking(False)
        if True in families:
            self._ndp = _solicitor()

    def ask(self, addresses: Iterable[str]) -> None:
        """Ask for some of them, at another time for the others."""
        waiting = list(addresses)
        start = self._turn % max(1, len(waiting))
        self._turn += MOST_AT_ONCE
        for address in (waiting[start:] + waiting[:start])[:MOST_AT_ONCE]:
            interface, asked = self.interfaces[address], self._ndp if ":" in address else self._arp
            try:
                if asked:
                    (_solicit if ":" in address else _request)(asked, address, interface)
            except OSError as error:
                self.trouble = f"{interface}: {error.strerror}"

    def hear(self, seconds: float) -> None:
        """Take in for so long who answers: `heard` has the hardware address of the last one for each address."""
        until = monotonic() + seconds
        sockets = [one for one in (self._arp, self._ndp) if one]
        left = MOST_HEARD
        while True:
            ready, _, _ = select.select(sockets, (), (), max(0.0, until - monotonic()))
            for one in ready:
                for address, mac in self._answers(one):
                    if address in self.interfaces and mac not in self._own:
                        self.heard[address] = mac.hex(":") if mac else "another node"
                left -= 1
            if not ready or left <= 0 or monotonic() >= until:
                return

    def _answers(self, one: socket.socket) -> Iterator[tuple[str, bytes]]:
        """What the next packet says: an address, and the hardware that has it."""
        try:
            if one is self._arp:
                data, origin = one.recvfrom(PACKET_BYTES)
                if origin[2] != PACKET_OUTGOING and len(data) >= ARP.size:
                    kind, protocol, size, length, _, mac, address, _, _ = ARP.unpack_from(data)
                    if (kind, protocol, size, length) == (ETHERNET, ETH_P_IP, 6, 4) and address != NOBODY:
                        yield socket.inet_ntoa(address), mac
                return
            data, ancillary, _, _ = one.recvmsg(PACKET_BYTES, socket.CMSG_SPACE(4))
        except OSError:  # of an interface that has gone
            return
        limits = [struct.unpack("=i", value)[0] for _, kind, value in ancillary if kind == socket.IPV6_HOPLIMIT]
        if limits == [UNROUTED] and len(data) >= 24 and data[0] == ADVERTISEMENT:
            yield socket.inet_ntop(socket.AF_INET6, data[8:24]), link_address(data[24:])

    def close(self) -> None:
        """Let go of the sockets."""
        for one in (self._arp, self._ndp):
            if one:
                one.close()


def interface_for(own: str, of_instance: str) -> str:
    """Where an address is asked for: on its own interface, where that is one, and not what VRRP makes for a master."""
    try:
        return of_instance if is_virtual(mac_of(own)) else own
    except OSError:
        return of_instance


def _request(asked: socket.socket, address: str, interface: str) -> None:
    asked.sendto(request(address, mac_of(interface)), (interface, ETH_P_ARP, 0, ETHERNET, EVERYBODY))


def _solicit(asked: socket.socket, address: str, interface: str) -> None:
    wanted = socket.inet_pton(socket.AF_INET6, address)
    group = socket.inet_ntop(socket.AF_INET6, SOLICITED + wanted[13:])
    packet = struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + wanted + SOURCE_LINK_ADDRESS + mac_of(interface)
    asked.sendto(packet, (group, 0, 0, socket.if_nametoindex(interface)))


def _solicitor() -> socket.socket:
    found = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    found.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, ONLY_ADVERTISEMENTS)
    found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, UNROUTED)
    found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    found.setblocking(False)
    return found
