"""Preflight as a whole: each look at this node and its segment, within a few seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.family import family
from hachecks.ipfailover.pod import leftovers
from hachecks.ipfailover.pod.preflight import answered, arrival, elections, links, others, rights
from hachecks.ipfailover.pod.preflight import interface as interfaces
from hachecks.ipfailover.pod.preflight.finding import Finding, listed
from hachecks.ipfailover.pod.preflight.hearing import hear

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from hachecks.ipfailover.pod.preflight.hearing import Heard
    from hachecks.ipfailover.pod.preflight.links import Links
    from hachecks.ipfailover.render.target import Target
    from hachecks.wire.frames import Advert

ADVERTS = 3
"""For so many of them is heard what others say: a master that lost one or two of them is heard none the less."""
MARGIN = 0.2
LEAST, MOST = 1.2, 4.0
"""Seconds: others may advertise each second where we do more often, and nobody waits for an hour."""


def look(target: Target, vips: Iterable[str], interface: str) -> list[Finding]:
    """What is found before Keepalived is started for this target; it takes three adverts, and at most five seconds.

    Keepalived must not run for it yet. What lets us look no further, such as that a right is missing, comes alone.
    """
    served = tuple(vips)
    try:
        found = list(rights.look(target.settings, rights.of_self()))
        if any(one.kind == "fatal" for one in found):
            return found
        there = links.read()
        found += interfaces.look(target.settings, served, interface, there)
        named = list(others.look(target))
        found += named
        found += answered.by_ourselves(served, interface, there)
        found += _left(served, interface, there)
        link = there.by_name.get(interface)
        if link and link.is_up and link.has_carrier:
            found += _segment(target, served, interface, there, is_named=bool(named))
    except OSError as error:
        found = [Finding(f"{interface} and its segment cannot be looked at: {error.strerror or error}", "warn")]
    return list(dict.fromkeys(found))


def look_for(target: Target, vips: Collection[str], interface: str) -> list[Finding]:
    """What is found of VIPs that are to be added to a Keepalived that runs; it takes as long as `look`."""
    asked = tuple(vips)
    try:
        there = links.read()
        found = list(answered.by_ourselves(asked, interface, there))
        link = there.by_name.get(interface)
        if link and link.is_up and link.has_carrier:
            heard = _heard(target, asked, interface)
            adverts = _of_others(heard, there)
            # An instance that had VIPs before is elected as it was, whatever is said of it.
            found += elections.look(_only(target, asked), adverts, _own(there))
            if heard.is_whole:
                found += answered.by_others(target, heard, interface, _macs(there))
    except OSError as error:
        names = listed(asked)
        found = [Finding(f"who has {names} on {interface} cannot be looked at: {error.strerror or error}", "warn")]
    return list(dict.fromkeys(found))


def _only(target: Target, vips: Collection[str]) -> Target:
    """The target without the instances that have others than these VIPs."""
    wanted = set(vips)
    instances = tuple(one for one in target.plan.instances if wanted.issuperset(one.vips))
    return target._replace(plan=target.plan._replace(instances=instances))


def _left(vips: Sequence[str], interface: str, there: Links) -> Iterator[Finding]:
    """VIPs that nobody keeps on the interface. Where a Keepalived runs, they may be its own."""
    found = leftovers.left_behind(vips, interface, there)
    if found and not leftovers.keepalived_runs():
        verb, them = ("are", "them") if len(found) > 1 else ("is", "it")
        yield Finding(
            f"{listed(found)} {verb} on {interface} though no Keepalived runs here, left by one that was killed; "
            f"hacheck ipfailover run takes {them} off, or ip address del {found[0]} dev {interface}",
            "warn",
        )


def _segment(target: Target, vips: Sequence[str], interface: str, there: Links, *, is_named: bool) -> Iterator[Finding]:
    """What is heard on it; `is_named` says that another Keepalived of this node is told of already."""
    own = _own(there)
    peers = arrival.peers_here(target, interface, there)
    heard = _heard(target, [*vips, *peers], interface)
    yield from (Finding(text, "warn") for text in heard.trouble)
    if not is_named:
        yield from others.leaving(target, heard.leaving)
    yield from elections.look(target, _of_others(heard, there), own)
    if not heard.is_whole:
        yield Finding(
            f"{interface} is full of adverts and answers, more than could be taken in, and so not all was looked at; "
            f"tcpdump -eni {interface} 'ip proto 112 or arp' shows who sends them",
            "warn",
        )
        return
    yield from arrival.through(target, heard, interface, own)
    yield from answered.by_others(target, heard, interface, _macs(there))
    yield from arrival.silence(heard, interface, peers)


def _heard(target: Target, asked: Sequence[str], interface: str) -> Heard:
    families = sorted({family(one.vips[0]) for one in target.plan.instances})
    return hear(interface, families, asked, _seconds(target), joins=not target.plan.unicast)


def _of_others(heard: Heard, there: Links) -> list[Advert]:
    own, macs = _own(there), _macs(there)
    return [advert for advert in heard.adverts if advert.mac not in macs or advert.source not in own]


def _own(there: Links) -> set[str]:
    """The addresses of this node."""
    return {held.address for held in there.addresses}


def _macs(there: Links) -> set[str]:
    """Its hardware addresses."""
    return {link.mac for link in there.by_name.values()}


def _seconds(target: Target) -> float:
    return min(max(ADVERTS * target.settings.advert_interval + MARGIN, LEAST), MOST)
