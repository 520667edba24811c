"""One HTTP request made, and its response read, by httpcore's protocol engines over our own streams.

httpcore's connection pool is left out: it would open the sockets itself, and its timeouts are none (a server that drips
a byte a second is read for ever). The modules are imported one by one because the executable carries httpcore with an
empty `__init__`: `import httpcore` takes 276 M instructions, all that HTTP needs of it 175 M.
"""

from __future__ import annotations

from httpcore._backends.base import NetworkStream
from httpcore._exceptions import ConnectionNotAvailable, ProtocolError, WriteError

from hachecks.http.http1 import Tolerant
from hachecks.http.http1_connection import Http1Connection
from hachecks.http.reasons import NotProcessed, explained
from hachecks.http.response import Response
from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hachecks.deadline import Deadline
    from hachecks.http.request import Request
    from hachecks.net.tls import TlsOptions
    from hachecks.net.transport import NetworkOptions, Stream

    Answer = tuple[int, Sequence[tuple[bytes, bytes]], bytes]
    """Status, fields, and the body up to a portion beyond the limit."""

PROXY_AUTHENTICATION_REQUIRED = 407
MAX_CONNECTIONS = 3
"""On how many connections a request is made that the server has not begun with."""


def exchange(request: Request, network: NetworkOptions, tls: TlsOptions, deadline: Deadline) -> Response:
    """Ask, and read the answer; raises `Failure`, `CannotLook` or `TimedOut`.

    An answer that breaks off, or is none by the protocol, is a `Failure`; informational answers (1xx) are passed over.
    """
    for _ in range(MAX_CONNECTIONS):
        try:
            return _ask(request, network, tls, deadline)
        except NotProcessed:
            continue
    told = f"{request.url.target} did not begin with the request on any of {MAX_CONNECTIONS} connections (GOAWAY)"
    raise Failure(told, "protocol")


def _ask(request: Request, network: NetworkOptions, tls: TlsOptions, deadline: Deadline) -> Response:
    """Ask on a new connection; raises `NotProcessed`, too."""
    with network.connect((request.proxy or request.url).target, deadline) as stream:
        measured = {}
        if request.url.scheme == "https":
            if request.proxy is not None:
                _tunnel(request, stream)
            measured = _secure(request, tls, stream)
        response = _converse(request, HttpcoreStream(stream))
        response.measured.update(measured)
        return response


def _secure(request: Request, tls: TlsOptions, stream: Stream) -> dict[str, float]:
    """Continue in TLS and judge the certificate."""
    protocol = "h2" if request.http2 else "http/1.1"
    context = tls.context()
    context.set_alpn_protocols([protocol])
    stream.start_tls(context, (tls.server_name or request.url.host.partition("%")[0]).rstrip("."))
    measured = tls.judge_certificate(stream)
    if request.http2 and stream.sock.selected_alpn_protocol() != protocol:  # type: ignore[attr-defined]
        raise Failure(f"{stream.where} does not speak HTTP/2", "protocol")
    return measured


def _converse(request: Request, wire: HttpcoreStream) -> Response:
    try:
        status, fields, body = _answer_1(request, wire) if not request.http2 else _answer_2(request, wire)
    except (ProtocolError, ConnectionNotAvailable, WriteError) as error:
        raise explained(error, wire) from None
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]
    return Response(status, headers, body[: request.body_limit], len(body) <= request.body_limit)


def _answer_1(request: Request, wire: HttpcoreStream) -> Answer:
    connection = Http1Connection(Tolerant(wire))
    target = request.url.full if request.through_proxy else request.url.request_target
    connection.ask(request.method, target, _fields(request), request.body)
    status, fields = connection.head()
    return status, fields, connection.body(request.body_limit)


def _answer_2(request: Request, wire: HttpcoreStream) -> Answer:
    from hachecks.http.http2 import answer  # h2 and its three packages are not owed by HTTP/1.1

    return answer(request, _fields(request), wire)


def _fields(request: Request) -> list[tuple[bytes, bytes]]:
    return [(header.name.encode(), header.value.encode()) for header in request.fields()]


def _tunnel(request: Request, stream: Stream) -> None:
    """Have the proxy connect to the URL's host."""
    assert request.proxy is not None  # noqa: S101 - for the type checker
    url = request.url
    host = f"[{url.host}]" if ":" in url.host else url.host
    goal = f"{host}:{url.port}".encode()
    fields = [(b"Host", goal), *((header.name.encode(), header.value.encode()) for header in request.proxy_headers)]
    wire = HttpcoreStream(stream)
    connection = Http1Connection(Tolerant(wire))
    try:
        connection.ask("CONNECT", goal, fields)
        status, _ = connection.head()
    except ProtocolError as error:
        raise explained(error, wire) from None
    if not 200 <= status < 300:
        told = f"the proxy {stream.where} answered {status} to CONNECT {goal.decode()}"
        raise Failure(told, "auth" if status == PROXY_AUTHENTICATION_REQUIRED else "status")


class HttpcoreStream(NetworkStream):
    """A `Stream` as httpcore's engines want one: reads are timed as `first_byte` and then `transfer`."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.has_heard = False
        self.unsent: Failure | None = None

    @property
    def phase(self) -> str:
        """What the time is spent on."""
        return "transfer" if self.has_heard else "first_byte"

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the stream has a deadline
        """What has arrived."""
        with self.stream.deadline.during(self.phase):
            data = self.stream.recv(max_bytes)
        self.has_heard = self.has_heard or bool(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send all of it; a server that closes early may have answered already, which httpcore then looks for."""
        if not buffer:  # a request without a body is written in three parts, two of them empty
            return
        try:
            with self.stream.deadline.during(self.phase):
                self.stream.sendall(buffer)
        except Failure as failure:
            self.unsent = failure
            raise WriteError(str(failure)) from None

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()

    def get_extra_info(self, info: str) -> Any:  # noqa: ARG002
        """Nothing: httpcore's pool would ask."""
        return None
