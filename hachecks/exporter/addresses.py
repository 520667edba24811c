"""The addresses on this node's interfaces right now, as netlink tells of every change."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks.exporter.addresses_netlink import (
    RTMGRP_IPV4_IFADDR,
    RTMGRP_IPV6_IFADDR,
    RTMGRP_LINK,
    AsyncIPRoute,
    NetlinkError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from hachecks.exporter.source import SourceHealth

GROUPS = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_LINK
RESYNC_INTERVAL = 30.0
"""Seconds after which all addresses are read again, should an event have been lost: 257 of them take 9 to 17 ms."""
RETRY_INTERVAL = 1.0
"""Seconds until netlink is asked again after trouble."""
IFF_UP, IFF_LOOPBACK = 0x1, 0x8
IFA_F_DADFAILED = 0x8
"""Another host has this IPv6 address: the kernel keeps it, and does not use it (RFC 4862, 5.4.5)."""


class Link(NamedTuple):
    """An interface: its name, and whether it is up and the loopback."""

    name: str
    is_up: bool
    is_loopback: bool

    @classmethod
    def of(cls, name: str, flags: int) -> Link:
        """The interface of this name with the kernel's flags."""
        return cls(name, bool(flags & IFF_UP), bool(flags & IFF_LOOPBACK))


class Present(NamedTuple):
    """The addresses at one instant, each with the interfaces that carry it, and the names of all interfaces."""

    links: Mapping[str, tuple[Link, ...]]
    names: frozenset[str]

    def interfaces_with(self, address: str, configured: str = "") -> tuple[str, ...]:
        """The names of the interfaces that carry an address.

        The loopback does not count where another interface is configured: real servers behind an LVS director carry
        its VIPs there.
        """
        links = self.links.get(address)
        if not links:
            return ()
        return tuple(sorted(link.name for link in links if not link.is_loopback or link.name == configured))


class Addresses:
    """The addresses of this network namespace by interface index, kept current while `follow` runs."""

    def __init__(self, source: SourceHealth) -> None:
        self.source = source
        self.links: dict[int, Link] = {}
        self.on: dict[str, set[int]] = {}
        self.listeners: list[Callable[[], None]] = []
        """Who is called when the kernel has told of a change."""
        self._meanwhile: list[Any] | None = None
        self._present: Present | None = None
        self.message_listeners: list[Callable[[Any], None]] = []
        """Who else hears each message of netlink, before it counts here."""

    def present(self) -> Present:
        """The addresses as a value; the same object until one of them, or an interface, has changed."""
        if self._present is None:
            links = {
                address: tuple(self.links[index] for index in indexes if index in self.links)
                for address, indexes in self.on.items()
            }
            self._present = Present(links, frozenset(link.name for link in self.links.values()))
        return self._present

    async def read(self) -> None:
        """Read all addresses once; raises `OSError`."""
        async with AsyncIPRoute(groups=0) as netlink:
            await self._read(netlink)

    async def follow(self) -> None:
        """Keep the addresses current for ever; after trouble everything is read anew."""
        while True:
            try:
                async with AsyncIPRoute(groups=0) as netlink:
                    await netlink.bind(groups=GROUPS)
                    # Subscribed before it is read, so that no change falls between.
                    await _until_one_ends(self._listen(netlink), self._read_regularly(netlink))
            except (OSError, NetlinkError) as error:
                self.source.failed(
                    f"netlink: {error}; addresses are read again every {RETRY_INTERVAL:g} s until it answers"
                )
            await asyncio.sleep(RETRY_INTERVAL)

    async def _listen(self, netlink: AsyncIPRoute) -> None:
        while True:
            async for message in netlink.get():
                if self._meanwhile is not None:
                    self._meanwhile.append(message)
                for listener in self.message_listeners:
                    listener(message)
                self._hear(message)

    async def _read_regularly(self, netlink: AsyncIPRoute) -> None:
        while True:
            await self._read(netlink)
            await asyncio.sleep(RESYNC_INTERVAL)

    async def _read(self, netlink: AsyncIPRoute) -> None:
        began = time.monotonic()
        self._meanwhile = []
        found = Addresses(self.source)
        async for message in await netlink.link("dump"):
            found._take_link(message)
        async for message in await netlink.addr("dump"):
            found._take_address(message, there=True)
        changed = (self.on, self.links) != (found.on, found.links)
        if changed:
            self.links, self.on, self._present = found.links, found.on, None
        # What happened while it was read may be older or newer than what was read: said again, it is in the end right.
        meanwhile, self._meanwhile = self._meanwhile, None
        for message in meanwhile:
            self._hear(message)
        self.source.succeeded(changed, time.monotonic() - began)

    def _hear(self, message: Any) -> None:
        event = message["event"]
        self._present = None
        if event == "RTM_NEWLINK":
            self._take_link(message)
        elif event == "RTM_DELLINK":
            self.links.pop(message["index"], None)
        elif event in ("RTM_NEWADDR", "RTM_DELADDR"):
            self._take_address(message, there=event == "RTM_NEWADDR")
        self.source.succeeded(changed=True)
        for listener in self.listeners:
            listener()

    def _take_link(self, message: Any) -> None:
        self.links[message["index"]] = Link.of(str(message.get("ifname")), message["flags"])

    def _take_address(self, message: Any, there: bool) -> None:
        # IFA_LOCAL is ours where IFA_ADDRESS is the peer's; IPv6 has no IFA_LOCAL without a peer.
        address = str(message.get("local") or message.get("address"))
        indexes = self.on.setdefault(address, set())
        if there and not (message.get("flags") or 0) & IFA_F_DADFAILED:
            indexes.add(message["index"])
        else:
            indexes.discard(message["index"])
        if not indexes:
            del self.on[address]


async def _until_one_ends(*endless: Coroutine[Any, Any, None]) -> None:
    """Run coroutines that end by raising only, and raise what the first of them does."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in endless]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
