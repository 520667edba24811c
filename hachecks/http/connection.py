"""The way to an HTTP server, as options: network and TLS, and where it is wanted a proxy."""

from __future__ import annotations

from hachecks.http.exchange import exchange
from hachecks.http.headers import Header, basic
from hachecks.http.url import ProxyUrl
from hachecks.net.tls import TlsOptions
from hachecks.net.transport import NetworkOptions
from hachecks.secret_file import read_secret
from hachecks.settings import option, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.deadline import Deadline
    from hachecks.http.request import Request
    from hachecks.http.response import Response


@settings
class HttpConnection(NetworkOptions, TlsOptions):
    """The way to an HTTP server."""

    def exchange(self, request: Request, deadline: Deadline) -> Response:
        """The response to one request; raises `Failure`, `CannotLook` or `TimedOut`."""
        return exchange(request, self, self, deadline)


@settings
class ProxiedConnection(HttpConnection):
    """The way to an HTTP server, which may lead through a proxy."""

    proxy: ProxyUrl | None = option(
        default=None,
        metavar="URL",
        help="Go through the HTTP proxy http://HOST:PORT; none is taken from the environment.",
    )
    proxy_basic: str | None = option(
        default=None, secret=True, metavar="USER:PASSWORD", help="Log in to the proxy with this."
    )
    proxy_basic_file: str | None = option(
        default=None, metavar="FILE", help="Log in to the proxy with the USER:PASSWORD in this file."
    )

    def validate_proxy(self) -> None:
        """Refuse what contradicts itself."""
        if self.proxy is not None and self.connect_to is not None:
            raise ValueError("--proxy and --connect-to exclude each other")
        if self.proxy is None and (self.proxy_basic or self.proxy_basic_file):
            raise ValueError("--proxy-basic-file needs --proxy")

    def proxy_headers(self) -> list[Header]:
        """The login at the proxy, if there is one; raises `CannotLook`."""
        user = read_secret(self.proxy_basic_file) if self.proxy_basic_file else self.proxy_basic
        return [Header("Proxy-Authorization", basic(user))] if user else []
