"""The zoo: servers that misbehave in every way that has been met, and one that does as it is told.

Each is a context manager with a real socket on 127.0.0.1 (or the given host) and a port of the kernel's choice.
"""

from __future__ import annotations

import http.server
import random
import socket
import socketserver
import struct
import threading
import zlib
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

PATIENCE = 0.2
"""Seconds a server waits for what a client may have to say first."""
LONG_PATIENCE = 10.0
"""The same where something will be said."""
NOISE = random.Random(65536).randbytes(65536)
"""What no protocol says; the same each time, since any byte of it may be right by chance."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Server:
    """Listens, and gives each connection to `talk` in a thread of its own."""

    patience = PATIENCE
    """More where the client always speaks first: on a busy machine it may take its time."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.socket = self.bound()
        self.port: int = self.socket.getsockname()[1]
        self.ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def bound(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        sock.bind((self.host, 0))
        return sock

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        for thread in self._threads:
            thread.join(10)

    def begin(self) -> None:
        self.socket.listen()
        self._start(self._accept)

    def talk(self, connection: socket.socket) -> None:
        """What is said to one client; the connection is closed afterwards."""

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.ended.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(self.patience)
            try:
                self.talk(connection)
            except OSError:
                return

    def hear(self, connection: socket.socket) -> bytes:
        """What the client says first, if it does."""
        try:
            return connection.recv(65536)
        except socket.timeout:
            return b""

    def say_for_ever(self, connection: socket.socket, data: bytes, pause: float = 0.0) -> None:
        while not self.ended.wait(pause) if pause else not self.ended.is_set():
            try:
                connection.sendall(data)
            except socket.timeout:
                continue  # the client does not read; part of the data may be lost, which is all the same here


def patient(kind: type[Server]) -> Server:
    """One that waits until it is asked, as long as that takes on a busy machine."""
    server = kind()
    server.patience = LONG_PATIENCE
    return server


class Listening(Server):
    """The kernel accepts connections; nobody looks at them."""

    def begin(self) -> None:
        self.socket.listen()


class Refusing(Server):
    """A port that nobody listens on, and that nobody else gets."""

    def begin(self) -> None:
        pass


class NeverAccepts(Server):
    """The backlog is full: a connection is neither accepted nor refused."""

    def begin(self) -> None:
        self.socket.listen(0)
        self.fillers = [socket.socket(self.socket.family) for _ in range(4)]
        for filler in self.fillers:
            filler.setblocking(False)
            filler.connect_ex((self.host, self.port))

    def __exit__(self, *error: object) -> None:
        for filler in self.fillers:
            filler.close()
        super().__exit__(*error)


class Silent(Server):
    """Accepts, and says nothing."""

    def talk(self, connection: socket.socket) -> None:  # noqa: ARG002
        self.ended.wait()


class HalfClosed(Server):
    """Accepts, says that it will say nothing, and stays."""

    def talk(self, connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_WR)
        self.ended.wait()


class HangsUp(Server):
    """Closes at once."""


class HangsUpWhenSpokenTo(Server):
    """Closes when it has heard something."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)


class Resets(Server):
    """Resets the connection at once."""

    def talk(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)


class Dripping(Server):
    """Says a byte each 50 ms for ever, none of which ends anything."""

    def talk(self, connection: socket.socket) -> None:
        self.say_for_ever(connection, b"x", 0.05)


class DrippingHttp(Server):
    """Begins a good answer, and drips headers."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self.say_for_ever(connection, b"x", 0.05)


class DrippingBody(Server):
    """Gives good headers, and drips the body that was announced."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        self.say_for_ever(connection, b"x", 0.05)


class Garbage(Server):
    """Says random bytes without end."""

    def talk(self, connection: socket.socket) -> None:
        self.say_for_ever(connection, NOISE)


class GarbageOnce(Server):
    """Says some random bytes, and closes."""

    def talk(self, connection: socket.socket) -> None:
        connection.sendall(NOISE[:300])
        self.hear(connection)


class Zeros(Server):
    """Says zeros without end: in binary protocols, messages of no length."""

    def talk(self, connection: socket.socket) -> None:
        self.say_for_ever(connection, bytes(65536))


class EndlessLine(Server):
    """Says one line without end."""

    def talk(self, connection: socket.socket) -> None:
        self.say_for_ever(connection, b"x" * 65536)


class EndlessBody(Server):
    """Answers 200, with a body without end."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self.say_for_ever(connection, b"x" * 65536)


class EndlessChunks(Server):
    """Answers 200, with chunks of one byte without end."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.say_for_ever(connection, b"1\r\nx\r\n" * 10000)


class EndlessHeaders(Server):
    """Answers 200, with headers without end."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        self.say_for_ever(connection, b"X-Header: value\r\n" * 1000)


class EndlessContinue(Server):
    """Says 100 Continue for ever."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        self.say_for_ever(connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


class GzipBomb(Server):
    """Answers with a gzip body that is a thousand times as large as it seems."""

    def begin(self) -> None:
        self.body = bomb()  # before anybody's time runs
        super().begin()

    def talk(self, connection: socket.socket) -> None:
        body = self.body
        self.hear(connection)
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)


@cache
def bomb() -> bytes:
    """100 MiB of zeros as gzip, which take a second to pack."""
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(100)) + packer.flush()


class TruncatedBody(Server):
    """Announces more than it gives."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")


class TruncatedChunks(Server):
    """Closes without the last chunk."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")


class ResetsMidBody(Server):
    """Begins the body, and resets the connection."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)


