"""Who else has our VIPs: a peer that is master now is right, and a host that sends no advert for them is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.pod.preflight.finding import Finding, listed
from hachecks.ipfailover.pod.preflight.sysctl import strictest
from hachecks.wire.addresses import is_virtual

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from hachecks.ipfailover.pod.preflight.hearing import Heard
    from hachecks.ipfailover.pod.preflight.links import Held, Links
    from hachecks.ipfailover.render.target import Target

IPVS = "kube-ipvs0"
"""The interface on which kube-proxy has the addresses of Services, in its mode ipvs."""
NOT_ALL = 1
"""From this arp_ignore on, an interface answers for its own addresses only."""


def by_others(target: Target, heard: Heard, interface: str, own_macs: Collection[str]) -> Iterator[Finding]:
    """VIPs that a host answers for by ARP or neighbour discovery without advertising them."""
    found: dict[str, list[str]] = {}
    for instance in target.plan.instances:
        masters = {advert.mac for advert in heard.adverts if not set(advert.addresses).isdisjoint(instance.vips)}
        for vip in instance.vips:
            for mac in sorted(heard.answers.get(vip, set()) - masters - set(own_macs)):
                # Who has VRRP's own hardware address is known by its adverts alone, which come from another.
                if not (masters and is_virtual(bytes.fromhex(mac.replace(":", "")))):
                    found.setdefault(mac, []).append(vip)
    for mac, vips in found.items():
        verb, them = ("are", "them") if len(vips) > 1 else ("is", "it")
        lost = "" if heard.adverts else ", or its adverts do not come here (by IGMP snooping: then use unicast)"
        yield Finding(
            f"{listed(vips)} {verb} answered for on {interface} by {mac}, from which no advert for {them} comes: take "
            f"{them} off that host, where a Keepalived was killed or somebody else has {them}{lost}",
            "warn",
        )


def by_ourselves(vips: Sequence[str], interface: str, there: Links) -> Iterator[Finding]:
    """VIPs that this node has on another interface than VRRP's, and answers for whoever is master.

    By neighbour discovery an interface answers for its own addresses only.
    """
    found: dict[str, list[Held]] = {}
    if strictest("arp_ignore", interface) >= NOT_ALL:
        return
    for held in there.addresses:
        name = there.named(held.link)
        if held.address in vips and ":" not in held.address and name != interface:
            found.setdefault(name, []).append(held)
    for name, those in found.items():
        verb, them = ("are", "them") if len(those) > 1 else ("is", "it")
        cure = f"ip address del {those[0].address}/{those[0].length} dev {name}"
        if name == IPVS:
            cure = "set ipvs.strictARP to true in kube-proxy's configuration"
        yield Finding(
            f"{listed(one.address for one in those)} {verb} on {name} of this node, and {interface} answers for {them} "
            f"whichever node is master; {cure}",
            "warn",
        )
