"""Connections: the one place that opens, binds and wraps sockets, and resolves names."""

from __future__ import annotations

import _thread
import errno
import fcntl
import struct
import sys

from hachecks.deadline import TimedOut
from hachecks.net.proxy_protocol import proxy_header
from hachecks.net.target import Ip, Resolved, Target, family_of
from hachecks.settings import option, settings
from hachecks.verdict import CannotLook, Failure, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Literal, TypeVar

    from hachecks.deadline import Deadline
    from hachecks.net.handshake import Handshake

    Address = tuple[socket.AddressFamily, Any]
    T = TypeVar("T")
else:
    import _socket as socket  # `socket` costs 26 M instructions, more than the bare interpreter

SO_BINDTODEVICE = 25
SO_MARK = 36
MAX_MARK = 2**32 - 1
MAX_PEEK_BYTES = 256
FIONREAD = 0x541B
NOTHING = bytes(4)
"""No bytes to be read, as ioctl_tty(2) says it."""


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
        if self.source is not None and self._family != family_of(str(self.source)):
            raise ValueError(f"--source {self.source} is not an {self._version} address")
        if self.mark is not None and self.mark > MAX_MARK:
            raise ValueError(f"--mark is at most {MAX_MARK}")

    def connect(self, target: Target, deadline: Deadline) -> Stream:
        """A stream to the target, or to `--connect-to`; raises `Failure`, `CannotLook` or `TimedOut`.

        The addresses of a name are tried in the resolver's order, each with its share of the time left.
        """
        goal = self._goal(target)
        where = str(goal)
        addresses = self._resolve(goal, socket.SOCK_STREAM, deadline)
        complaints: list[Failure | CannotLook] = []
        for number, address in enumerate(addresses):
            try:
                with deadline.during("connect"):
                    sock = self._connect_one(address, where, deadline.share(len(addresses) - number))
                return Stream(sock, deadline, where)
            except (Failure, CannotLook) as complaint:
                complaints.append(complaint)
        raise together(complaints)

    def addresses(self, target: Target, deadline: Deadline) -> list[Resolved]:
        """Each address of the target, or of `--connect-to`, in the resolver's order; raises as `connect` does."""
        goal = self._goal(target)
        found = self._resolve(goal, socket.SOCK_STREAM, deadline)
        return [Resolved(goal.host if goal.family else _with_zone(*name), goal.port) for _, name in found]

    def datagrams(self, target: Target, deadline: Deadline) -> Stream:
        """A connected UDP socket to the target; raises as `connect` does."""
        goal = self._goal(target)
        family, address = self._resolve(goal, socket.SOCK_DGRAM, deadline)[0]
        sock = self.open_socket(family, socket.SOCK_DGRAM)
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            raise explained(error, str(goal), "be reached") from None
        return Stream(sock, deadline, str(goal))

    def open_socket(self, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
        """A socket that is bound and marked as the options say; raises `CannotLook`."""
        sock = None
        step = "open a socket"
        try:
            sock = socket.socket(family, kind)
            if (self.interface or self.mark is not None or self.source) and family != socket.AF_UNIX:
                for what, set_it in self._preparations(sock):
                    step = what
                    set_it()
        except OSError as error:
            if sock is not None:
                sock.close()
            raise CannotLook(f"cannot {step}: {error.strerror}") from None
        return sock

    def _goal(self, target: Target) -> Target:
        instead = self.connect_to
        if instead is None or isinstance(target, Resolved):
            return target
        return Target(instead.host, target.port if instead.port is None else instead.port, instead.path)

    @property
    def _family(self) -> socket.AddressFamily:
        if self.ipv4 or self.ipv6:
            return socket.AF_INET if self.ipv4 else socket.AF_INET6
        return (self.source and family_of(str(self.source))) or socket.AF_UNSPEC

    @property
    def _version(self) -> str:
        return "IPv4" if self._family == socket.AF_INET else "IPv6"

    def _resolve(self, goal: Target, kind: socket.SocketKind, deadline: Deadline) -> list[Address]:
        if goal.path:
            return [(socket.AF_UNIX, goal.path)]
        literal = goal.family
        if literal is not None:
            if (self.ipv4 or self.ipv6 or self.source) and self._family != literal:
                raise CannotLook(f"{goal.host} is not an {self._version} address")
            if "%" not in goal.host:
                deadline.phases.setdefault("resolve", 0.0)
                return [(literal, (goal.host, goal.port or 0))]
        with deadline.during("resolve"):
            return resolve(goal.host, goal.port or 0, self._family, kind, deadline)

    def _connect_one(self, address: Address, where: str, share: Deadline) -> socket.socket:
        sock = self.open_socket(address[0], socket.SOCK_STREAM)
        try:
            self._reach(sock, address[1], share.remaining())
        except (socket.timeout, BlockingIOError, TimedOut):
            sock.close()
            told = f"{where} did not accept the connection within {in_words(share.seconds)}"
            raise Failure(told, "timeout") from None
        except OSError as error:
            sock.close()
            raise explained(error, where, "be connected to") from None
        return sock

    def _reach(self, sock: socket.socket, address: Any, seconds: float) -> None:
        """Connect, and say who we are; raises `OSError`."""
        if sock.family == socket.AF_UNIX:
            # Only a socket that blocks waits for room in the listen queue, as TCP does by itself: unix(7), EAGAIN.
            patience = struct.pack("ll", *divmod(max(1, int(seconds * 1e6)), 10**6))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
            sock.connect(address)
        else:
            sock.settimeout(seconds)
            sock.connect(address)
            if sock.getsockname()[1] == address[1] and sock.getsockname() == sock.getpeername():
                # A closed port of this node in the ephemeral range: the kernel connected the socket to itself.
                raise ConnectionRefusedError(errno.ECONNREFUSED, "it would only have met itself")
        if self.proxy_protocol is not None:
            sock.sendall(proxy_header(self.proxy_protocol, sock))

    def _preparations(self, sock: socket.socket) -> Iterator[tuple[str, Callable[[], object]]]:
        if self.interface is not None:
            name = self.interface.encode()
            yield f"use interface {self.interface}", lambda: sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, name)
        if self.mark is not None:
            mark = self.mark.to_bytes(4, sys.byteorder)  # as bytes: the kernel's is unsigned
            yield f"set mark {self.mark}", lambda: sock.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        if self.source is not None:
            source = str(self.source)
            yield f"connect from {source}", lambda: sock.bind((source, 0))


