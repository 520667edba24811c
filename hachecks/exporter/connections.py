"""The connections of the exporter, so many and for so long that no neighbour can cost it much.

Idle connections once took all its files, and unfinished TLS handshakes its memory. Now there are at most so many; for a
new one the least wanted goes: one of the address that has most, that has never been answered as it wanted, the oldest.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import resource
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from hachecks.exporter.complaints import Complaints

    Make = Callable[[], asyncio.Protocol]

MAX_CONNECTIONS = 250
"""Connections, each of which takes 20 KiB; Prometheus, kubelet and a few browsers need some ten."""
MAX_TLS_CONNECTIONS = 32
"""Connections with TLS, each of which takes 300 KiB: asyncio reads into a buffer of 256 KiB."""
RESERVED_FILES = 48
"""Files that are kept for all but connections."""
HANDSHAKE_TIMEOUT = 5.0
"""Seconds for the handshake of TLS."""
REQUEST_TIMEOUT = 10.0
"""Seconds for a request to arrive, from the connection or the request's first byte on."""
KEEPALIVE_TIMEOUT = 120.0
"""Seconds for the next request to begin: Prometheus asks every minute at the latest."""
SEND_TIMEOUT = 30.0
"""Seconds for an answer to be taken."""
MAX_UNREAD_BYTES = 4 * 1024 * 1024
"""Bytes of answers, of all connections together, that wait to be taken: one of 255 VIPs is 260 kB uncompressed."""
SEND_BUFFER_BYTES = 64 * 1024
"""Bytes that the kernel keeps of an answer, where it would keep 4 MiB, and count it as the pod's memory."""
MAX_REQUEST_BYTES = 64 * 1024
"""Bytes of a request; ours have no body."""
ACCEPTS_AT_ONCE = 8
"""Connections that are taken before those that went for them have given back their files and memory."""
ACCEPT_PAUSE = 1.0
"""Seconds for which nobody is let in when there is a lack of files or memory."""
BACKLOG = 128
"""Connections that the kernel keeps until they are accepted."""


