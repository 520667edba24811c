"""The judgement: where each VIP is over all nodes, who is silent, and what differs between them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from hachecks.group.differences import differences, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hachecks.group.answer import Answer

ONCE, TWICE, NOBODY, UNKNOWN = "once", "twice", "by nobody", "not known"
WORST_FIRST = (TWICE, NOBODY, UNKNOWN, ONCE)
FAULTS = (TWICE, NOBODY)
"""What counts when two rounds have found it: a VIP that moves may be on both nodes, or none, while they are asked."""


class Member(NamedTuple):
    """A node of the group as it was asked last: `peer` is where, and empty for the node that judges.

    `answer` is None while it is silent: then `trouble` says why, `since` since when, and `node` what it was called.
    Times are seconds of the epoch; `answered` is None where it never was.
    """

    peer: str
    node: str
    answer: Answer | None
    trouble: str = ""
    since: float | None = None
    answered: float | None = None

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.node or self.peer


class GroupVip(NamedTuple):
    """A VIP over all nodes: `on` those that have it, `masters` are MASTER of it, `unsure` cannot tell.

    `served` is what it comes to, `seen` what the last round alone found.
    """

    address: str
    on: tuple[str, ...]
    masters: tuple[str, ...]
    unsure: tuple[str, ...]
    served: str
    seen: str

    @property
    def owners(self) -> int | None:
        """How many nodes have it; None where none of those that can tell has it, and another cannot tell."""
        return len(self.on) or (None if self.unsure else 0)

    @property
    def trouble(self) -> str:
        """What is wrong, in one sentence."""
        if self.served == TWICE:
            return f"{self.address} is served {times(len(self.on))}: by {listed(self.on)}"
        if self.served == NOBODY:
            said = f", though Keepalived on {listed(self.masters)} says MASTER" if self.masters else ""
            return f"{self.address} is served by nobody{said}"
        return ""


class Group(NamedTuple):
    """All nodes at one instant; the VIPs are worst first, `differences` are sentences."""

    members: tuple[Member, ...]
    vips: tuple[GroupVip, ...]
    differences: tuple[str, ...]

    @property
    def silent(self) -> tuple[Member, ...]:
        """The nodes that do not answer."""
        return tuple(one for one in self.members if one.answer is None)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What is wrong with VIPs, in sentences."""
        return tuple(vip.trouble for vip in self.vips if vip.trouble)

    def held_by(self, member: Member) -> int:
        """How many VIPs a node has."""
        return sum(member.name in vip.on for vip in self.vips)

    @property
    def is_doubtful(self) -> bool:
        """Whether the last round found what one more round is to confirm."""
        return any(one.seen in FAULTS and one.seen != one.served for one in self.vips)

    @property
    def well(self) -> bool:
        """Whether each VIP is served once, nobody is silent, and each node agrees with itself."""
        served = bool(self.vips) and all(one.served == ONCE for one in self.vips)
        return served and all(one.answer is not None and one.answer.agrees for one in self.members)


def judged(members: Sequence[Member], before: Group | None = None) -> Group:
    """What the answers of one round come to, `before` being what came of the last one."""
    named = tuple(_with_names_of_their_own(members))
    known = {vip.address: vip for vip in before.vips} if before else {}
    vips = _vips(named, known)
    ranked = sorted(vips, key=lambda vip: (WORST_FIRST.index(vip.served), *_order(vip.address)))
    return Group(named, tuple(ranked), tuple(differences([(one.name, one.answer) for one in named if one.answer])))


def _with_names_of_their_own(members: Sequence[Member]) -> Iterator[Member]:
    """The members, those of one name told apart by where they are."""
    names = [one.name for one in members]
    for one in members:
        alike = names.count(one.name) > 1 and one.peer and one.peer != one.name
        yield one._replace(node=f"{one.name} ({one.peer})") if alike else one


def _vips(members: Sequence[Member], known: Mapping[str, GroupVip]) -> Iterator[GroupVip]:
    silent = [one.name for one in members if one.answer is None]
    found: dict[str, tuple[list[str], list[str], list[str]]] = {}
    for member in members:
        for address, held in member.answer.vips.items() if member.answer else ():
            on, masters, unsure = found.setdefault(address, ([], [], []))
            if held.present:
                on.append(member.name)
            if held.present is None:
                unsure.append(member.name)
            if held.state == "MASTER":
                masters.append(member.name)
    for address, (on, masters, unsure) in found.items():
        doubts = (*unsure, *silent)
        seen = TWICE if len(on) > 1 else ONCE if on else UNKNOWN if doubts else NOBODY
        before = known.get(address)
        served = seen
        if seen in FAULTS and (before is None or before.seen != seen):
            served = before.served if before else UNKNOWN
        yield GroupVip(address, tuple(on), tuple(masters), doubts, served, seen)


def _order(address: str) -> tuple[int, int]:
    ip = ipaddress.ip_address(address)
    return ip.version, int(ip)


def times(count: int) -> str:
    """How often something is done."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
