"""How does a probe reach its target? The one place that opens, binds and wraps sockets."""

from __future__ import annotations

import _thread
import errno
import socket
from io import BufferedReader, BufferedRWPair, RawIOBase

from hachecks.deadline import TimedOut
from hachecks.proxy_protocol import proxy_header
from hachecks.settings import option, settings
from hachecks.target import Ip, Target, family_of
from hachecks.verdict import CannotLook, Failure, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from typing import Any, Literal, TypeVar

    from hachecks.deadline import Deadline

    Address = tuple[socket.AddressFamily, tuple[Any, ...]]
    T = TypeVar("T")

SO_BINDTODEVICE = 25
SO_MARK = 36
ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses that are nobody's (RFC 5737 and 3849), so the way to them is the default route."""


@settings
class NetworkOptions:
    """The way to the target, the same for every probe that has one."""

    heading = "The way to the target"

    connect_to: Target | None = option(
        default=None,
        metavar="ADDR[:PORT]",
        help="Connect there instead; the Host header and the TLS server name stay. Also unix:/PATH.",
    )
    source: Ip | None = option(default=None, metavar="ADDR", help="Connect from this address of the node.")
    interface: str | None = option(
        default=None, metavar="NAME", help="Connect through this interface (needs CAP_NET_RAW)."
    )
    mark: int | None = option(
        default=None, metavar="N", help="Set this firewall mark on the packets (needs CAP_NET_ADMIN)."
    )
    ipv4: bool = option(default=False, short="-4", help="Use IPv4 only.")
    ipv6: bool = option(default=False, short="-6", help="Use IPv6 only.")
    proxy_protocol: Literal["v1", "v2"] | None = option(
        default=None, help="Introduce the connection with a PROXY protocol header, as a load balancer does."
    )

    def validate_network(self) -> None:
        """Refuse what contradicts itself."""
        if self.ipv4 and self.ipv6:
            raise ValueError("--ipv4 and --ipv6 exclude each other")

    def connect(self, target: Target, deadline: Deadline) -> Stream:
        """A stream to the target, or to `--connect-to`; raises `Failure`, `CannotLook` or `TimedOut`.

        The addresses of a name are tried in the resolver's order, each with its share of the time left.
        """
        goal = self._goal(target)
        if goal.path:
            return self._connect_one((socket.AF_UNIX, (goal.path,)), str(goal), deadline)
        addresses = self._resolve(goal, socket.SOCK_STREAM, deadline)
        for number, address in enumerate(addresses[:-1]):
            try:
                stream = self._connect_one(address, str(goal), deadline.share(len(addresses) - number))
            except Failure:
                continue
            stream.deadline = deadline  # the share was for connecting
            return stream
        return self._connect_one(addresses[-1], str(goal), deadline)

    def datagrams(self, target: Target, deadline: Deadline) -> Stream:
        """A connected UDP socket to the target; raises as `connect` does."""
        goal = self._goal(target)
        family, address = self._resolve(goal, socket.SOCK_DGRAM, deadline)[0]
        sock = self._socket(family, socket.SOCK_DGRAM)
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            raise explained(error, str(goal), "be reached") from None
        return Stream(sock, deadline, str(goal))

    def own_address(self) -> str:
        """The address from which this node talks to others through these options; raises `CannotLook`.

        Connecting a UDP socket makes the kernel choose the source address for a route, and sends nothing.
        """
        unreachable = None
        for family, elsewhere in ELSEWHERE.items():
            if (family == socket.AF_INET6 and self.ipv4) or (family == socket.AF_INET and self.ipv6):
                continue
            try:
                with self._socket(family, socket.SOCK_DGRAM) as sock:
                    sock.connect((elsewhere, 9))
                    return str(sock.getsockname()[0])
            except OSError as error:
                unreachable = error
        why = unreachable.strerror if unreachable else "no route"
        raise CannotLook(f"this node's own address cannot be told ({why}); give --address")

    def _goal(self, target: Target) -> Target:
        instead = self.connect_to
        if instead is None:
            return target
        return Target(instead.host, target.port if instead.port is None else instead.port, instead.path)

    def _resolve(self, goal: Target, kind: socket.SocketKind, deadline: Deadline) -> list[Address]:
        family = socket.AF_INET if self.ipv4 else socket.AF_INET6 if self.ipv6 else socket.AF_UNSPEC
        literal = family_of(goal.host)
        if literal is not None and family not in (socket.AF_UNSPEC, literal):
            raise CannotLook(f"{goal.host} is not an {'IPv4' if self.ipv4 else 'IPv6'} address")
        with deadline.during("resolve"):
            return resolve(goal.host, goal.port or 0, family, kind, deadline, literal)

    def _connect_one(self, address: Address, where: str, deadline: Deadline) -> Stream:
        sock = self._socket(address[0], socket.SOCK_STREAM)
        try:
            with deadline.during("connect"):
                sock.settimeout(deadline.remaining())
                sock.connect(address[1] if address[0] != socket.AF_UNIX else address[1][0])
                if address[0] != socket.AF_UNIX and sock.getsockname() == sock.getpeername():
                    # A closed port of this node in the ephemeral range: the kernel connected the socket to itself.
                    raise Failure(f"{where} refused the connection (it would only have met itself)")
        except (socket.timeout, TimedOut):
            sock.close()
            raise Failure(f"{where} did not accept the connection within {in_words(deadline.seconds)}") from None
        except OSError as error:
            sock.close()
            raise explained(error, where, "be connected to") from None
        except Failure:
            sock.close()
            raise
        stream = Stream(sock, deadline, where)
        if self.proxy_protocol is not None:
            stream.sendall(proxy_header(self.proxy_protocol, sock))
        return stream

    def _socket(self, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        sock = socket.socket(family, kind)
        if family == socket.AF_UNIX:
            return sock
        try:
            for what, set_it in self._preparations(sock):
                step = what
                set_it()
        except OSError as error:
            sock.close()
            raise CannotLook(f"cannot {step}: {error.strerror}") from None
        return sock

    def _preparations(self, sock: socket.socket) -> Iterator[tuple[str, Callable[[], object]]]:
        if self.interface is not None:
            name = self.interface.encode()
            yield f"use interface {self.interface}", lambda: sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, name)
        if self.mark is not None:
            mark = self.mark
            yield f"set mark {mark}", lambda: sock.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        if self.source is not None:
            source = str(self.source)
            yield f"connect from {source}", lambda: sock.bind((source, 0))


