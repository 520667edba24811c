"""`hacheck exporter`: what it is told to look at, and where it serves it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from hachecks.drain.options import DrainOptions
from hachecks.exporter.hosts import ANY, NAME
from hachecks.node import PORT, Node, NodeOptions
from hachecks.registry import Entry
from hachecks.settings import option, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.registry import Output

SERVE = Entry("hachecks.exporter.main:serve", "the exporter, which needs the packages of hachecks[agent]")


class Listen:
    """An address to listen on: `HOST:PORT`, `[::1]:PORT`, or `:PORT` for all. Port 0 is any free one."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    @classmethod
    def parse(cls, text: str) -> Listen:
        """From text; raises `ValueError`."""
        host, colon, port = text.rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        plain = not any(letter in host for letter in ":[]")
        if not colon or not port.isdecimal() or int(port) > 65535 or not (plain or bare != host):
            raise ValueError(f"{text!r} is no address to listen on; write HOST:PORT, [::1]:PORT or :PORT")
        return cls(bare, int(port))

    def __repr__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@settings
class ExporterOptions(NodeOptions, DrainOptions):
    r"""Serve the state of this node's VIPs to Prometheus, and to people as a page.

    It tells what is (which addresses netlink shows), what Keepalived says (by `hacheck notify`, or its FIFO) and what
    the checks found, and where these disagree. What is not known is absent. It needs no root, and signals nobody,
    unless --keepalived-json asks Keepalived.

    \b
    /metrics       for Prometheus, as text or OpenMetrics
    /              the status page
    /api/status    the same as JSON
    /-/healthy     the exporter runs
    /-/ready       every source has been looked at
    """

    listen: tuple[Listen, ...] = option(
        default=(), metavar="ADDR", help=f"Listen on HOST:PORT, [::1]:PORT or :PORT, several times (default :{PORT})."
    )
    web_config: str | None = option(
        default=None, metavar="FILE", help="TLS and users, in the web.config.file that Prometheus exporters share."
    )
    allowed_host: tuple[str, ...] = option(
        default=(),
        metavar="NAME",
        help="Also answer who asks in this name, *.DOMAIN or *, several times. Without users or TLS only addresses, "
        "this node's names, single words and private domains are taken: a stranger's page would have another name.",
    )
    fifo: str | None = option(
        default=None, metavar="PATH", help="Follow this notify FIFO, made beforehand with mkfifo; nobody else may."
    )
    compat: Literal["none", "keepalived"] = option(
        default="none", help="Also serve the keepalived_* metrics that published dashboards use."
    )
    keepalived_json: str | None = option(
        default=None,
        metavar="DIR",
        help="Ask Keepalived for its JSON at each scrape, which it writes to this directory of a tmpfs. Needs root.",
    )
    pid_file: str = option(default="/run/keepalived.pid", metavar="FILE", help="Where Keepalived's process id is.")

    def validate(self) -> None:
        """Refuse what makes no sense together."""
        if self.keepalived_json is not None and not os.path.isabs(self.keepalived_json):
            raise ValueError(f"--keepalived-json {self.keepalived_json}: give the directory as an absolute path")
        for name in self.allowed_host:
            bare = name[2:] if name.startswith("*.") else name
            if name != ANY and (":" in name or not NAME.fullmatch(bare.lower().rstrip("."))):
                raise ValueError(f"--allowed-host {name}: write a name without a port, *.DOMAIN or *")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Serve until it is ended; returns whether anything could be listened on. Raises `Invalid` or `ImportError`."""
        served: bool = SERVE.load()(self, Node(self, environ), lambda line: output.complain(f"exporter: {line}"))
        return served
