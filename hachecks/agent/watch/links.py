"""Links and addresses of this node: which checks a change of theirs concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hachecks.agent.watch.targets import ways
from hachecks.net.target import family_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from hachecks.agent.check import AgentCheck
    from hachecks.agent.watch.targets import Way

IFF_UP, IFF_RUNNING, IFF_LOWER_UP = 0x1, 0x40, 0x10000
STATE = IFF_UP | IFF_RUNNING | IFF_LOWER_UP
"""What of a link's flags says whether it carries anything: switched on, and with a carrier."""
IFA_F_DADFAILED, IFA_F_TENTATIVE = 0x8, 0x40
UNUSABLE = IFA_F_DADFAILED | IFA_F_TENTATIVE
HOST_BITS = (32, 128)
"""Prefix lengths of an address that no route comes with, as Keepalived's VIPs have them."""


class Change(NamedTuple):
    """What is another than before: a link, or an address; `with_route` where the route of a network came with it."""

    link: str = ""
    address: str = ""
    with_route: bool = False


class Changes:
    """Tells what is new of what netlink says again and again: an address each time its lifetime is renewed."""

    def __init__(self) -> None:
        self._links: dict[int, tuple[str, int]] = {}
        self._addresses: dict[tuple[int, str], int] = {}

    def of(self, message: Any, known: Container[str]) -> Change | None:
        """The change that a message of netlink tells of, if it does; `known` are the addresses before it."""
        event = message["event"]
        if event in ("RTM_NEWLINK", "RTM_DELLINK"):
            return self._link(message, event == "RTM_NEWLINK")
        if event in ("RTM_NEWADDR", "RTM_DELADDR"):
            return self._address(message, event == "RTM_NEWADDR", known)
        return None

    def _link(self, message: Any, is_there: bool) -> Change | None:
        index, now = message["index"], (str(message.get("ifname")), message["flags"] & STATE if is_there else -1)
        before = self._links.pop(index, None)
        if is_there:
            self._links[index] = now
        return Change(link=now[0]) if now != before else None

    def _address(self, message: Any, is_there: bool, known: Container[str]) -> Change | None:
        address = str(message.get("local") or message.get("address"))
        key = (message["index"], address)
        now = (message.get("flags") or 0) & UNUSABLE if is_there else -1
        before = self._addresses.pop(key, 0 if address in known else None)
        if is_there:
            self._addresses[key] = now
        if now == before:
            return None
        return Change(address=address, with_route=message["prefixlen"] not in HOST_BITS)


class Concerns:
    """Which checks a change concerns: an address those that name it, a link or a route all whose packets leave here.

    The move of 255 VIPs tells of 510 addresses, just when Keepalived needs the processor: it has no check run but those
    that ask a VIP.
    """

    def __init__(self, checks: Iterable[AgentCheck]) -> None:
        self._ways = [(check, way) for check in checks for way in ways(check.probe)]
        self._by_address: dict[str, list[AgentCheck]] = {}
        for check, way in self._ways:
            for address in {way.source, way.host}:
                self._by_address.setdefault(address, []).append(check)

    def of(self, change: Change) -> list[AgentCheck]:
        """The checks to be run."""
        found = {id(check): check for check in self._found(change)}
        return list(found.values())

    def _found(self, change: Change) -> Iterator[AgentCheck]:
        if change.address:
            yield from self._by_address.get(change.address, ())
        for check, way in self._ways:
            if _leaves_by(way, change):
                yield check


def _leaves_by(way: Way, change: Change) -> bool:
    if change.link and way.interface:
        return way.interface == change.link
    if way.stays_here:
        return False
    return bool(change.link) or (change.with_route and family_of(change.address) in way.families)