class Connection(asyncio.Protocol):
    """One connection, which aiohttp's protocol answers; times are monotonic seconds."""

    def __init__(self, all_: Connections, peer: str, handler: asyncio.Protocol) -> None:
        self.all = all_
        self.peer = peer
        self.handler = handler
        self.transport: asyncio.Transport | None = None
        self.arriving: asyncio.Task[None] | None = None
        self.since = time.monotonic()
        self.begun: float | None = self.since
        self.received = 0
        self.answer = 0
        self.has_begun = False
        self.is_welcome = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there, and its handshake done."""
        self.transport = cast("asyncio.Transport", transport)
        self.handler.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hand it on, while it can be a request."""
        self.received += len(data)
        if self.received > MAX_REQUEST_BYTES:
            self.all.complaints.add(
                "request", f"{self.peer} sent a request of more than {MAX_REQUEST_BYTES // 1024} KiB"
            )
            self.drop()
            return
        self.begun = time.monotonic() if self.begun is None else self.begun
        self.handler.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand it on."""
        return self.handler.eof_received()

    def pause_writing(self) -> None:
        """Hand it on."""
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        """Hand it on."""
        self.handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self.all.forget(self)
        self.handler.connection_lost(exc)

    def asks(self) -> None:
        """A whole request is there."""
        self.since, self.begun, self.received = time.monotonic(), None, 0

    @property
    def unread(self) -> int:
        """Bytes that are kept until the other side takes them: what is left to send, and the answer it is a part of."""
        left = self.transport.get_write_buffer_size() if self.transport and not self.transport.is_closing() else 0
        return left + self.answer if left else 0

    def is_late(self, now: float) -> bool:
        """Whether it has taken its time."""
        if self.begun is not None:
            return now > self.begun + REQUEST_TIMEOUT
        return now > self.since + (SEND_TIMEOUT if self.unread else KEEPALIVE_TIMEOUT)

    def drop(self) -> None:
        """End it now, whatever it is doing."""
        self.all.forget(self)
        if self.transport:
            self.transport.abort()
        if self.arriving:
            self.arriving.cancel()


class Connections:
    """All connections of all listeners; `make` gives the protocol that answers one."""

    def __init__(self, make: Make, tls: ssl.SSLContext | None, complaints: Complaints) -> None:
        self.make = make
        self.tls = tls
        self.complaints = complaints
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.most = max(2, min(MAX_TLS_CONNECTIONS if tls else MAX_CONNECTIONS, files - RESERVED_FILES))
        self.open: dict[asyncio.Protocol, Connection] = {}
        self.listening: list[socket.socket] = []

    def listen(self, listening: socket.socket) -> None:
        """Let in who connects to this socket."""
        self.listening.append(listening)
        asyncio.get_running_loop().add_reader(listening, self._let_in, listening)

    def _let_in(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:  # a lack of files or memory, which passes: accept would say so again at once
                self._pause(listening, error)
                return
            self._admit(connection, _network(address[0]))

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        self.complaints.add(
            "lack", f"nobody can connect: {error.strerror}; this is tried again every {ACCEPT_PAUSE:g} s"
        )
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        if self.open:
            self._least_wanted().drop()
        loop.call_later(ACCEPT_PAUSE, self._go_on, listening)

    def _go_on(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listening, self._let_in, listening)

    def _admit(self, accepted: socket.socket, peer: str) -> None:
        accepted.setblocking(False)
        while len(self.open) >= self.most:
            self._least_wanted().drop()
        handler = self.make()
        connection = self.open[handler] = Connection(self, peer, handler)
        connection.arriving = asyncio.ensure_future(self._arrive(connection, accepted))
        connection.arriving.add_done_callback(lambda _: self._give_back(connection, accepted))

    def _give_back(self, connection: Connection, accepted: socket.socket) -> None:
        """Close the socket of one that was dropped before it was begun with; any other one is its transport's."""
        connection.arriving = None
        if not connection.has_begun:
            accepted.close()

    async def _arrive(self, connection: Connection, accepted: socket.socket) -> None:
        connection.has_begun = True
        handshake: dict[str, Any] = {"ssl": self.tls, "ssl_handshake_timeout": HANDSHAKE_TIMEOUT} if self.tls else {}
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: connection, accepted, **handshake)
        except (OSError, MemoryError) as error:  # a client that speaks no TLS, or is gone, is no news
            if isinstance(error, MemoryError):
                self.complaints.add("lack", "there is not enough memory to let somebody in")
        finally:
            if connection.transport is None:
                self.forget(connection)

    def _least_wanted(self) -> Connection:
        return max(self.open.values(), key=self._order())

    def _order(self) -> Callable[[Connection], tuple[int, bool, float]]:
        """What is greatest of the least wanted connection."""
        counts = Counter(one.peer for one in self.open.values())
        return lambda one: (counts[one.peer], not one.is_welcome, -one.since)

    def of(self, handler: object) -> Connection | None:
        """The connection that this protocol answers."""
        return self.open.get(handler)  # type: ignore[call-overload,no-any-return]

    def forget(self, connection: Connection) -> None:
        """It is no more."""
        self.open.pop(connection.handler, None)

    def sweep(self) -> None:
        """End what takes too long; to be called every second."""
        now = time.monotonic()
        for one in list(self.open.values()):
            if one.is_late(now):
                one.drop()
        self.relieve()

    def relieve(self) -> None:
        """End those whose answers fill the memory, and are not taken; one may have a large answer all the same.

        With 1,000 checks a single uncompressed answer, and what is left of it to send, are more than 4 MiB.
        """
        slow = {one: one.unread for one in self.open.values() if one.unread}
        total = sum(slow.values())
        for one in sorted(slow, key=self._order(), reverse=True)[:-1]:
            if total <= MAX_UNREAD_BYTES:
                return
            total -= slow[one]
            one.drop()

    def close(self) -> None:
        """Let in nobody any more."""
        for listening in self.listening:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()


def bound(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on a host's addresses, all there are when it is empty; raises `OSError`."""
    found: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in _addresses(host, port):
            with contextlib.ExitStack() as failing:
                one = socket.socket(family, kind, protocol)
                failing.callback(one.close)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
                one.setblocking(False)
                one.bind(address)
                one.listen(BACKLOG)
                failing.pop_all()
                found.append(one)
    except OSError:
        for one in found:
            one.close()
        raise
    return found


def _addresses(host: str, port: int) -> list[tuple[Any, ...]]:
    flags = socket.AI_PASSIVE
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
    families = [one for one in found if host or _has(one[0])]
    return list(dict.fromkeys(families))


def _has(family: int) -> bool:
    """Whether the kernel has it: IPv6 can be switched off."""
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


def _network(address: str) -> str:
    """What counts as one neighbour: an IPv4 address, or the 64 bits of IPv6 that a host chooses its addresses in."""
    plain = ipaddress.ip_address(address.partition("%")[0])
    if plain.version == 4:
        return str(plain)
    return str(plain.ipv4_mapped or ipaddress.ip_network((plain, 64), strict=False))
