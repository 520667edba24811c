"""Redirects: where one leads, whether it is followed, and what the next request is."""

from __future__ import annotations

from hachecks.http.connection import HttpConnection
from hachecks.net.target import Target
from hachecks.settings import settings_of
from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hachecks.http.headers import Header
    from hachecks.http.response import Response
    from hachecks.http.url import Url

MAX_REDIRECTS = 10
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


def location_of(response: Response) -> str:
    """Where the answer says that the page is; empty where it does not. Bytes that are not UTF-8 are escaped."""
    values = [value.encode("latin-1") for name, value in response.headers if name.lower() == "location"]
    return next((value.decode("utf-8", "surrogateescape") for value in values if value.strip()), "")


def is_redirect(response: Response) -> bool:
    """Whether the answer is a redirect that says where to."""
    return response.status in REDIRECT_STATUSES and bool(location_of(response))


class Trail:
    """The requests from the first to the one that comes next."""

    def __init__(self, url: Url, method: str, allowed: str) -> None:
        self.first = url
        self.url = url
        self.method = method
        self.allowed = allowed
        self.passed = [(method, url)]

    def follow(self, response: Response) -> None:
        """Go where the answer to the last request leads; raises `Failure` when it must not be followed there."""
        there = next_url(self.url, response, self.allowed)
        method = next_method(response.status, self.method)
        if (method, there) in self.passed:
            raise Failure(f"{self.first} redirects in a circle: {there} comes again")
        if len(self.passed) > MAX_REDIRECTS:
            raise Failure(f"{self.first} redirects more than {MAX_REDIRECTS} times")
        self.url, self.method = there, method
        self.passed.append((method, there))

    def headers(self, given: list[Header]) -> list[Header]:
        """Those that are meant for the host that is asked: another one is told neither secrets nor another's name."""
        if self.url.keeps_secrets_of(self.first):
            return given
        is_at_home = self.url.is_on_host_of(self.first)
        return [one for one in given if not one.is_secret and (is_at_home or one.name.lower() != "host")]

    def connection(self, given: HttpConnection) -> HttpConnection:
        """The way to the host that is asked: `--server-name` and `--connect-to` are the first one's.

        Where only the port is another one, `--connect-to` stands for the host still, and its port for the first port.
        """
        is_at_home = self.url.is_on_host_of(self.first)
        other: dict[str, Any] = {}
        instead = given.connect_to
        if instead is not None and not (is_at_home and (instead.path or self.url.port == self.first.port)):
            other["connect_to"] = Target(instead.host, None) if is_at_home else None
        if given.server_name is not None and not is_at_home:
            other["server_name"] = None
        return with_other(given, **other) if other else given


def with_other(given: HttpConnection, **other: Any) -> HttpConnection:
    """The connection as it was given, apart from these options."""
    same = {setting.name: getattr(given, setting.name) for setting in settings_of(HttpConnection)}
    return HttpConnection(**{**same, **other})


def next_url(here: Url, response: Response, allowed: str) -> Url:
    """Where the answer of this URL leads; raises `Failure` when it must not be followed there."""
    try:
        there = here.join(location_of(response))
    except ValueError as error:
        raise Failure(f"{here} redirects to what is not a URL: {error}", "protocol") from None
    if not there.is_on_host_of(here) and allowed == "same-host":
        raise Failure(f"{here} redirects to {there}, another host (--redirects any-host follows it)")
    if (here.scheme, there.scheme) == ("https", "http"):
        raise Failure(f"{here} redirects to {there}, out of TLS, which is never followed")
    return there


def next_method(status: int, method: str) -> str:
    """The method for the next request: as browsers do, a GET where the status does not ask for the same again."""
    if status == 303 and method != "HEAD":
        return "GET"
    return "GET" if status in (301, 302) and method == "POST" else method
