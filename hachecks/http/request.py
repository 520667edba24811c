"""HTTP requests: method, headers, body and login, and the settings they come from."""

from __future__ import annotations

from hachecks import __version__
from hachecks.http.headers import Header, basic, from_file, is_token, refuse_secret
from hachecks.http.response import BODY_LIMIT
from hachecks.secret_file import read_secret
from hachecks.settings import option, settings
from hachecks.verdict import CannotLook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.http.url import Url

AGENT = f"hacheck/{__version__}"


class Request:
    """One request, and how it is made."""

    def __init__(
        self,
        url: Url,
        headers: Sequence[Header] = (),
        *,
        method: str = "GET",
        body: bytes | None = None,
        http2: bool = False,
        proxy: Url | None = None,
        proxy_headers: Sequence[Header] = (),
        body_limit: int = BODY_LIMIT,
    ) -> None:
        self.url = url
        self.headers = headers
        self.method = method
        self.body = body
        self.http2 = http2
        self.proxy = proxy
        self.proxy_headers = proxy_headers
        self.body_limit = body_limit

    @property
    def through_proxy(self) -> bool:
        """Whether the proxy is told the whole URL, as plain HTTP has it, and not asked for a tunnel."""
        return self.proxy is not None and self.url.scheme == "http"

    def fields(self) -> list[Header]:
        """The header fields, with those nobody should have to think of; what is given counts more."""
        own = {"Host": self.url.authority, "Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": AGENT}
        if not self.http2:
            own["Connection"] = "close"
        given = [*(self.proxy_headers if self.through_proxy else ()), *self.headers]
        names = {header.name.lower() for header in given}
        fields = [Header(name, value) for name, value in own.items() if name.lower() not in names]
        if self.body is not None:
            fields.append(Header("Content-Length", str(len(self.body))))
        return fields + given


@settings
class HttpLogin:
    """Who asks."""

    basic: str | None = option(default=None, secret=True, metavar="USER:PASSWORD", help="Log in with this.")
    basic_file: str | None = option(default=None, metavar="FILE", help="Log in with the USER:PASSWORD in this file.")
    bearer: str | None = option(default=None, secret=True, metavar="TOKEN", help="Log in with this token.")
    bearer_file: str | None = option(default=None, metavar="FILE", help="Log in with the token in this file.")

    def validate_login(self) -> None:
        """Refuse two ways to log in."""
        given = [name for name in ("basic", "basic_file", "bearer", "bearer_file") if getattr(self, name) is not None]
        if len(given) > 1:
            one, other = (f"--{name.replace('_', '-')}" for name in given[:2])
            raise ValueError(f"{one} and {other} exclude each other")

    def authorization(self) -> list[Header]:
        """The header that logs in, if any; raises `CannotLook`."""
        user = read_secret(self.basic_file) if self.basic_file else self.basic
        token = read_secret(self.bearer_file) if self.bearer_file else self.bearer
        value = basic(user) if user else f"Bearer {token}" if token else ""
        return [Header("Authorization", value)] if value else []


@settings
class RequestOptions(HttpLogin):
    """An HTTP request."""

    method: str | None = option(default=None, help="The request's method (default GET, or POST with a body).")
    header: tuple[Header, ...] = option(
        default=(), metavar="'NAME: VALUE'", help="Send this header; Host too.", refuse_on_argv=refuse_secret
    )
    header_file: tuple[str, ...] = option(
        default=(), metavar="FILE", help="Send the headers in this file, one on a line."
    )
    body: str | None = option(default=None, metavar="TEXT", help="Send this body.")
    body_file: str | None = option(default=None, metavar="FILE", help="Send the content of this file as the body.")

    def validate_request(self) -> None:
        """Refuse what contradicts itself."""
        self.validate_login()
        if self.body is not None and self.body_file is not None:
            raise ValueError("--body and --body-file exclude each other")
        if self.method is not None and not is_token(self.method):
            raise ValueError(f"{self.method!r} is not an HTTP method")

    def content(self) -> bytes | None:
        """The body to send, if any; raises `CannotLook`."""
        if self.body_file is None:
            return None if self.body is None else self.body.encode()
        try:
            with open(self.body_file, "rb") as file:
                return file.read()
        except OSError as error:
            raise CannotLook(f"cannot read {self.body_file}: {error.strerror}") from None

    def all_headers(self) -> list[Header]:
        """The headers to send, those from files included; raises `CannotLook`."""
        from_files = (header for path in self.header_file for header in from_file(path))
        return [*self.header, *from_files, *self.authorization()]
