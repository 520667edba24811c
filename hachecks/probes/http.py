"""The HTTP probe: whether a URL gives the right response."""

from __future__ import annotations

from time import monotonic

from hachecks.http.connection import ProxiedConnection
from hachecks.http.redirects import Trail, is_redirect, location_of
from hachecks.http.request import Request, RequestOptions
from hachecks.http.response import ResponseOptions
from hachecks.http.url import Url
from hachecks.settings import argument, option, settings
from hachecks.verdict import Verdict, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hachecks.deadline import Deadline
    from hachecks.http.response import Response


@settings
class HttpProbe(ProxiedConnection, ResponseOptions, RequestOptions):
    """Request a URL and judge the answer.

    PASS when the status is expected (200-299 unless --status says otherwise), everything else that was asked of the
    answer is so, and the body came to its end or to --max-body. FAIL when not, and when there is no answer in time, or
    one that breaks off or is none by the protocol. UNKNOWN when the name does not resolve or a file cannot be read.

    A redirect is an answer like any other, followed only with --redirects; another host is asked at its own address and
    by its own name, without --connect-to and --server-name. A body is text in the charset that it says, or else UTF-8.
    Bodies are not decompressed, cookies are not kept, and no proxy is taken from the environment. Of a body larger than
    --max-body the beginning is judged; a --json condition FAILs then.

    A --json condition is a path, an operator (== != < <= > >= =~ !~) and a JSON value: '.queue.depth < 100',
    '.nodes[0]."read only" == false', '.members | length >= 3'. Also '.leader exists', '.error absent', and a path
    alone, which wants a value other than null and false.
    """

    url: Url = argument(metavar="URL", help="http://HOST[:PORT]/PATH or https://…")
    redirects: Literal["no", "same-host", "any-host"] = option(
        default="no", help="Follow redirects and judge the last answer; never from https to http."
    )
    http2: bool = option(default=False, help="Speak HTTP/2; also without TLS.")

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        self.validate_network()
        self.validate_request()
        self.validate_tls(self.url.scheme == "https" or self.redirects != "no", "an https:// URL")
        self.validate_proxy()
        if self.http2 and self.proxy is not None and self.url.scheme == "http":
            raise ValueError("--http2 through a proxy needs an https:// URL")

    @property
    def subject(self) -> str:
        """The URL, without its query."""
        return str(self.url)

    def check(self, deadline: Deadline) -> Verdict:
        """Ask, follow where allowed, judge."""
        started = monotonic()
        response, url = self._ask(deadline)
        where = str(url) if url == self.url else f"{url} (redirected from {self.url})"
        told = f"{where} answered {response.status} in {in_words(monotonic() - started)}"
        complaint, kind = next(self.complaints(response, deadline.phases), ("", ""))
        if not complaint:
            return Verdict.passing(told, **response.measured)
        hint = self._hint(response, url) if response.status not in self.status else ""
        return Verdict.failing(f"{told}; {complaint}{hint}", kind, **response.measured)

    def _ask(self, deadline: Deadline) -> tuple[Response, Url]:
        """The answer that is judged, and who gave it."""
        body = self.content()
        method = self.method or ("GET" if body is None else "POST")
        headers, proxy_headers = self.all_headers(), self.proxy_headers()
        trail = Trail(self.url, method, self.redirects)
        while True:
            request = Request(
                trail.url,
                trail.headers(headers),
                method=trail.method,
                body=body if trail.method == method else None,
                http2=self.http2,
                proxy=self.proxy,
                proxy_headers=proxy_headers,
                body_limit=self.max_body,
            )
            response = trail.connection(self).exchange(request, deadline)
            if self.redirects == "no" or not is_redirect(response):
                return response, trail.url
            trail.follow(response)

    def _hint(self, response: Response, url: Url) -> str:
        """Where an unexpected redirect points, and which option follows it."""
        if not is_redirect(response) or self.redirects != "no":
            return ""
        try:
            there = url.join(location_of(response))
        except ValueError:
            return ""
        option = "same-host" if there.is_on_host_of(url) else "any-host"
        return f"; it points to {there} (--redirects {option} follows it)"
