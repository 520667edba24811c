"""How is one HTTP request made, and its answer read? httpcore's protocol engines over our own streams.

httpcore's connection pool is left out: it would open the sockets itself, and its timeouts are none (a server that drips
a byte a second is read for ever). The modules are imported one by one because the executable carries httpcore with an
empty `__init__`: `import httpcore` takes 276 M instructions, these take 175 M.
"""

from __future__ import annotations

from httpcore._backends.base import NetworkStream
from httpcore._exceptions import ConnectionNotAvailable, ProtocolError, WriteError
from httpcore._models import URL, Request
from httpcore._sync.http11 import HTTP11Connection

from hachecks.http.answer import Answer
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from httpcore._models import Response
    from httpcore._sync.interfaces import ConnectionInterface

    from hachecks.deadline import Deadline
    from hachecks.http.request import Asking
    from hachecks.http.url import Url
    from hachecks.tls import TlsOptions
    from hachecks.transport import NetworkOptions, Stream

PROXY_LOGIN = 407


def exchange(asking: Asking, network: NetworkOptions, tls: TlsOptions, deadline: Deadline) -> Answer:
    """Ask, and read the answer; raises `Failure`, `CannotLook` or `TimedOut`.

    An answer that breaks off, or is none by the protocol, is a `Failure`; informational answers (1xx) are passed over.
    """
    with network.connect((asking.proxy or asking.url).target, deadline) as stream:
        measured = {}
        if asking.url.scheme == "https":
            if asking.proxy is not None:
                _tunnel(asking, stream)
            measured = _secure(asking, tls, stream)
        answer = _answer(asking, Wire(stream))
        answer.measured.update(measured)
        return answer


def _secure(asking: Asking, tls: TlsOptions, stream: Stream) -> dict[str, float]:
    """Continue in TLS and judge the certificate."""
    protocol = "h2" if asking.http2 else "http/1.1"
    context = tls.context()
    context.set_alpn_protocols([protocol])
    stream.start_tls(context, (tls.server_name or asking.url.host.partition("%")[0]).rstrip("."))
    measured = tls.judge_certificate(stream)
    if asking.http2 and stream.sock.selected_alpn_protocol() != protocol:  # type: ignore[attr-defined]
        raise Failure(f"{stream.where} does not speak HTTP/2", "protocol")
    return measured


def _connection(asking: Asking, wire: Wire) -> ConnectionInterface:
    origin = _for_httpcore(asking.url, "/").origin
    if not asking.http2:
        return HTTP11Connection(origin, wire)
    from hachecks.http.http2 import Http2Connection  # h2 and its three packages are not owed by HTTP/1.1

    return Http2Connection(origin, wire)


def _answer(asking: Asking, wire: Wire) -> Answer:
    try:
        response = _connection(asking, wire).handle_request(_request(asking))
        body = _body(response, asking.body_limit)
    except (ProtocolError, ConnectionNotAvailable, WriteError) as error:
        raise explained(error, wire) from None
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
    return Answer(response.status, headers, body[: asking.body_limit], len(body) <= asking.body_limit)


def _request(asking: Asking) -> Request:
    """The request as httpcore takes it."""
    target = asking.url.full if asking.through_proxy else asking.url.request_target
    fields = [(header.name.encode(), header.value.encode()) for header in asking.fields()]
    return Request(asking.method, _for_httpcore(asking.url, target), headers=fields, content=asking.body)


def _body(response: Response, limit: int) -> bytes:
    """The body, up to a chunk beyond the limit."""
    chunks: list[bytes] = []
    read = 0
    for chunk in response.iter_stream():
        chunks.append(chunk)
        read += len(chunk)
        if read > limit:
            break
    return b"".join(chunks)


def _tunnel(asking: Asking, stream: Stream) -> None:
    """Have the proxy connect to the URL's host."""
    assert asking.proxy is not None  # noqa: S101 - for the type checker
    url = asking.url
    host = f"[{url.host}]" if ":" in url.host else url.host
    goal = f"{host}:{url.port}".encode()
    fields = [(b"Host", goal), *((header.name.encode(), header.value.encode()) for header in asking.proxy_headers)]
    wire = Wire(stream)
    connection = HTTP11Connection(_for_httpcore(asking.proxy, "/").origin, wire)
    try:
        response = connection.handle_request(Request("CONNECT", _for_httpcore(asking.proxy, goal), headers=fields))
    except ProtocolError as error:
        raise explained(error, wire) from None
    if not 200 <= response.status < 300:
        told = f"the proxy {stream.where} answered {response.status} to CONNECT {goal.decode()}"
        raise Failure(told, "auth" if response.status == PROXY_LOGIN else "status")


def explained(error: Exception, wire: Wire) -> Failure | CannotLook:
    """The engine's error as a reason, and as our inability where it is our request that breaks the protocol."""
    where, said = wire.stream.where, str(error).partition(": bytearray(")[0]
    if type(error).__name__ == "LocalProtocolError":
        return CannotLook(f"{where} cannot be asked this: {said}")
    if wire.unsent is not None and not wire.has_heard:
        return wire.unsent
    if wire.unsent is not None or "disconnected" in said:
        how_far = "in the middle of" if wire.has_heard else "without"
        return Failure(f"{where} closed the connection {how_far} an answer", "protocol")
    return Failure(f"{where} gave no proper HTTP answer: {said or 'it broke the protocol'}", "protocol")


def _for_httpcore(url: Url, target: str | bytes) -> URL:
    return URL(scheme=url.scheme, host=url.host, port=url.port, target=target)


class Wire(NetworkStream):
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