def together(complaints: Sequence[Failure | CannotLook]) -> Failure | CannotLook:
    """What was wrong with several addresses: a FAIL where one of them failed."""
    worst = next((complaint for complaint in complaints if isinstance(complaint, Failure)), complaints[0])
    return type(worst)("; ".join(dict.fromkeys(map(str, complaints))), worst.kind)


def _with_zone(host: str, port: int, flow: int = 0, zone: int = 0) -> str:  # noqa: ARG001 - as getaddrinfo has it
    return f"{host}%{zone}" if zone else host


def resolve(host: str, port: int, family: int, kind: socket.SocketKind, deadline: Deadline) -> list[Address]:
    """The addresses of a host, in the resolver's order; raises `CannotLook`.

    getaddrinfo(3) knows no deadline (20 s with two dead name servers), so it runs in a thread that may be abandoned.
    """
    name = host.encode() if host.isascii() else host  # a str is put through Python's IDNA, 2 ms to import
    found: list[Any] = []
    done = _thread.allocate_lock()
    done.acquire()

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(name, port, family, kind))
        except (OSError, UnicodeError) as error:
            found.append(error)
        finally:
            done.release()

    _thread.start_new_thread(look_up, ())
    if not done.acquire(timeout=deadline.remaining()):
        raise CannotLook(f"{host} was not resolved within {in_words(deadline.seconds)}", "dns")
    answer = found[0]
    if isinstance(answer, Exception):
        raise CannotLook(f"{host} does not resolve: {getattr(answer, 'strerror', None) or answer}", "dns")
    return [(entry[0], entry[4]) for entry in answer]


class Stream:
    """A connected socket whose every operation ends by the deadline, raising `TimedOut` or `Failure`."""

    def __init__(self, sock: socket.socket, deadline: Deadline, where: str) -> None:
        self.sock: socket.socket = sock
        self.deadline = deadline
        self.where = where
        self.handshake: Handshake | None = None
        self.ahead = b""
        """What has been read before anybody asked for it."""

    def recv(self, size: int) -> bytes:
        """What has arrived, at most so many bytes; empty at the end; raises `Failure`, `CannotLook` or `TimedOut`."""
        if self.ahead:
            data, self.ahead = self.ahead[:size], self.ahead[size:]
            return data
        return self._within(lambda: self.sock.recv(size))

    def peek(self, seconds: float) -> bytes:
        """What arrives within so many seconds, left to be read; empty where nothing does, and whatever happens."""
        try:
            self.sock.settimeout(min(seconds, self.deadline.remaining()))
            return self.sock.recv(MAX_PEEK_BYTES, socket.MSG_PEEK)
        except (OSError, TimedOut):
            return b""

    def glance(self) -> bytes:
        """What has arrived, left to be read; empty where nothing has. It costs a third of a `peek` that waits."""
        return self.peek(0.0) if fcntl.ioctl(self.sock.fileno(), FIONREAD, NOTHING) != NOTHING else b""

    def read_exactly(self, size: int) -> bytes:
        """So many bytes; raises `Failure` when the peer closes before, and as `recv` does."""
        data = b""
        while len(data) < size:
            more = self.recv(size - len(data))
            if not more:
                raise Failure(f"{self.where} closed the connection after {len(data)} of {size} bytes", "protocol")
            data += more
        return data

    def sendall(self, data: bytes) -> None:
        """Send all of it; raises as `recv` does."""
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
        """Continue in TLS, the handshake within the deadline; raises `Failure` with what went wrong."""
        from hachecks.net.handshake import Handshake  # a plain check does not owe it

        self.handshake = Handshake(context)
        with self.deadline.during("tls"):
            self._within(lambda: self.handshake.shake(self, context, server_name))  # type: ignore[union-attr]

    def hear_out(self) -> None:
        """Give a server that asked for our certificate time to refuse it; raises `Failure` when it does, or closes."""
        if self.handshake is not None and self.handshake.wants_ours:
            with self.deadline.during("tls"):
                self._within(lambda: self.handshake.hear_out(self, until_tickets=False))  # type: ignore[union-attr]

    def close(self) -> None:
        """Close the connection, and say so in TLS."""
        if self.handshake is not None and hasattr(self.sock, "unwrap"):  # it may never have come so far
            from hachecks.net.handshake import say_goodbye

            say_goodbye(self.sock)
        self.sock.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def explained(error: OSError, where: str, what: str) -> Failure | CannotLook:
    """The operating system's error as a reason, and as our inability where it is ours."""
    from hachecks.net import reasons  # owed by what fails alone

    return reasons.explained(error, where, what)
