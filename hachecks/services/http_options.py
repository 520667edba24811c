"""HTTP options of notifiers: the way to a service, its URL, the login, and the one place that makes their requests."""

from __future__ import annotations

from hachecks.http.connection import ProxiedConnection
from hachecks.http.headers import Header, from_file, refuse_secret
from hachecks.http.request import HttpLogin, Request
from hachecks.http.response import BODY_LIMIT
from hachecks.http.url import Url
from hachecks.messages.not_delivered import NotDelivered
from hachecks.secret_file import read_secret
from hachecks.services.acceptance import encodings_of, secrets_of
from hachecks.settings import option, settings
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.deadline import Deadline
    from hachecks.http.response import Response

SECRET_HEADER_WORDS = ("auth", "cookie", "key", "password", "secret", "token")
JSON = Header("Content-Type", "application/json")


def refuse_secret_header(text: str) -> str | None:
    """What to do instead of writing this header on the command line, if its name says that it holds a secret."""
    name = text.partition(":")[0].strip()
    if not any(word in name.lower() for word in SECRET_HEADER_WORDS):
        return refuse_secret(text)
    return f"{name} on the command line can be read by everybody on the node; use --header-file"


class ExtraHeader(Header):
    """A header field that may be a secret whatever its name, and is never shown."""

    @classmethod
    def parse(cls, text: str) -> ExtraHeader:
        """From `Name: value`; raises `ValueError` without the value."""
        header = Header.parse(text)
        return cls(header.name, header.value)

    def __repr__(self) -> str:
        return f"{self.name}: …"


@settings
class HttpOptions(ProxiedConnection):
    """The way to a service that is told over HTTP."""

    def validate_http(self, *urls: Url | None) -> None:
        """Refuse what contradicts itself; a URL that is not known yet is None."""
        self.validate_network()
        self.validate_tls(any(url is None or url.scheme == "https" for url in urls), "an https:// URL")
        self.validate_proxy()

    def ask(
        self,
        url: Url,
        deadline: Deadline,
        headers: Sequence[Header],
        body: bytes | None,
        method: str = "POST",
        body_limit: int = BODY_LIMIT,
    ) -> Response:
        """Make one request; raises `NotDelivered` where there is no response, or `TimedOut`.

        Of the response's body no more than `body_limit` bytes are kept.
        """
        try:
            request = Request(
                url,
                headers,
                method=method,
                body=body,
                proxy=self.proxy,
                proxy_headers=self.proxy_headers(),
                body_limit=body_limit,
            )
            return self.exchange(request, deadline)
        except (Failure, CannotLook) as error:
            raise NotDelivered(str(error), retryable=True) from None


@settings
class HookOptions(HttpOptions):
    """A service at a URL that is a secret itself: whoever knows it can write there."""

    url: Url | None = option(default=None, secret=True, metavar="URL", help="Where to send to.")
    url_file: str | None = option(
        default=None, metavar="FILE", help="The URL is in this file, which is read again for each message."
    )

    def validate_hook(self) -> None:
        """Refuse what contradicts itself."""
        if self.url is not None and self.url_file is not None:
            raise ValueError("--url and --url-file exclude each other")
        if self.url is None and self.url_file is None:
            raise ValueError("there is no URL: put it in a file and give --url-file FILE")
        self.validate_http(self.url)

    def hook(self) -> Url:
        """The URL as it is now; raises `NotDelivered`."""
        if self.url is not None:
            return self.url
        assert self.url_file is not None  # noqa: S101 - validate_hook saw to it
        try:
            return Url.parse(secret_in(self.url_file))
        except ValueError as error:
            raise NotDelivered(f"cannot use {self.url_file}: {error}", retryable=True) from None


@settings
class LoginOptions(HttpLogin):
    """Who writes."""

    header: tuple[ExtraHeader, ...] = option(
        default=(), metavar="'NAME: VALUE'", help="Send this header too.", refuse_on_argv=refuse_secret_header
    )
    header_file: tuple[str, ...] = option(
        default=(), metavar="FILE", help="Send the headers in this file too, one on a line."
    )

    def login_headers(self) -> list[Header]:
        """The headers to send, those from files as they are now; raises `NotDelivered`."""
        try:
            from_files = (header for path in self.header_file for header in from_file(path))
            return [*self.header, *from_files, *self.authorization()]
        except CannotLook as error:
            raise NotDelivered(str(error), retryable=True) from None


def get(
    options: HttpOptions, url: Url, headers: Sequence[Header], deadline: Deadline, body_limit: int
) -> tuple[int, bytes]:
    """The status and the body of what is at the URL; raises `NotDelivered` or `TimedOut`."""
    response = options.ask(url, deadline, headers, None, "GET", body_limit)
    return response.status, response.body


def secret_in(path: str) -> str:
    """The secret in a file as it is now; raises `NotDelivered`, for it may be written any moment."""
    try:
        return read_secret(path)
    except CannotLook as error:
        raise NotDelivered(str(error), retryable=True) from None


def secrets_in(url: Url, headers: Sequence[Header] = ()) -> set[str]:
    """What must not be shown of a request to a URL that is a secret."""
    return secrets_of(url) | secrets_among(headers)


def secrets_among(headers: Sequence[Header]) -> set[str]:
    """What must not be shown of these headers."""
    from base64 import b64decode

    secrets: set[str] = set()
    for header in headers:
        scheme, _, word = header.value.partition(" ")
        secrets |= {header.value, word}
        if scheme == "Basic":
            user = b64decode(word).decode("utf-8", "replace")
            secrets |= {user, user.partition(":")[2]}
    return encodings_of(filter(None, secrets))
