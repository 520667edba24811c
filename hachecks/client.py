"""The HTTP client of the package outside checks and notifiers: httpx over the one exchange that these have, too.

httpx's own transport is not used. Its timeouts are for each operation, so that a server which drips bytes is read for
ever, and it knows nothing of our options: the interface, the proxy and its login, the certificates.
"""

from __future__ import annotations

import httpx

from hachecks.http.headers import Header
from hachecks.http.request import Request
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.deadline import Deadline
    from hachecks.services.http_options import HttpOptions

FRAMING = (b"content-length", b"transfer-encoding")
"""Fields of a request that the exchange writes itself."""
CODING = "content-encoding"
"""A field of a response that is kept from httpx, which would inflate a few bytes to any number of them."""


class ExchangeTransport(httpx.BaseTransport):
    """Makes httpx's requests by `HttpOptions.ask`: all of them before one deadline, each body up to a limit in bytes.

    Raises `NotDelivered` where there is no response, or `TimedOut`.
    """

    def __init__(self, options: HttpOptions, deadline: Deadline, body_limit: int) -> None:
        self.options = options
        self.deadline = deadline
        self.body_limit = body_limit

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request and its response, whole."""
        fields = [(name.decode(), value.decode()) for name, value in request.headers.raw if name.lower() not in FRAMING]
        response = self.options.ask(
            Url.parse(str(request.url)),
            self.deadline,
            [Header(name, value) for name, value in fields],
            request.read() or None,
            request.method,
            self.body_limit,
        )
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        kept = [(name, value) for name, value in headers if name.decode("latin-1").lower() != CODING]
        return httpx.Response(response.status, headers=kept, content=response.body)


def client(options: HttpOptions, deadline: Deadline, body_limit: int) -> httpx.Client:
    """A client that ends by the deadline, follows no redirect, and takes nothing from the environment."""
    transport = ExchangeTransport(options, deadline, body_limit)
    return httpx.Client(transport=transport, trust_env=False, timeout=None)  # noqa: S113 - there is the deadline


def get(
    options: HttpOptions, url: Url, headers: Sequence[Header], deadline: Deadline, body_limit: int
) -> tuple[int, bytes]:
    """The status and the body of what is at the URL; raises `NotDelivered` or `TimedOut`."""
    fields = [(field.name.encode(), field.value.encode()) for field in Request(url, headers).fields()]
    try:
        where = httpx.URL(scheme=url.scheme, host=url.host, port=url.port, raw_path=url.request_target.encode())
        with client(options, deadline, body_limit) as one:
            response = one.get(where, headers=fields)
    except httpx.InvalidURL as error:
        raise NotDelivered(f"{url}: {error}", retryable=False) from None
    return response.status_code, response.content
