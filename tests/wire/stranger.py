"""A program that says false things on a segment: what no tap may let in, a flood of adverts, or frames of VLANs."""

from __future__ import annotations

import socket
import struct
import sys

from tests.fuzz.seeds import FRAMES

ALL, ANOTHER = b"\xff" * 6, bytes.fromhex("020000000099")
ADVERT, NEIGHBOUR = FRAMES[2], FRAMES[4]


def summed(packet: bytes) -> bytes:
    """A packet of IPv4 with the right sum in its head, without which no bridge passes it on."""
    head = packet[:10] + b"\0\0" + packet[12:20]
    total: int = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return packet[:10] + (~(total + (total >> 16)) & 0xFFFF).to_bytes(2, "big") + packet[12:]


BROKEN = {
    "udp": (0x0800, summed(ADVERT[:9] + b"\x11" + ADVERT[10:]), ALL),
    "fragment": (0x0800, summed(ADVERT[:6] + b"\x20\0" + ADVERT[8:]), ALL),
    "udp of IPv6": (0x86DD, NEIGHBOUR[:6] + b"\x11" + NEIGHBOUR[7:], ALL),
    "solicitation": (0x86DD, NEIGHBOUR[:40] + b"\x87" + NEIGHBOUR[41:], ALL),
    "question": (0x0806, FRAMES[0][:7] + b"\1" + FRAMES[0][8:], ALL),
    "another protocol": (0x88B5, ADVERT, ALL),
    "nothing": (0x0806, b"", ALL),
    "for another": (0x0800, summed(ADVERT), ANOTHER),
}


def tagged(vlan: int, advert: bytes) -> bytes:
    """A whole frame, of a VLAN; 0 is none, and a priority alone."""
    return ALL + bytes.fromhex("020000000098") + struct.pack("!HHH", 0x8100, 0x6000 | vlan, 0x0800) + summed(advert)


def main(mode: str) -> None:
    """Say it on eth0."""
    out = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    if mode == "flood":
        number = 0
        while True:
            number = (number + 1) % 65536
            packet = summed(ADVERT[:21] + number.to_bytes(2, "big") + ADVERT[23:])
            try:
                out.sendto(packet, ("eth0", 0x0800, 0, 1, ALL))
            except OSError:  # there is no space for more
                pass
    elif mode == "tagged":
        for vlan, named in ((7, b"\x33"), (0, b"\x34")):
            raw.sendto(tagged(vlan, ADVERT[:21] + named + ADVERT[22:]), ("eth0", 0x8100))
    else:
        for _ in range(200):
            for protocol, packet, to in BROKEN.values():
                out.sendto(packet, ("eth0", protocol, 0, 1, to))
    out.sendto(summed(ADVERT), ("eth0", 0x0800, 0, 1, ALL))


if __name__ == "__main__":
    main(sys.argv[1])
