"""What is heard on the segment for a few adverts: who advertises, who answers, and what of it gets through to us."""

from __future__ import annotations

import socket
import struct
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.ipfailover.family import IPV4
from hachecks.ipfailover.pod.preflight.leaving import Leaving
from hachecks.wire.frames import Advert
from hachecks.wire.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from typing_extensions import Self

VRRP = 112
GROUPS = {4: "224.0.0.18", 6: "ff02::12"}
MOST_ADVERTS, MOST_ANSWERS = 1024, 8
"""Different adverts that are kept, and hardware addresses for one VIP: a segment may be full of them."""
AT_ONCE, ASK_EVERY = 128, 0.2
"""Addresses that are asked for at once, and seconds until the next are."""
HEAR_EVERY = 0.1
SETTLE = 0.1
"""Seconds in which a packet that the tap had gets through to a socket of IP, on a busy machine."""
MOST_PACKETS = 2000
SO_MEMINFO, DROPS = 55, 8
"""What the kernel counts of a socket, and where in that is what it had no space for (linux/sock_diag.h)."""
PACKET_BYTES = 2048


class Heard:
    """Adverts with their number, hardware addresses by the address that they answer for, and what came through.

    `received` has the source and id of each advert that a socket got as Keepalived's would, and `trouble` says why
    there is none of a family. `leaving` has the adverts that this node itself sends. `is_whole` is False where there
    was more than could be taken in: who is not in it may be there nevertheless.
    """

    def __init__(self) -> None:
        self.adverts: dict[Advert, int] = {}
        self.leaving: set[Advert] = set()
        self.answers: dict[str, set[str]] = {}
        self.received: set[tuple[str, int]] = set()
        self.trouble: list[str] = []
        self.is_whole = True

    def take_advert(self, advert: Advert) -> None:
        """Count it."""
        if advert in self.adverts or len(self.adverts) < MOST_ADVERTS:
            self.adverts[advert] = self.adverts.get(advert, 0) + 1
        else:
            self.is_whole = False

    def take_answer(self, address: str, mac: str) -> None:
        """Note who answers."""
        macs = self.answers.setdefault(address, set())
        if len(macs) < MOST_ANSWERS:
            macs.add(mac)


class Receiver:
    """Sockets of IP protocol 112 on an interface, in VRRP's group where that is wanted: what they get, Keepalived gets.

    Raises `PermissionError` without CAP_NET_RAW.
    """

    def __init__(self, interface: str, families: Iterable[int], heard: Heard, *, joins: bool) -> None:
        self._heard = heard
        self._sockets: dict[int, socket.socket] = {}
        for family in families:
            kind = socket.AF_INET if family == IPV4 else socket.AF_INET6
            one = self._sockets[family] = socket.socket(kind, socket.SOCK_RAW, VRRP)
            one.setblocking(False)
            try:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
                if joins:
                    _join(one, family, interface)
            except OSError as error:
                heard.trouble.append(f"{interface} cannot join {GROUPS[family]}, VRRP's group: {error.strerror}")

    def take(self) -> None:
        """Take in what has come."""
        for family, one in self._sockets.items():
            for _ in range(MOST_PACKETS):
                try:
                    data, origin = one.recvfrom(PACKET_BYTES)
                except OSError:  # nothing more, or the interface has gone
                    break
                at = (data[0] & 15) * 4 if family == IPV4 and data else 0
                if len(data) > at + 1:
                    self._heard.received.add((origin[0].partition("%")[0], data[at + 1]))

    def lost(self) -> bool:
        """Whether the kernel had no space for some of it."""
        memory = (one.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36) for one in self._sockets.values())
        return any(len(words) == 36 and struct.unpack("=9I", words)[DROPS] for words in memory)

    def close(self) -> None:
        """Let go of the sockets, and of the group."""
        for one in self._sockets.values():
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def hear(interface: str, families: Iterable[int], asked: Sequence[str], seconds: float, *, joins: bool) -> Heard:
    """Hear for so long, and ask for addresses meanwhile; raises `OSError`."""
    heard = Heard()
    # The socket is there before the tap: what that has and it has not was dropped on the way.
    with Receiver(interface, families, heard, joins=joins) as receiver, Leaving() as leaving:
        tap = Tap()
        try:
            tap.join(interface)
            _hear(tap, receiver, leaving, heard, interface, asked, seconds)
        finally:
            tap.close()
    return heard


def _hear(
    tap: Tap,
    receiver: Receiver,
    leaving: Leaving,
    heard: Heard,
    interface: str,
    asked: Sequence[str],
    seconds: float,
) -> None:
    wanted = set(asked)
    portions = _portions(asked)
    until = monotonic() + seconds
    ask_at = 0.0
    while (now := monotonic()) < until:
        if now >= ask_at:
            _ask(tap, next(portions), interface)
            ask_at = now + ASK_EVERY
        for said in tap.hear(min(HEAR_EVERY, until - now)):
            if said.interface != interface:
                continue
            if isinstance(said, Advert):
                heard.take_advert(said)
            elif said.address in wanted:
                heard.take_answer(said.address, said.mac)
        receiver.take()
        heard.leaving.update(said for said in leaving.take() if said.interface == interface)
    for _ in tap.hear(SETTLE):  # to wait
        pass
    receiver.take()
    heard.is_whole = heard.is_whole and not tap.lost() and not receiver.lost()


def _portions(asked: Sequence[str]) -> Iterator[Sequence[str]]:
    """Some of the addresses after others, round and round."""
    while True:
        yield asked[:AT_ONCE]
        for start in range(AT_ONCE, len(asked), AT_ONCE):
            yield asked[start : start + AT_ONCE]


def _ask(tap: Tap, addresses: Iterable[str], interface: str) -> None:
    for address in addresses:
        try:
            tap.ask(address, interface)
        except OSError:  # it is down, or has no address of the family: that is told
            continue


def _join(one: socket.socket, family: int, interface: str) -> None:
    index = socket.if_nametoindex(interface)
    if family == IPV4:
        member = struct.pack("=4s4si", socket.inet_aton(GROUPS[family]), bytes(4), index)
        one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    else:
        member = struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, GROUPS[family]), index)
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
