"""What is wrong on a segment in words: what is seen, on which interface, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.verdict import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hachecks.agent.wire.subject import AskedVip, Speaker, Subject

FEW = 3


def second_master(subject: Subject, other: Speaker) -> str:
    """This node is MASTER, and another advertises the same."""
    return (
        f"{subject.name}: {_who(other)} advertises {_id(subject)} as well while this node is MASTER, so that "
        f"{_vips(subject)} {_has(subject)} two owners; {_difference(subject, other)}"
    )


def two_masters(subject: Subject, one: Speaker, other: Speaker) -> str:
    """Two other nodes advertise the same."""
    return (
        f"{subject.name}: {_who(one)} and {_who(other)} both advertise {_id(subject)}, so that {_vips(subject)} "
        f"{_has(subject)} two owners; neither hears the other: see whether firewall and switch let protocol 112 pass "
        "between them"
    )


def two_owners(subject: Subject, vip: AskedVip, macs: Sequence[str]) -> str:
    """More than one node answers for a VIP."""
    if subject.state == "MASTER":
        return (
            f"{subject.name}: {macs[0]} answers for {vip.address} on {vip.interface} while this node is MASTER, so "
            "that it has two owners; find that hardware, and take the address from it"
        )
    return (
        f"{subject.name}: {macs[0]} and {macs[1]} both answer for {vip.address} on {vip.interface}, so that it has two "
        "owners; find out which of them is not MASTER, and take the address from it"
    )


def deaf_master(subject: Subject, other: Speaker, through: bool | None) -> str:
    """This node stays MASTER though one with a higher priority advertises; `through`: whether the firewall lets it."""
    arrives = (
        f"{subject.name}: adverts of {_who(other)} with priority {other.priority} arrive on {subject.interface}, and "
        f"Keepalived stays MASTER with {subject.priority}"
    )
    if through is False:
        return f"{arrives}: the firewall of this node drops them; accept IP protocol 112 from {other.source}"
    if through:
        return f"{arrives}, though the firewall lets them pass: {_difference(subject, other)}"
    return f"{arrives}: the firewall drops them, or Keepalived does not take them; {_difference(subject, other)}"


def deaf_backup(subject: Subject, vip: AskedVip, mac: str) -> str:
    """Adverts do not arrive any more, though the VIP has an owner."""
    return (
        f"{subject.name}: adverts of {_id(subject)} arrive no more, though {mac} answers for {vip.address}, "
        f"and Keepalived here is about to take it as well; see whether the "
        f"switch passes on {'protocol 112' if subject.unicast else 'multicast'}, and whether Keepalived runs there"
    )


def unanswered(subject: Subject, vip: AskedVip) -> str:
    """The VIP has a master, and nobody answers for it."""
    return (
        f"{subject.name}: nobody answers for {vip.address} on {vip.interface} any more, though a master advertises "
        f"{_id(subject)}; see whether the address is on an interface there"
    )


def master_gone(subject: Subject, vip: AskedVip) -> str:
    """Nobody advertises, nobody answers, and this node does not take over."""
    return (
        f"{subject.name}: nobody advertises {_id(subject)} any more, nor answers for {vip.address}, and Keepalived "
        "here stays BACKUP; see what its log says, and start it anew"
    )


def foreign(subject: Subject, other: Speaker) -> str:
    """Another cluster uses the id."""
    return (
        f"{subject.name}: {_who(other)} uses {_id(subject)} for other VIPs ({_few(other.addresses)}); give one of the "
        "two clusters another virtual_router_id"
    )


def _difference(subject: Subject, other: Speaker) -> str:
    """Why the two do not take each other's adverts, as far as these tell."""
    missing = subject.advertised.symmetric_difference(other.addresses)
    if missing:
        return f"they do not advertise the same VIPs ({_few(sorted(missing))}): have one configuration on both"
    if other.interval != subject.interval:
        told = f"{in_words(other.interval)} there, {in_words(subject.interval)} here"
        return f"advert_int differs ({told}): have one configuration on both"
    return "see whether firewall and switch let protocol 112 pass both ways, and compare version and password"


def _who(speaker: Speaker) -> str:
    return f"{speaker.source} ({speaker.mac})"


def _id(subject: Subject) -> str:
    return f"virtual_router_id {subject.id} on {subject.interface}"


def _vips(subject: Subject) -> str:
    return _few(subject.vips) or "its VIPs"


def _has(subject: Subject) -> str:
    return "has" if len(subject.vips) == 1 else "have"


def _few(addresses: Iterable[str]) -> str:
    found = list(addresses)
    return ", ".join(found[:FEW]) + (f" and {len(found) - FEW} more" if len(found) > FEW else "")
