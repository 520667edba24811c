"""The packets of a segment that matter to VIPs, read from their bytes: VRRP's adverts, and who answers for an address.

Whoever is on the segment writes them: nothing raises, and what is cut off or contradicts itself is None.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address
from typing import NamedTuple

ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = 0x0800, 0x0806, 0x86DD
ETHERNET = 1
ARP = struct.Struct("!HHBBH6s4s6s4s")
REQUEST, REPLY = 1, 2
SOLICITATION, ADVERTISEMENT, TARGET_LINK_ADDRESS = 135, 136, 2
SOLICITED = b"\xff\x02" + bytes(9) + b"\x01\xff"
"""The group in which a node is that has an address: with the last three bytes of that."""
SOURCE_LINK_ADDRESS = b"\x01\x01"
WAS_ASKED = 0x40
"""The flag of an advertisement that answers a solicitation."""
UNROUTED = 255
"""The hop limit of what no router has passed on (RFC 4861); anything less is not of the segment."""
NOBODY = bytes(4)
ICMP6, VRRP = 58, 112
MORE_FRAGMENTS = 0x3FFF
VERSIONS = (2, 3)
BY_PASSWORD, PASSWORD = 1, 8
"""The type of authentication of VRRP 2 by a password, and the bytes that it has (RFC 2338, 5.3.6)."""
MULTICAST = {4: range(224, 240), 16: range(255, 256)}
"""How an address of a group begins, by the bytes that an address has."""


class Advert(NamedTuple):
    """What a master says of an instance: of version 2 (RFC 3768) or 3 (RFC 9568), in its own words.

    `source` and `destination` are addresses, `mac` is the hardware it came from, `advert_interval` is in seconds, and
    `auth_type` is 0 for none; a password goes in the clear. A master that resigns has the priority 0. CARP has the same
    protocol and looks like version 2, with addresses that make no sense.
    """

    interface: str
    mac: str
    source: str
    destination: str
    family: str
    version: int
    id: int
    priority: int
    addresses: tuple[str, ...]
    advert_interval: float
    auth_type: int
    password: bytes = b""

    @property
    def is_multicast(self) -> bool:
        """Whether it was sent to the group, and not to one peer."""
        return ip_address(self.destination).is_multicast


class Answer(NamedTuple):
    """Somebody says that he has an address; `asked` is whether he was asked, as far as can be told."""

    interface: str
    mac: str
    address: str
    asked: bool


def read(protocol: int, data: bytes, interface: str, mac: bytes) -> Advert | Answer | None:
    """What a packet says; `protocol` is what its Ethernet frame calls it, and `data` begins behind that."""
    if protocol == ETH_P_ARP:
        return _arp(data, interface)
    if protocol == ETH_P_IP:
        return _ipv4(data, interface, mac)
    if protocol == ETH_P_IPV6 and len(data) >= 40 and data[0] >> 4 == 6:
        return _ipv6(data, interface, mac)
    return None


def _arp(data: bytes, interface: str) -> Answer | None:
    if len(data) < ARP.size:
        return None
    kind, protocol, size, length, operation, mac, address, _, wanted = ARP.unpack_from(data)
    if (kind, protocol, size, length) != (ETHERNET, ETH_P_IP, 6, 4) or address == NOBODY:
        return None
    return Answer(interface, mac.hex(":"), socket.inet_ntoa(address), operation == REPLY and address != wanted)


def _ipv4(data: bytes, interface: str, mac: bytes) -> Advert | None:
    if len(data) < 20 or data[0] >> 4 != 4:
        return None
    begin, (whole, fragment) = (data[0] & 15) * 4, struct.unpack_from("!HxxH", data, 2)
    if not 20 <= begin <= whole <= len(data) or fragment & MORE_FRAGMENTS or data[9] != VRRP:
        return None
    return _advert(data[begin:whole], data[12:16], data[16:20], data[8], interface, mac)


def _ipv6(data: bytes, interface: str, mac: bytes) -> Advert | Answer | None:
    end = 40 + int.from_bytes(data[4:6], "big")
    if end > len(data):
        return None
    if data[6] == VRRP:
        return _advert(data[40:end], data[8:24], data[24:40], data[7], interface, mac)
    if data[6] == ICMP6 and data[7] == UNROUTED and end >= 64 and data[40] == ADVERTISEMENT:
        given = link_address(data[64:end]) or mac
        return Answer(
            interface, given.hex(":"), socket.inet_ntop(socket.AF_INET6, data[48:64]), bool(data[44] & WAS_ASKED)
        )
    return None


def _advert(data: bytes, source: bytes, destination: bytes, limit: int, interface: str, mac: bytes) -> Advert | None:
    if len(data) < 8 or data[0] >> 4 not in VERSIONS or data[0] & 15 != 1:
        return None
    size = len(source)
    end = 8 + data[3] * size
    if end > len(data) or (destination[0] in MULTICAST[size] and limit != UNROUTED):
        return None
    family, version = (socket.AF_INET if size == 4 else socket.AF_INET6), data[0] >> 4
    said = int.from_bytes(data[4:6], "big")
    return Advert(
        interface=interface,
        mac=mac.hex(":"),
        source=socket.inet_ntop(family, source),
        destination=socket.inet_ntop(family, destination),
        family="ipv4" if size == 4 else "ipv6",
        version=version,
        id=data[1],
        priority=data[2],
        addresses=tuple(socket.inet_ntop(family, data[at : at + size]) for at in range(8, end, size)),
        advert_interval=float(data[5]) if version == 2 else (said & 0xFFF) / 100,
        auth_type=data[4] if version == 2 else 0,
        password=data[end : end + PASSWORD].rstrip(b"\0") if version == 2 and data[4] == BY_PASSWORD else b"",
    )


def link_address(options: bytes) -> bytes:
    """The hardware address in the options of a neighbour's advertisement; empty without one."""
    while len(options) >= 8 and options[1]:
        if options[0] == TARGET_LINK_ADDRESS:
            return options[2:8]
        options = options[8 * options[1] :]
    return b""


def solicitation(address: str, source: str, mac: bytes) -> bytes:
    """The IPv6 packet that asks for an address, in the name of one of our own on the same interface."""
    wanted, own = socket.inet_pton(socket.AF_INET6, address), socket.inet_pton(socket.AF_INET6, source)
    group = SOLICITED + wanted[13:]
    asked = struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + wanted + SOURCE_LINK_ADDRESS + mac
    checked = own + group + struct.pack("!IxxxB", len(asked), ICMP6) + asked
    asked = asked[:2] + struct.pack("!H", _checksum(checked)) + asked[4:]
    return struct.pack("!IHBB", 6 << 28, len(asked), ICMP6, UNROUTED) + own + group + asked


def request(address: str, mac: bytes) -> bytes:
    """The ARP packet that asks for an address, from nobody, as a probe: no neighbour's cache is changed (RFC 5227)."""
    return ARP.pack(ETHERNET, ETH_P_IP, 6, 4, REQUEST, mac, NOBODY, bytes(6), socket.inet_aton(address))


def _checksum(data: bytes) -> int:
    """The internet's (RFC 1071), of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
