"""The tap: one socket that hears VRRP's adverts and the answers for addresses on every interface, and asks for them."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import struct
from time import monotonic

from hachecks.wire import packet_filter
from hachecks.wire.addresses import mac_of
from hachecks.wire.frames import ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ETHERNET, Advert, Answer, read, request, solicitation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP, PACKET_STATISTICS, PACKET_IGNORE_OUTGOING = 1, 6, 23
OF_A_GROUP = 0
"""The kind of membership by which an interface takes in what is for a group."""
ETH_P_ALL = 3
LINK_ADDRESS = struct.Struct("=HHiHBB8s")
EVERYBODY = b"\xff" * 6
GROUPS = (bytes.fromhex("01005e000012"), bytes.fromhex("333300000012"))
"""VRRP's, of both families, as hardware addresses."""
MOST_HEARD = 1000
"""Packets that are read before something else is done: a segment may be full of them."""
BUFFER_BYTES = 1 << 20
"""Space for what comes while something else is done; the kernel may give less."""
OF_LINK, TENTATIVE = "20", 0x40
MOST_KNOWN = 1024
"""Packets whose meaning is remembered: a master says the same again and again."""


class Tap:
    """Hears what other nodes say on the segments of this one, and asks them.

    Making it needs CAP_NET_RAW, else it raises `PermissionError`; hearing and asking need nothing any more.
    """

    def __init__(self) -> None:
        # Of no protocol before it is filtered: nothing that passes by is to be in the way.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._socket.setblocking(False)
        self._known: dict[tuple[str, bytes, int, bytes], Advert | Answer | None] = {}
        try:
            packet_filter.attach(self._socket)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            self._ignore_outgoing()
            self._open()
        except OSError:
            self._socket.close()
            raise

    def _ignore_outgoing(self) -> None:
        """Cost nothing for what this node sends; the filter passes it over anyhow, but the kernel would copy it."""
        try:
            self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        except OSError:  # before Linux 4.20
            pass

    def _open(self) -> None:
        # `socket.bind` wants the name of an interface.
        every = LINK_ADDRESS.pack(socket.AF_PACKET, socket.htons(ETH_P_ALL), 0, 0, 0, 0, bytes(8))
        if ctypes.CDLL(None, use_errno=True).bind(self._socket.fileno(), every, len(every)):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def fileno(self) -> int:
        """The descriptor, which is readable when there is something to hear."""
        return self._socket.fileno()

    def join(self, interface: str) -> None:
        """Take in VRRP's multicast on an interface, where nobody else has it done; raises `OSError`."""
        index = socket.if_nametoindex(interface)
        for group in GROUPS:
            told = struct.pack("=iHH8s", index, OF_A_GROUP, len(group), group)
            self._socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, told)

    def ask(self, address: str, interface: str) -> None:
        """Ask who has an address; raises `OSError`."""
        mac = mac_of(interface)
        if ":" in address:
            wanted = socket.inet_pton(socket.AF_INET6, address)
            packet, protocol = solicitation(address, own_ipv6(interface), mac), ETH_P_IPV6
            group = b"\x33\x33\xff" + wanted[13:]
        else:
            packet, protocol, group = request(address, mac), ETH_P_ARP, EVERYBODY
        self._socket.sendto(packet, (interface, protocol, 0, ETHERNET, group))

    def hear(self, seconds: float) -> Iterator[Advert | Answer]:
        """What is said for so long; it ends before that when a segment is full of it."""
        until, left = monotonic() + seconds, MOST_HEARD
        while left > 0:
            try:
                data, origin = self._socket.recvfrom(packet_filter.MOST_BYTES)
            except BlockingIOError:
                if monotonic() >= until or not self._wait(until):
                    return
                continue
            except OSError:  # of an interface that has gone or is down
                left -= 1
                continue
            left -= 1
            said = self._said(data, origin[0], origin[1], origin[4])
            if said:
                yield said

    def _wait(self, until: float) -> bool:
        ready, _, _ = select.select([self._socket], (), (), max(0.0, until - monotonic()))
        return bool(ready)

    def _said(self, data: bytes, interface: str, protocol: int, mac: bytes) -> Advert | Answer | None:
        # IPv4 counts its packets, and sums that up: bytes 4 and 5, and 10 and 11.
        same = data[:4] + data[6:10] + data[12:] if protocol == ETH_P_IP else data
        key = (interface, mac, protocol, same)
        try:
            return self._known[key]
        except KeyError:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            said = self._known[key] = read(protocol, data, interface, mac)
            return said

    def lost(self) -> int:
        """Packets that the kernel had no space for since this was asked the last time."""
        _, dropped = struct.unpack("=II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        return int(dropped)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


def own_ipv6(interface: str) -> str:
    """The address by which this node speaks of itself to its neighbours; raises `OSError` where there is none.

    It is never "nobody": so asks who is about to take an address, and one who is about to as well would give way.
    """
    with open("/proc/net/if_inet6", encoding="ascii") as file:
        for line in file:
            address, _, _, scope, flags, name = line.split()
            if name == interface and scope == OF_LINK and not int(flags, 16) & TENTATIVE:
                return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address))
    raise OSError(errno.EADDRNOTAVAIL, "it has no link-local address of IPv6")
