"""Whether what others say arrives: adverts that come to the interface, and not through this node's firewall."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from hachecks.ipfailover.family import family
from hachecks.ipfailover.pod.firewall.apart import look
from hachecks.ipfailover.pod.firewall.passages import GROUPS, VRRP, Passage
from hachecks.ipfailover.pod.preflight.finding import Finding, listed
from hachecks.ipfailover.pod.preflight.sysctl import strictest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from hachecks.ipfailover.pod.preflight.hearing import Heard
    from hachecks.ipfailover.pod.preflight.links import Links
    from hachecks.ipfailover.render.target import Target
    from hachecks.wire.frames import Advert

STRICT = 1
"""The rp_filter that drops what comes by another interface than the way back."""
UNKNOWN = "no rule of nftables or iptables was found that does it: look at tc, XDP and eBPF, such as the CNI's"


def through(target: Target, heard: Heard, interface: str, own: Collection[str]) -> Iterator[Finding]:
    """Adverts for this node that the tap has, and no socket gets."""
    ids = {(one.id, family(one.vips[0])) for one in target.plan.instances}
    lost: dict[int, list[Advert]] = {}
    for advert in heard.adverts:
        meant = advert.is_multicast != target.plan.unicast and (advert.is_multicast or advert.destination in own)
        got = (advert.source, advert.id) in heard.received
        if meant and (advert.id, family(advert.source)) in ids and advert.source not in own and not got:
            lost.setdefault(family(advert.source), []).append(advert)
    by_cause: dict[tuple[str, str], list[str]] = {}
    for of_family, adverts in sorted(lost.items()):
        sources = sorted({advert.source for advert in adverts})
        by_cause.setdefault(_by_what(target, of_family, sources, interface), []).extend(sources)
    for (cause, place), sources in by_cause.items():
        yield Finding(
            f"adverts of {listed(sources)} come to {interface}, and this node drops them before Keepalived could hear "
            f"them: {cause}",
            "warn",
            place,
        )


def silence(heard: Heard, interface: str, asked: Sequence[str]) -> Iterator[Finding]:
    """Peers that should be on the segment, and none of which is: neither answers nor advertises."""
    speaking = {advert.source for advert in heard.adverts}
    if asked and not any(peer in heard.answers or peer in speaking for peer in asked):
        yield Finding(
            f"no other node answers on {interface}, of {listed(asked)}: they are off, or on another segment, and this "
            "one would serve all VIPs; see that they are reached by it",
            "warn",
        )


def peers_here(target: Target, interface: str, there: Links) -> list[str]:
    """The other nodes, so far as they are known by an address of a subnet of this interface."""
    networks = [one.network for one in there.on(interface) if not one.is_single]
    own = {one.address for one in there.addresses}
    found = []
    for node in target.peers or target.plan.nodes:
        try:
            address = ipaddress.ip_address(node)
        except ValueError:
            continue
        if node not in own and any(address.version == one.version and address in one for one in networks):
            found.append(node)
    return found


def _by_what(target: Target, of_family: int, sources: Sequence[str], interface: str) -> tuple[str, str]:
    """What drops them, with its cure, and the place of the rule, where it is one."""
    passages = (
        [Passage(of_family, True, VRRP, source=source) for source in sources]
        if target.plan.unicast
        else [Passage(of_family, True, VRRP, destination=GROUPS[of_family])]
    )
    for found in sorted(look(tuple(passages), interface).drops, key=lambda one: not one.certain):
        return f"{'' if found.certain else 'perhaps '}{found.place} does; {found.cure}", found.place
    if of_family == 4 and strictest("rp_filter", interface) == STRICT:
        cause = (
            f"no rule was found that does it, and rp_filter is strict, which it does where {sources[0]} is reached by "
            f"another interface; sysctl -w net.ipv4.conf.{interface}.rp_filter=2"
        )
        return cause, ""
    return UNKNOWN, ""
