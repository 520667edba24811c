"""The kernel's filter (BPF) of what reaches the tap: answers for addresses and VRRP's adverts, and nothing else."""

from __future__ import annotations

import ctypes
import struct

from hachecks.wire.frames import ADVERTISEMENT, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ICMP6, MORE_FRAGMENTS, REPLY, VRRP

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    Program = tuple[tuple[str, int, int, str, str], ...]

SO_ATTACH_FILTER = 26
SOL_SOCKET = 1
WORD, HALF, BYTE = 0x20, 0x28, 0x30
"""Load from a place of the packet, which begins behind its Ethernet header."""
EQUAL, AT_LEAST, ANY_BIT, SAME = 0x15, 0x35, 0x45, 0x1D
AND, KEEP, RETURN = 0x54, 0x07, 0x06
BESIDE = 0xFFFFF000
"""What is not of the packet, but of the kernel's knowledge of it, begins here."""
PROTOCOL, KIND, VLAN = BESIDE, BESIDE + 4, BESIDE + 44
OF_OTHERS = 3
"""From this kind on a packet is another host's, our own, or a copy of it; below: to us, to all, to a group."""
MOST_BYTES = 4352
"""An advert of 255 IPv6 addresses is shorter."""

PROGRAM: Program = (
    # label, code, operand, where to when true, and when false; "" is the next line
    # What a busy node takes in most of is dropped first.
    ("", WORD, PROTOCOL, "", ""),
    ("", EQUAL, ETH_P_IP, "ipv4", ""),
    ("", EQUAL, ETH_P_IPV6, "ipv6", ""),
    ("", EQUAL, ETH_P_ARP, "", "drop"),
    # An answer, or an announcement: a question to oneself. The questions of a segment are many.
    ("", HALF, 6, "", ""),
    ("", EQUAL, REPLY, "whose", ""),
    ("", WORD, 14, "", ""),
    ("", KEEP, 0, "", ""),
    ("", WORD, 24, "", ""),
    ("", SAME, 0, "whose", "drop"),
    ("ipv4", BYTE, 9, "", ""),
    ("", EQUAL, VRRP, "", "drop"),
    ("", HALF, 6, "", ""),
    ("", ANY_BIT, MORE_FRAGMENTS, "drop", "whose"),
    ("ipv6", BYTE, 6, "", ""),
    ("", EQUAL, VRRP, "whose", ""),
    ("", EQUAL, ICMP6, "", "drop"),
    ("", BYTE, 40, "", ""),
    ("", EQUAL, ADVERTISEMENT, "", "drop"),
    ("whose", WORD, KIND, "", ""),
    ("", AT_LEAST, OF_OTHERS, "drop", ""),
    # The tap of an interface also hears what is of its VLANs; it is heard again, on the interface of that.
    ("", WORD, VLAN, "", ""),
    ("", ANY_BIT, 0xFFF, "drop", ""),
    ("", RETURN, MOST_BYTES, "", ""),
    ("drop", RETURN, 0, "", ""),
)
NOTHING: Program = (("", RETURN, 0, "", ""),)
EVERYTHING: Program = (("", RETURN, MOST_BYTES, "", ""),)
INSTRUCTION = struct.Struct("=HBBI")


def attach(tap: socket.socket, program: Program = PROGRAM) -> None:
    """Have only such packets reach a socket from now on; raises `OSError`."""
    code = assembled(program)
    kept = ctypes.create_string_buffer(code, len(code))
    told = struct.pack("HP", len(program), ctypes.addressof(kept))
    tap.setsockopt(SOL_SOCKET, SO_ATTACH_FILTER, told)


def assembled(program: Program) -> bytes:
    """The program as the kernel reads it."""
    places = {line[0]: number for number, line in enumerate(program) if line[0]}

    def jump(label: str, number: int) -> int:
        return places[label] - number - 1 if label else 0

    return b"".join(
        INSTRUCTION.pack(code, jump(true, number), jump(false, number), operand)
        for number, (_, code, operand, true, false) in enumerate(program)
    )
