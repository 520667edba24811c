"""One HTTP request made, and its response read, by httpcore's protocol engines over our own streams.

httpcore's connection pool is left out: it would open the sockets itself, and its timeouts are none (a server that drips
a byte a second is read for ever). The modules are imported one by one because the executable carries httpcore with an
empty `__init__`: `import httpcore` takes 276 M instructions, these take 175 M.
"""

from __future__ import annotations

from httpcore._backends.base import NetworkStream
from httpcore._exceptions import ConnectionNotAvailable, ProtocolError, WriteError
from httpcore._models import URL
from httpcore._models import Request as HttpcoreRequest
from httpcore._sync.http11 import HTTP11Connection

from hachecks.http.http1 import Tolerant
from hachecks.http.reasons import NotProcessed, explained
from hachecks.http.response import Response
from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from httpcore._models import Response as HttpcoreResponse

    from hachecks.deadline import Deadline
    from hachecks.http.request import Request
    from hachecks.http.url import Url
    from hachecks.net.tls import TlsOptions
    from hachecks.net.transport import NetworkOptions, Stream

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
        response, body = _response_1(request, wire) if not request.http2 else _response_2(request, wire)
    except (ProtocolError, ConnectionNotAvailable, WriteError) as error:
        raise explained(error, wire) from None
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
    return Response(response.status, headers, body[: request.body_limit], len(body) <= request.body_limit)


def _response_1(request: Request, wire: HttpcoreStream) -> tuple[HttpcoreResponse, bytes]:
    connection = HTTP11Connection(_for_httpcore(request.url, "/").origin, Tolerant(wire))
    response = connection.handle_request(_request(request))
    return response, _body(response, request.body_limit)


def _response_2(request: Request, wire: HttpcoreStream) -> tuple[HttpcoreResponse, bytes]:
    from hachecks.http.http2 import Http2Connection  # h2 and its three packages are not owed by HTTP/1.1

    connection = Http2Connection(_for_httpcore(request.url, "/").origin, wire)
    response = connection.handle_request(_request(request))
    body = _body(response, request.body_limit)
    connection.leave()
    return response, body


def _request(request: Request) -> HttpcoreRequest:
    """The request as httpcore takes it."""
    target = request.url.full if request.through_proxy else request.url.request_target
    fields = [(header.name.encode(), header.value.encode()) for header in request.fields()]
    return HttpcoreRequest(request.method, _for_httpcore(request.url, target), headers=fields, content=request.body)


def _body(response: HttpcoreResponse, limit: int) -> bytes:
    """The body, up to a chunk beyond the limit."""
    chunks: list[bytes] = []
    read = 0
    for chunk in response.iter_stream():
        chunks.append(chunk)
        read += len(chunk)
        if read > limit:
            break
    return b"".join(chunks)


def _tunnel(request: Request, stream: Stream) -> None:
    """Have the proxy connect to the URL's host."""
    assert request.proxy is not None  # noqa: S101 - for the type checker
    url = request.url
    host = f"[{url.host}]" if ":" in url.host else url.host
    goal = f"{host}:{url.port}".encode()
    fields = [(b"Host", goal), *((header.name.encode(), header.value.encode()) for header in request.proxy_headers)]
    wire = HttpcoreStream(stream)
    connection = HTTP11Connection(_for_httpcore(request.proxy, "/").origin, Tolerant(wire))
    try:
        response = connection.handle_request(
            HttpcoreRequest("CONNECT", _for_httpcore(request.proxy, goal), headers=fields)
        )
    except ProtocolError as error:
        raise explained(error, wire) from None
    if not 200 <= response.status < 300:
        told = f"the proxy {stream.where} answered {response.status} to CONNECT {goal.decode()}"
        raise Failure(told, "auth" if response.status == PROXY_AUTHENTICATION_REQUIRED else "status")


def _for_httpcore(url: Url, target: str | bytes) -> URL:
    return URL(scheme=url.scheme, host=url.host, port=url.port, target=target)


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
