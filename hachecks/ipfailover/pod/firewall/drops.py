"""Where this node drops adverts: an acceptance in a table of one's own never overrides a drop in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.family import IPV4
from hachecks.ipfailover.pod.firewall import ruleset, saved
from hachecks.ipfailover.pod.firewall.iptables import NFT, backends
from hachecks.ipfailover.pod.firewall.packet import Packet
from hachecks.ipfailover.pod.firewall.programs import Refused, find
from hachecks.ipfailover.pod.firewall.ruleset import Listing, family_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hachecks.ipfailover.pod.firewall.iptables import Backend
    from hachecks.ipfailover.pod.firewall.model import Drop
    from hachecks.ipfailover.pod.firewall.passages import Passage

NAT = "nat"
"""The table in which iptables lets nobody drop anything: it may have the most rules of all."""


class Dropped(NamedTuple):
    """Adverts, where they are dropped, whether that is certain, and what to do about it.

    `is_preceded` tells whether a rule of ours would come before it, which is made first in its chain.
    """

    advert: Passage
    place: str
    certain: bool
    cure: str
    is_preceded: bool


class Drops:
    """Each place at which adverts are dropped, or may be, once; `are_all` is False where some rules cannot be seen."""

    def __init__(self, adverts: Iterable[Passage], interface: str) -> None:
        self.are_all = True
        self._nft = Listing() if find("nft") else None
        self._iptables: dict[Backend, Mapping[str, Sequence[list[str]]]] = {}
        found: dict[tuple[str, bool], Dropped] = {}
        for one in adverts:
            for drop in self._of(Packet(one, interface)):
                dropped = Dropped(one, drop.place, drop.certain, drop.cure, drop.is_preceded)
                found.setdefault((drop.place, one.incoming), dropped)
        self.found = tuple(found.values())

    def _of(self, packet: Packet) -> Iterator[Drop]:
        saves: dict[Backend, Mapping[str, Sequence[list[str]]]] = {}
        for backend in backends([packet.passage.family]):
            try:
                saves[backend] = self._tables(backend)
            except Refused:
                self.are_all = False
        family = family_of(packet)
        known = {(family, table) for backend, tables in saves.items() if backend.way == NFT for table in tables}
        try:
            packet.is_tracked = not (
                any(saved.may_untrack(packet, tables) for tables in saves.values())
                or (self._nft and ruleset.may_untrack(packet, self._nft, known))
            )
            for backend, tables in saves.items():
                yield from saved.drops(packet, tables, backend.command)
            if self._nft:
                yield from ruleset.drops(packet, self._nft, known)
        except Refused:
            self.are_all = False

    def _tables(self, backend: Backend) -> Mapping[str, Sequence[list[str]]]:
        """The tables that are iptables' own, their lines in words; raises `Refused`."""
        if backend not in self._iptables:
            own = {*saved.TABLES, NAT}
            if self._nft and backend.way == NFT:
                own = self._nft.own("ip" if backend.family == IPV4 else "ip6", saved.TABLES) | {NAT}
            lines = {table: backend.saved(table) for table in saved.TABLES if table in own}
            self._iptables[backend] = {
                table: [words for line in lines.get(table, ()) if (words := saved.words_of(line))] for table in own
            }
        return self._iptables[backend]


def sentences(drops: Iterable[Dropped]) -> Iterator[str]:
    """A sentence for each place."""
    ways: dict[str, set[str]] = {}
    cures: dict[str, str] = {}
    for one in drops:
        ways.setdefault(one.place, set()).add("from" if one.advert.incoming else "to")
        cures.setdefault(one.place, one.cure)
    for place, which in ways.items():
        way = " and ".join(sorted(which))
        yield f"adverts {way} others are dropped by {place}, which no rule elsewhere overrides; {cures[place]}"