class StallsMidBody(Server):
    """Begins the body, and stops."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
        self.ended.wait()


class TwoContentLengths(Server):
    """Announces two lengths."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")


class OldHttp(Server):
    """Answers as HTTP/0.9 did: with a body and nothing else."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"<html>hello</html>\r\n")


class Mail(Server):
    """Greets as a mail server does, and understands nothing."""

    def talk(self, connection: socket.socket) -> None:
        connection.sendall(b"220 mail.example ESMTP\r\n\r\n")
        self.hear(connection)
        connection.sendall(b"500 unknown command\r\n")


class RedirectLoop(Server):
    """Redirects to where it was asked, for ever."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")


class Tunnel(Server):
    """A proxy that connects wherever it is asked to, and remembers what it heard."""

    patience = LONG_PATIENCE

    def begin(self) -> None:
        self.heard: list[bytes] = []
        super().begin()

    def talk(self, connection: socket.socket) -> None:
        asked = self.hear(connection)
        self.heard.append(asked)
        host, _, port = asked.split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port)), 5) as beyond:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            connection.settimeout(None)
            beyond.settimeout(None)
            back = threading.Thread(target=self._pass_on, args=(beyond, connection))
            back.start()
            self._pass_on(connection, beyond)
            back.join(10)

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            return


class TlsThatHangs(Server):
    """Hears a ClientHello, and says nothing."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        self.ended.wait()


class TlsThatDrips(Server):
    """Hears a ClientHello, and drips a ServerHello that announces 16 KiB."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03")
        self.say_for_ever(connection, b"\x00", 0.05)


class TlsThatRefuses(Server):
    """Answers a ClientHello with a handshake failure."""

    def talk(self, connection: socket.socket) -> None:
        self.hear(connection)
        connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


class BlackHole(Server):
    """A UDP port that takes everything, and answers nothing; the TCP port of that number refuses."""

    def bound(self) -> socket.socket:
        while True:
            self.reserved = super().bound()
            sock = socket.socket(self.reserved.family, socket.SOCK_DGRAM)
            try:
                sock.bind(self.reserved.getsockname())
            except OSError:  # free for TCP alone
                sock.close()
                self.reserved.close()
            else:
                return sock

    def begin(self) -> None:
        self._start(self._receive)

    def _receive(self) -> None:
        while not self.ended.is_set():
            try:
                self.socket.settimeout(PATIENCE)
                self.reply(*self.socket.recvfrom(65536))
            except OSError:  # nothing has come, or it has been closed, perhaps in the middle of a reply
                continue

    def reply(self, data: bytes, peer: tuple[str, int]) -> None:
        """What is answered to one datagram."""

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.reserved.close()


class UdpGarbage(BlackHole):
    """Answers a datagram with random ones."""

    def reply(self, data: bytes, peer: tuple[str, int]) -> None:
        for size in (0, 1, 12, 40, 500):
            self.socket.sendto(data[:2] + NOISE[:size], peer)


ZOO: tuple[type[Server], ...] = (
    Listening, Refusing, NeverAccepts, Silent, HalfClosed, HangsUp, HangsUpWhenSpokenTo, Resets, Dripping, DrippingHttp,
    DrippingBody, Garbage, GarbageOnce, Zeros, EndlessLine, EndlessBody, EndlessChunks, EndlessHeaders, EndlessContinue,
    GzipBomb, TruncatedBody, TruncatedChunks, ResetsMidBody, StallsMidBody, TwoContentLengths, OldHttp, Mail,
    RedirectLoop, TlsThatHangs, TlsThatDrips, TlsThatRefuses, BlackHole, UdpGarbage,
)  # fmt: skip


BODILESS = (204, 304)
"""Answers that have no body."""


@dataclass(frozen=True)
class Route:
    """What is answered at a path."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class HttpServer:
    """Gives each request to `hear`, and answers what that returns."""

    def __init__(
        self, hear: Callable[[Asked], Route], host: str = "127.0.0.1", context: ssl.SSLContext | None = None
    ) -> None:
        server = _Ipv6Server if ":" in host else _Server
        self._server = server((host, 0), _handler(hear))
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = host
        self.port: int = self._server.server_port
        name = f"[{host}]" if ":" in host else host
        self.address = f"{name}:{self.port}"
        self.url = f"http{'s' if context else ''}://{self.address}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Server(http.server.ThreadingHTTPServer):
    """Has room for as many at once as a service has, and does not ask the resolver for its own name."""

    request_queue_size = 128  # http.server's 5 let the sixth wait for a second

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]


class _Ipv6Server(_Server):
    address_family = socket.AF_INET6


def _handler(hear: Callable[[Asked], Route]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            route = hear(Asked(self.command, self.path, dict(self.headers), body))
            has_body = route.status not in BODILESS
            (self.send_response_only if "Date" in route.headers else self.send_response)(route.status)
            for name, value in {"Content-Length": str(len(route.body)), **route.headers}.items():
                if has_body or name != "Content-Length":
                    self.send_header(name, value)
            self.end_headers()
            if has_body and self.command != "HEAD":
                self.wfile.write(route.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class Http(HttpServer):
    """Answers what its routes say (404 elsewhere), and remembers what it was asked."""

    def __init__(
        self, routes: Mapping[str, Route], *, host: str = "127.0.0.1", context: ssl.SSLContext | None = None
    ) -> None:
        self.routes = routes
        self.requests: list[Asked] = []
        super().__init__(self._hear, host, context)

    def _hear(self, asked: Asked) -> Route:
        self.requests.append(asked)
        return self.routes.get(asked.target, Route(b"nothing here", 404))
