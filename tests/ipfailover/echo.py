"""The service on the nodes, and the client that asks VIPs for it every 5 ms. Runs alone, by the standard library only.

    python echo.py answer NAME      on every address of the machine, with its name
    python echo.py ask VIP...       until SIGTERM; one line of JSON about all VIPs now and then, and one at the end

A request is lost if it is never answered; one that is answered late, as on a busy machine, is not.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import sys
import time
from contextlib import suppress

PORT = 7007
EVERY = 0.005
TOLD_EVERY = 20
PATIENCE = 10.0
"""Seconds in which an answer has come, if it comes."""
ROOM = 1 << 23
"""Bytes that wait for whoever is not scheduled."""
WHOLE_SECONDS = 1_000_000_000


def opened(family: socket.AddressFamily) -> socket.socket:
    found = socket.socket(family, socket.SOCK_DGRAM)
    for option in (32, 33):  # SO_SNDBUFFORCE and SO_RCVBUFFORCE, which root may
        found.setsockopt(socket.SOL_SOCKET, option, ROOM)
    return found


def answer(name: str) -> None:
    """Answer from the address that was asked, with what was asked and the name."""
    server = opened(socket.AF_INET6)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    server.bind(("::", PORT))
    print("serves", flush=True)
    while True:
        text, about, _, client = server.recvmsg(64, socket.CMSG_SPACE(20))
        asked = [(level, kind, bytes(data[:16]) + bytes(4)) for level, kind, data in about]
        # The address may have left in the meantime: then nobody is answered.
        with suppress(OSError):
            server.sendmsg([text + b" " + name.encode()], asked, 0, client)


class Asked:
    """A VIP, the requests to it that are not answered yet, and what has come of the others."""

    def __init__(self, vip: str) -> None:
        self.vip = vip
        self.socket = opened(socket.AF_INET6 if ":" in vip else socket.AF_INET)
        self.socket.connect((vip, PORT))
        self.socket.setblocking(False)
        self.waiting: dict[int, float] = {}
        self.answered = 0
        self.nodes: list[str] = []

    def ask(self, number: int) -> None:
        self.waiting[number] = time.monotonic()
        # What came of an earlier request is told here; the answer that is missing tells it as well.
        with suppress(OSError):
            self.socket.send(str(number).encode())

    def hear(self) -> None:
        with suppress(OSError):
            while True:
                number, _, node = self.socket.recv(64).decode().partition(" ")
                if self.waiting.pop(int(number), None) is not None:
                    self.answered += 1
                    if self.nodes[-1:] != [node]:
                        self.nodes.append(node)

    def told(self) -> dict[str, object]:
        return {"answered": self.answered, "waiting": len(self.waiting), "nodes": self.nodes}


def tell(vips: list[Asked], *, ended: bool) -> None:
    print(json.dumps({"ended": ended, "vips": {one.vip: one.told() for one in vips}}), flush=True)


def ask(names: list[str]) -> None:
    """Ask all VIPs every 5 ms until SIGTERM, then wait for what is still to come."""
    vips = [Asked(name) for name in names]
    by_socket = {one.socket: one for one in vips}
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    number, due = 0, time.monotonic()
    while not stopping:
        for one in vips:
            one.ask(number)
        number += 1
        # Who comes late asks on from there: a crowd of requests tells no more than one.
        due = max(due + EVERY, time.monotonic() - EVERY)
        hear(by_socket, due)
        if number % TOLD_EVERY == 0:
            tell(vips, ended=False)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and any(one.waiting for one in vips):
        hear(by_socket, min(end, time.monotonic() + EVERY))
    tell(vips, ended=True)


def hear(by_socket: dict[socket.socket, Asked], until: float) -> None:
    """Take answers until then."""
    left = until - time.monotonic()
    while left > 0:
        for ready in select.select(list(by_socket), [], [], left)[0]:
            by_socket[ready].hear()
        left = until - time.monotonic()


if __name__ == "__main__":
    role, *words = sys.argv[1:]
    if role == "answer":
        answer(words[0])
    else:
        ask(words)
