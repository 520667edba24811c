"""The exporter's HTTP server: what it answers, and to whom."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from prometheus_client.exposition import choose_encoder

from hachecks.exporter import body, page
from hachecks.exporter.document import document
from hachecks.group.answer import PATH
from hachecks.services.exposition import OPENMETRICS, TEXT
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hachecks.exporter.additions import Additions
    from hachecks.exporter.body import CachedSection
    from hachecks.exporter.complaints import Complaints
    from hachecks.exporter.connections import Connections
    from hachecks.exporter.hosts import Hosts
    from hachecks.exporter.own_answer import OwnAnswer
    from hachecks.exporter.view_builder import ViewBuilder
    from hachecks.exporter.web_config.config import WebConfig

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

END = {TEXT: b"", OPENMETRICS: b"# EOF\n"}
SCRAPE_TIMEOUT = "X-Prometheus-Scrape-Timeout-Seconds"
JSON_TIMEOUT = 2.0
"""Seconds that Keepalived is given to write its JSON where the scrape does not say how long it waits."""
FOR_PROBES = ("/-/healthy", "/-/ready")
"""What kubelet asks in whatever name it is told, and a stranger learns nothing from."""
RETRY_AFTER_SECONDS = 5
"""Seconds after which one who tried too many passwords may ask again."""
ANSWER_RESERVE = 0.5
"""Seconds of a scrape's timeout that are left for the answer's way."""


class Answer(web.Response):
    """A response that is no longer kept when it is sent: aiohttp keeps the last one of each connection."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send what is left of it."""
        await super().write_eof(data)
        self.body = None


