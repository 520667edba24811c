"""Adverts that leave this node: a Keepalived of it is master, in whatever pod it is."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

from hachecks.wire import frames, packet_filter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

ETH_P_ALL, PACKET_OUTGOING = 3, 4
MOST_PACKETS = 2000
LEAVING: tuple[tuple[str, int, int, str, str], ...] = (
    ("", packet_filter.WORD, packet_filter.KIND, "", ""),
    ("", packet_filter.EQUAL, PACKET_OUTGOING, "", "drop"),
    ("", packet_filter.WORD, packet_filter.PROTOCOL, "", ""),
    ("", packet_filter.EQUAL, frames.ETH_P_IP, "ipv4", ""),
    ("", packet_filter.EQUAL, frames.ETH_P_IPV6, "ipv6", "drop"),
    ("ipv4", packet_filter.BYTE, 9, "", ""),
    ("", packet_filter.EQUAL, frames.VRRP, "pass", "drop"),
    ("ipv6", packet_filter.BYTE, 6, "", ""),
    ("", packet_filter.EQUAL, frames.VRRP, "pass", "drop"),
    ("pass", packet_filter.RETURN, packet_filter.MOST_BYTES, "", ""),
    ("drop", packet_filter.RETURN, 0, "", ""),
)
"""The kernel's filter of adverts that leave this node."""


class Leaving:
    """Hears adverts on their way out, on each interface; raises `OSError`, `PermissionError` without CAP_NET_RAW."""

    def __init__(self) -> None:
        # What leaves is seen only by those who ask for all protocols.
        self._tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        packet_filter.attach(self._tap, LEAVING)

    def take(self, seconds: float = 0.0) -> Iterator[frames.Advert]:
        """Those that have left, or do so within so many seconds; who resigns is no master."""
        for _ in range(MOST_PACKETS):
            if not select.select([self._tap], (), (), seconds)[0]:
                return
            seconds = 0.0
            data, (interface, protocol, kind, _, mac) = self._tap.recvfrom(packet_filter.MOST_BYTES)
            said = frames.read(protocol, data, interface, mac) if kind == PACKET_OUTGOING else None
            if isinstance(said, frames.Advert) and said.priority:
                yield said

    def close(self) -> None:
        """Hear no more."""
        self._tap.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