def resolve(
    host: str,
    port: int,
    family: int,
    kind: socket.SocketKind,
    deadline: Deadline,
    literal: socket.AddressFamily | None = None,
) -> list[Address]:
    """The addresses of a host, in the resolver's order; raises `CannotLook`.

    getaddrinfo(3) knows no deadline (20 s with two dead name servers), so it runs in a thread that may be abandoned.
    """
    if literal is not None and "%" not in host:
        return [(literal, (host, port))]
    found: list[Any] = []
    done = _thread.allocate_lock()
    done.acquire()

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, family, kind))
        except (OSError, UnicodeError) as error:
            found.append(error)
        finally:
            done.release()

    _thread.start_new_thread(look_up, ())
    if not done.acquire(timeout=deadline.remaining()):
        raise CannotLook(f"{host} was not resolved within {in_words(deadline.seconds)}")
    answer = found[0]
    if isinstance(answer, Exception):
        raise CannotLook(f"{host} does not resolve: {getattr(answer, 'strerror', None) or answer}")
    return [(entry[0], entry[4]) for entry in answer]


class Stream:
    """A connected socket whose every operation ends by the deadline, raising `TimedOut` or `Failure`."""

    def __init__(self, sock: socket.socket, deadline: Deadline, where: str) -> None:
        self.sock: socket.socket = sock
        self.deadline = deadline
        self.where = where

    def recv(self, size: int) -> bytes:
        """What has arrived, at most so many bytes; empty at the end."""
        return self._within(lambda: self.sock.recv(size))

    def recv_into(self, buffer: memoryview | bytearray) -> int:
        """Fill the buffer's beginning with what has arrived; 0 at the end."""
        return self._within(lambda: self.sock.recv_into(buffer))

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        self._within(lambda: self.sock.sendall(data))

    def _within(self, operation: Callable[[], T]) -> T:
        try:
            self.sock.settimeout(self.deadline.remaining())
            return operation()
        except socket.timeout:
            raise TimedOut from None
        except OSError as error:
            raise explained(error, self.where, "be talked to") from None

    def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Continue in TLS, the handshake within the deadline; raises `Failure` with what OpenSSL says."""
        with self.deadline.during("tls"):
            self.sock = self._within(lambda: context.wrap_socket(self.sock, server_hostname=server_name or None))

    def makefile(self, mode: str = "rwb", *_: Any, **__: Any) -> BufferedReader | BufferedRWPair:
        """A buffered binary file over the stream, as the SQL drivers want one."""
        raw = _Raw(self)
        return BufferedRWPair(raw, raw) if "w" in mode else BufferedReader(raw)

    def settimeout(self, _seconds: float | None) -> None:
        """Nothing: a driver's timeout is no deadline, and the stream has one."""

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Raw(RawIOBase):
    """A `Stream` as the raw file under a buffer."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.stream.recv_into(buffer)

    def write(self, data: Any) -> int:
        self.stream.sendall(bytes(data))
        return len(data)


REFUSALS = {
    errno.ECONNREFUSED: "{} refused the connection",
    errno.ECONNRESET: "{} reset the connection",
    errno.ECONNABORTED: "{} broke off the connection",
    errno.EPIPE: "{} closed the connection",
    errno.EHOSTUNREACH: "{} cannot be reached: no route to host",
    errno.ENETUNREACH: "{} cannot be reached: no route to its network",
    errno.ENOENT: "{} does not exist",
}
OUR_OWN = {errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}


def explained(error: OSError, where: str, what: str) -> Failure | CannotLook:
    """The operating system's error as a reason, and as our inability where it is ours."""
    if type(error).__name__.startswith("SSL"):  # its errno is not the operating system's
        said = getattr(error, "verify_message", None) or getattr(error, "reason", None) or str(error)
        return Failure(f"{where}: TLS failed: {said}")
    if error.errno in REFUSALS:
        return Failure(REFUSALS[error.errno].format(where))
    said = error.strerror or str(error)
    kind = CannotLook if error.errno in OUR_OWN else Failure
    return kind(f"{where} cannot {what}: {said}")