class Server:
    """The handlers of all paths; each looks at the sources before it answers."""

    def __init__(
        self,
        views: ViewBuilder,
        own: OwnAnswer,
        sections: Sequence[CachedSection],
        web_config: WebConfig | None,
        hosts: Hosts,
        complaints: Complaints,
        additions: Additions,
    ) -> None:
        self.views = views
        self.own = own
        self.sources = views.sources
        self.sections = sections
        self.web_config = web_config
        self.hosts = hosts
        self.complaints = complaints
        self.additions = additions
        self.connections: Connections | None = None

    def application(self) -> web.Application:
        """The application to serve."""
        application = web.Application(middlewares=[self._guarded])
        application.add_routes(
            [
                web.get("/metrics", self.metrics),
                web.get("/", self.page),
                web.get("/api/status", self.status),
                web.get(PATH, self.node),
                web.get("/-/healthy", self.healthy),
                web.get("/-/ready", self.ready),
                *self.additions.routes(),
            ]
        )
        return application

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = self.connections.of(request.protocol) if self.connections else None
        if self.connections and connection:
            connection.asks()
            self.connections.relieve()
        await self._admit(request, connection.peer if connection else "")
        if connection:
            connection.is_welcome = True
        response = await handler(request)
        if connection and isinstance(response, web.Response) and isinstance(response.body, bytes):
            connection.answer = len(response.body)
        response.headers["X-Content-Type-Options"] = "nosniff"
        if self.web_config:
            response.headers.update(self.web_config.headers)
        return response

    async def _admit(self, request: web.Request, peer: str) -> None:
        """Raise the answer to one who may not ask, or not in this name."""
        if self.web_config and not self.web_config.allows():
            raise web.HTTPTooManyRequests
        if self.web_config:
            admitted = await self.web_config.admits(request.headers.get(hdrs.AUTHORIZATION), peer)
            if admitted is None:
                raise _last(web.HTTPTooManyRequests(headers={hdrs.RETRY_AFTER: str(RETRY_AFTER_SECONDS)}))
            if not admitted:
                raise _last(web.HTTPUnauthorized(headers={hdrs.WWW_AUTHENTICATE: "Basic"}))
        if self._is_public and request.path not in FOR_PROBES and not self.hosts.takes(request.headers.get(hdrs.HOST)):
            told = f"{request.headers[hdrs.HOST]} is not known as a name of this node"
            self.complaints.add("host", f"{peer} asked, and {told}; allow it with --allowed-host, if it is one")
            advice = "ask by its address, or start the exporter with --allowed-host"
            raise _last(web.HTTPMisdirectedRequest(text=f"{visible(told)}; {advice}\n"))

    @property
    def _is_public(self) -> bool:
        """Whether a browser would send all that it takes to be answered: it has no password for a stranger's name.

        Nor would it take our certificate for the stranger's.
        """
        return self.web_config is None or not (self.web_config.has_users or self.web_config.ssl_context())

    async def metrics(self, request: web.Request) -> web.Response:
        """The metrics, as the scraper takes them."""
        await self.sources.ask_keepalived(_time_for_json(request))
        self.sources.refresh()
        view = self.views.view()
        _, content_type = choose_encoder(request.headers.get(hdrs.ACCEPT, ""))
        format = OPENMETRICS if "openmetrics" in content_type else TEXT
        headers = {hdrs.CONTENT_TYPE: content_type, hdrs.VARY: "Accept, Accept-Encoding"}
        if _takes_gzip(request):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            return Answer(body=body.gzipped(self.sections, view, format, END[format]), headers=headers)
        return Answer(body=body.joined(self.sections, view, format, END[format]), headers=headers)

    async def page(self, request: web.Request) -> web.Response:
        """The status page; nothing new where the reader has it already."""
        self.sources.refresh()
        headers = {
            hdrs.ETAG: f'"{self.sources.fingerprint()}-{self.additions.group_version}"',
            hdrs.CACHE_CONTROL: "no-cache",
            "Content-Security-Policy": page.CONTENT_SECURITY_POLICY,
            "Referrer-Policy": "no-referrer",
        }
        if headers[hdrs.ETAG] in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return Answer(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        response = Answer(text=page.render(self.views.view()), content_type="text/html", headers=headers)
        response.enable_compression()
        return response

    async def status(self, _: web.Request) -> web.Response:
        """The status as JSON."""
        self.sources.refresh()
        headers = {hdrs.CACHE_CONTROL: "no-store"}
        text = json.dumps(document(self.views.view()), ensure_ascii=False)
        response = Answer(text=text, content_type="application/json", headers=headers)
        response.enable_compression()
        return response

    async def node(self, request: web.Request) -> web.Response:
        """What this node says to those that share its VIPs; nothing new where they have it already."""
        self.sources.refresh()
        text, fingerprint = self.own.text(self.views.view())
        headers = {hdrs.ETAG: f'"{fingerprint}"', hdrs.CACHE_CONTROL: "no-cache"}
        if headers[hdrs.ETAG] in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return Answer(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Answer(body=text, content_type="application/json", headers=headers)

    async def healthy(self, _: web.Request) -> web.Response:
        """It runs, or it would not answer; and so does what runs beside it."""
        trouble = self.additions.not_healthy()
        if not trouble:
            return Answer(text="healthy\n")
        return Answer(text=f"not healthy: {trouble}\n", status=HTTPStatus.SERVICE_UNAVAILABLE)

    async def ready(self, _: web.Request) -> web.Response:
        """Whether all sources have been looked at once."""
        self.sources.refresh()
        missing = self.additions.not_ready() if self.sources.is_ready else "the addresses are being read"
        if not missing:
            return Answer(text="ready\n")
        return Answer(text=f"not yet: {missing}\n", status=HTTPStatus.SERVICE_UNAVAILABLE)


def _last(answer: web.HTTPException) -> web.HTTPException:
    """The answer as the last of its connection: who is not admitted shall not keep one."""
    answer.force_close()
    return answer


def _time_for_json(request: web.Request) -> float:
    """Seconds that may pass before the scraper gives up."""
    try:
        return max(0.1, min(JSON_TIMEOUT, float(request.headers.get(SCRAPE_TIMEOUT, "")) - ANSWER_RESERVE))
    except ValueError:
        return JSON_TIMEOUT


def _takes_gzip(request: web.Request) -> bool:
    for offer in request.headers.get(hdrs.ACCEPT_ENCODING, "").split(","):
        coding, _, quality = offer.replace(" ", "").partition(";q=")
        if coding in ("gzip", "*"):
            return quality.strip("0.") != "" or not quality
    return False
