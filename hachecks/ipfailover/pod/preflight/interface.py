"""The interface that VRRP is to run on: there, up, with an address, and the one by which the VIPs are reached."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from hachecks.ipfailover.family import IPV4, IPV6, family
from hachecks.ipfailover.pod.preflight.finding import Finding, listed
from hachecks.ipfailover.pod.preflight.links import IFF_LOOPBACK, IFF_MULTICAST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.pod.preflight.links import Link, Links
    from hachecks.ipfailover.settings import Settings

PORTS = {"bond": "bond", "bridge": "bridge", "openvswitch": "bridge", "team": "team"}
"""Kinds of interfaces that have others as ports, and take over their addresses."""
OVS = "ovs-system"
"""What Open vSwitch says that its ports belong to, whichever bridge of it they are in."""
NAME = "OPENSHIFT_HA_NETWORK_INTERFACE"


def look(settings: Settings, vips: Sequence[str], interface: str, links: Links) -> Iterator[Finding]:
    """What is wrong with it for these VIPs."""
    where = settings.where(NAME)
    link = links.by_name.get(interface)
    if not link:
        yield Finding(f"{where}: {interface} is not there; {_others(links)}; name the right one, or make it", "wait")
        return
    master = _master(link, links)
    if master:
        yield Finding(f"{where}: {master}", "warn")
    if not link.is_up:
        yield Finding(f"{interface} is down, and no VIP comes to it; ip link set {interface} up", "warn")
    elif not link.has_carrier:
        yield Finding(f"{interface} has no carrier, and no VIP comes to it; look at its cable and its switch", "warn")
    families = sorted({family(vip) for vip in vips})
    if not master:
        yield from (Finding(text, "warn") for one in families for text in _without_address(one, interface, links))
    if not settings.unicast_peers and (link.flags & IFF_LOOPBACK or not link.flags & IFF_MULTICAST):
        yield Finding(
            f"{interface} does no multicast, by which nodes are to hear each other; name another interface, or set "
            "OPENSHIFT_HA_UNICAST_PEERS",
            "warn",
        )
    yield from _elsewhere(vips, interface, links)


def _others(links: Links) -> str:
    """The interfaces that there are, first those with the way to everybody."""
    names = [name for name, link in links.by_name.items() if not link.flags & IFF_LOOPBACK and not link.master]
    first = [f"{name} (with the default route)" for name in names if name in links.default]
    rest = [name for name in names if name not in links.default and any(not one.scope for one in links.on(name))]
    return f"this node has {listed(first + rest)}" if first or rest else "this node has no other with an address"


def _master(link: Link, links: Links) -> str:
    """What it is a port of, and what to name in its place; empty where it is none."""
    master = next((one for one in links.by_name.values() if link.master and one.number == link.master), None)
    if not master or (master.kind not in PORTS and master.name != OVS):
        return ""
    heir = master.name
    if master.name == OVS or not links.on(heir):
        # The bridge of Open vSwitch is an interface of its own, with the hardware address of its first port.
        heirs = [one.name for one in links.by_name.values() if links.on(one.name) and one.mac == link.mac]
        heirs += sorted(links.default)
        heir = next((name for name in heirs if name != link.name), "")
    kind = PORTS.get(master.kind, "bridge")
    port = f"{link.name} is a port of the {kind} {heir or master.name}"
    return f"{port}, which has the addresses; name {heir}" if heir else f"{port}; name the one that has the addresses"


def _without_address(wanted: int, interface: str, links: Links) -> Iterator[str]:
    own = [one for one in links.on(interface) if family(one.address) == wanted]
    if wanted == IPV4 and not own:
        yield f"{interface} has no IPv4 address, from which adverts would be sent; give it one"
    elif wanted == IPV6 and not any(one.address.startswith("fe80:") for one in own):
        cure = f"sysctl -w net.ipv6.conf.{interface}.disable_ipv6=0" if _disabled(interface) else "give it one"
        yield f"{interface} has no link-local IPv6 address, from which adverts would be sent; {cure}"


def _disabled(interface: str) -> bool:
    """Whether it has no IPv6 because that is switched off."""
    try:
        with open(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6", encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False


def _elsewhere(vips: Sequence[str], interface: str, links: Links) -> Iterator[Finding]:
    """VIPs of a subnet that another interface has, and this one has not."""
    networks = [(one.network, links.named(one.link)) for one in links.addresses if not one.is_single]
    found: dict[str, list[str]] = {}
    for vip in vips:
        address = ipaddress.ip_address(vip)
        names = {name for network, name in networks if address.version == network.version and address in network}
        if names and interface not in names:
            found.setdefault(min(names), []).append(vip)
    for name, those in found.items():
        verb = "are" if len(those) > 1 else "is"
        yield Finding(
            f"{listed(those)} {verb} of a subnet of {name}, and VRRP is to run on {interface}; name {name}, in a "
            "configuration of its own where other VIPs are right",
            "warn",
        )
