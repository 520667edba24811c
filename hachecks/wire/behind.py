"""What of the adverts gets behind this node's firewall: sockets of VRRP's own protocol, shut but for a look.

While they are shut they are bound to the loopback address, as no socket of Keepalived's is, so that nobody takes them
for one (see `keepalived/process`).
"""

from __future__ import annotations

import contextlib
import socket

from hachecks.wire import packet_filter
from hachecks.wire.frames import VRRP

MOST_HEARD = 500
PACKET_BYTES = 128
"""The head of an advert says all that is wanted."""
LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
ANY = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - of what has no port


class BehindFirewall:
    """The sockets, of both families; making them needs CAP_NET_RAW, else it raises `PermissionError`."""

    def __init__(self) -> None:
        self.is_open = False
        self._sockets: list[socket.socket] = []
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                one = socket.socket(family, socket.SOCK_RAW, VRRP)
            except PermissionError:
                self.close()
                raise
            except OSError:  # a kernel without IPv6
                continue
            one.setblocking(False)
            self._sockets.append(one)
        self._shut()

    def open(self) -> None:
        """Hear from now on."""
        if not self.is_open:
            self.heard()
            self.is_open = True
            for one in self._sockets:
                one.bind((ANY[one.family], 0))
                packet_filter.attach(one, packet_filter.EVERYTHING)

    def shut(self) -> None:
        """Hear nothing any more."""
        if self.is_open:
            self._shut()

    def _shut(self) -> None:
        self.is_open = False
        for one in self._sockets:
            packet_filter.attach(one, packet_filter.NOTHING)
            with contextlib.suppress(OSError):  # of a network whose loopback is down
                one.bind((LOOPBACK[one.family], 0))

    def heard(self) -> set[tuple[str, int]]:
        """Who was heard since the last time, each with the id that it advertises."""
        found = set()
        for one in self._sockets:
            for _ in range(MOST_HEARD):
                try:
                    data, origin = one.recvfrom(PACKET_BYTES)
                except OSError:
                    break
                begin = (data[0] & 15) * 4 if one.family == socket.AF_INET and data else 0
                if len(data) > begin + 1:
                    found.add((str(origin[0]).partition("%")[0], data[begin + 1]))
        return found

    def close(self) -> None:
        """Let go of the sockets."""
        for one in self._sockets:
            one.close()
