"""The names of peers: what addresses they come to, found again and again in threads that may be abandoned."""

from __future__ import annotations

import _thread
import asyncio
import ipaddress
import socket
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hachecks.http.url import Url

RESOLVE_INTERVAL = 5.0
"""Seconds between two resolutions of a name: CoreDNS has the addresses of a headless Service cached for as long."""
MOST_ADDRESSES = 1024
RETRY_INTERVAL = 1.0
"""Seconds after which a name is tried again that could not be resolved."""


class Place(NamedTuple):
    """Where a peer is: an address and a port, asked by the scheme, path and name of a URL."""

    address: str
    url: Url

    @property
    def label(self) -> str:
        """`ADDRESS:PORT`, as metrics and people have it."""
        return f"[{self.address}]:{self.url.port}" if ":" in self.address else f"{self.address}:{self.url.port}"


class PeerName:
    """One URL: the addresses that its name came to last, and why it could not be resolved."""

    def __init__(self, url: Url) -> None:
        self.url = url
        self.trouble = ""
        literal = _literal(url.host)
        self.is_name = literal is None
        self.addresses: list[str] = [literal] if literal else []
        self._pending = False
        self._due = 0.0

    @property
    def places(self) -> list[Place]:
        """Where its peers are; a name that came to nothing yet stands for one that is silent."""
        return [Place(address, self.url) for address in self.addresses]

    def refresh(self) -> None:
        """Begin to resolve the name, if it is time, and none of that goes on yet."""
        if not self.is_name or self._pending or monotonic() < self._due:
            return
        self._pending = True
        try:
            _thread.start_new_thread(self._resolve, (asyncio.get_running_loop(),))
        except RuntimeError:
            self._take(None, "there is no room for a thread that resolves it")

    def _resolve(self, loop: asyncio.AbstractEventLoop) -> None:
        addresses, trouble = None, ""
        try:
            found = socket.getaddrinfo(self.url.host, self.url.port, type=socket.SOCK_STREAM)
            addresses = _addresses(sockaddr for *_, sockaddr in found)
        except OSError as error:
            trouble = error.strerror or str(error)
        except UnicodeError:
            trouble = "it is no name"
        try:
            loop.call_soon_threadsafe(self._take, addresses, trouble)
        except RuntimeError:  # the agent has ended meanwhile
            return

    def _take(self, found: list[str] | None, trouble: str) -> None:
        self._pending = False
        self._due = monotonic() + (RETRY_INTERVAL if found is None else RESOLVE_INTERVAL)
        self.trouble = "" if found else f"{self.url.host} cannot be resolved: {trouble or 'it has no address'}"
        self.addresses = self.addresses if found is None else found


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _addresses(found: Iterable[tuple[object, ...]]) -> list[str]:
    """The addresses, each once, and no more than need be counted; one with a zone is of a segment alone."""
    addresses = dict.fromkeys(str(address) for address, *_ in found)
    return [one for one in addresses if "%" not in one][:MOST_ADDRESSES]
