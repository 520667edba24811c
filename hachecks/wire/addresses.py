"""The addresses that this node has, as the kernel tells at once, and those of its interfaces' hardware."""

from __future__ import annotations

import fcntl
import socket
import struct

RTM_NEWADDR, RTM_GETADDR, NLMSG_DONE, NLMSG_ERROR = 20, 22, 3, 2
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
IFA_ADDRESS, IFA_LOCAL = 1, 2
SIOCGIFHWADDR = 0x8927
HEADER, OF_ADDRESS = struct.Struct("=IHHII"), struct.Struct("=BBBBI")
VIRTUAL = (b"\0\0\x5e\0\1", b"\0\0\x5e\0\2")
PATIENCE = 5.0
"""Seconds that only a kernel in trouble needs."""


def here() -> set[str]:
    """Every address of this node, in the form in which `ipaddress` writes it; raises `OSError`."""
    found: set[str] = set()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.settimeout(PATIENCE)
        netlink.send(HEADER.pack(24, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + OF_ADDRESS.pack(0, 0, 0, 0, 0))
        while True:
            for kind, message in _parts(netlink.recv(65536), HEADER.size):
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    return found
                if kind == RTM_NEWADDR:
                    family = message[0]
                    attributes = dict(_attributes(message[OF_ADDRESS.size :]))
                    data = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS)
                    if data and family in (socket.AF_INET, socket.AF_INET6):
                        found.add(socket.inet_ntop(family, data))


def _parts(data: bytes, size: int) -> list[tuple[int, bytes]]:
    """The messages of a datagram, each with its kind."""
    found = []
    while len(data) >= size:
        length, kind = HEADER.unpack_from(data)[:2]
        if length < size:
            break
        found.append((kind, data[size:length]))
        data = data[(length + 3) & ~3 :]
    return found


def _attributes(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found.append((kind, data[4:length]))
        data = data[(length + 3) & ~3 :]
    return found


def own_macs() -> set[bytes]:
    """The hardware addresses of this node's interfaces, but those that VRRP moves among nodes."""
    found = set()
    for _, name in socket.if_nameindex():
        try:
            found.add(mac_of(name))
        except OSError:  # it is gone
            continue
    return {mac for mac in found if not is_virtual(mac)}


def is_virtual(mac: bytes) -> bool:
    """Whether a hardware address is one that VRRP gives to whoever is master (RFC 5798, 7.3)."""
    return mac.startswith(VIRTUAL)


def mac_of(interface: str) -> bytes:
    """The hardware address of an interface; raises `OSError`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        return bytes(fcntl.ioctl(asked, SIOCGIFHWADDR, struct.pack("16s24x", interface.encode())))[18:24]
