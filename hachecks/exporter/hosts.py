"""The host names by which the exporter may be asked: a stranger's page must not read it through a reader's browser.

A browser takes a name that its owner has pointed here (DNS rebinding) for the stranger's own site, and lets its scripts
read what we answer. Such a name is always a public one, so that addresses, the names of this node, single words such as
a Service's, and names below the domains that nobody can register are taken; others are to be allowed by the one who
runs the exporter. Prometheus asks by address in Kubernetes, and by whatever name its configuration has elsewhere.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PRIVATE_DOMAINS = (
    "cluster.local", "home.arpa", "internal", "intranet", "invalid", "lan", "local", "localdomain", "localhost", "svc",
    "test",
)  # fmt: skip
"""Domains below which nobody can register a name (RFC 2606, 6761, 6762, 8375; ICANN's `internal`), or nobody sells."""
MAX_FILE_BYTES = 65536
"""Of resolv.conf and the file of hosts, more of which is not read."""
NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
ANY = "*"
"""Allows every name."""


class Hosts:
    """The names in which one may ask: `allowed` are names, `*.DOMAIN` for all below one, or `*` for any."""

    def __init__(self, allowed: Iterable[str], environ: Mapping[str, str], etc: str = "/etc") -> None:
        self.allowed = {name.lower().rstrip(".") for name in allowed}
        self.own = set(_own(environ, etc))

    def takes(self, host: str | None) -> bool:
        """Whether the Host header names this node; a client that sends none is no browser."""
        if host is None or ANY in self.allowed:
            return True
        name = _without_port(host.strip().lower()).rstrip(".")
        if _is_address(name):
            return True
        if not NAME.fullmatch(name):
            return False
        parents = [name[at:] for at, letter in enumerate(name) if letter == "."]
        return (
            "." not in name
            or name in self.allowed
            or name in self.own
            or any(f"*{parent}" in self.allowed or parent[1:] in PRIVATE_DOMAINS for parent in parents)
        )


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def _own(environ: Mapping[str, str], etc: str) -> Iterator[str]:
    """The node's names, alone and with the domains in which it looks for others, and all of its file of hosts."""
    names = [name.lower() for name in (os.uname().nodename, environ.get("NODE_NAME", "")) if name]
    yield from names
    for words in _lines(os.path.join(etc, "resolv.conf")):
        if words[0] in ("search", "domain"):
            yield from (
                f"{name.partition('.')[0]}.{domain.lower().rstrip('.')}" for name in names for domain in words[1:]
            )
    for words in _lines(os.path.join(etc, "hosts")):
        yield from (name.lower() for name in words[1:])


def _lines(path: str) -> Iterator[list[str]]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(descriptor, encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_FILE_BYTES)
    except OSError:
        return
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words:
            yield words
