"""The node that a file is for: that it takes part, by which address it speaks, and what its instances are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.family import IPV6, family
from hachecks.ipfailover.spread import UNKNOWN, hashed_priority
from hachecks.ipfailover.values import nodes
from hachecks.settings import Invalid
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from hachecks.ipfailover.plan import Instance, Plan
    from hachecks.ipfailover.render.keywords import Version
    from hachecks.ipfailover.render.options import Options
    from hachecks.ipfailover.settings import Settings

PASSWORD = 8
"""Characters of a password that count."""


class Target(NamedTuple):
    """A node with its plan, settings and options; `address` is its own where that is known, else empty."""

    plan: Plan
    settings: Settings
    node: str
    options: Options
    address: str

    @property
    def version(self) -> Version:
        """The version of its Keepalived."""
        return self.options.version

    @property
    def peers(self) -> tuple[str, ...]:
        """The others' addresses, without its own."""
        return tuple(peer for peer in self.settings.unicast_peers if peer != self.address)

    @property
    def password(self) -> str:
        """What adverts of VRRP 2 carry: longer ones are cut by Keepalived, with a complaint."""
        return (self.options.password or self.settings.config_name)[:PASSWORD]

    def priority(self, instance: Instance) -> int:
        """The node's priority for an instance."""
        if self.plan.placement == UNKNOWN:
            return hashed_priority(self.node, instance.vips[0])
        return dict(instance.ranks)[self.node]

    def vrrp(self, instance: Instance) -> int:
        """The version of VRRP that an instance speaks: IPv6 has 3 only."""
        return 3 if family(instance.vips[0]) == IPV6 else self.settings.vrrp_version


def is_address(node: str) -> bool:
    """Whether a node is named by its address."""
    return ":" in node or node.replace(".", "").isdigit()


def target(plan: Plan, settings: Settings, node: str, options: Options) -> Target:
    """The node; raises `Invalid` where it must not take part, or cannot."""
    where = settings.where
    if not settings.interface:
        raise Invalid(
            f"{where('OPENSHIFT_HA_NETWORK_INTERFACE')}: no interface is named, and the stock image would take the "
            "first that it knows; give --interface"
        )
    node = _named(node)
    if plan.nodes and node not in plan.nodes:
        raise Invalid(f"{node} is none of the plan's nodes and must not take part: it would take VIPs that others have")
    address = settings.unicast_source or (node if is_address(node) else settings.multicast_source)
    if is_address(node) and settings.unicast_source not in ("", node):
        raise Invalid(f"{where('UNICAST_SOURCE_IPADDRESS')}: {settings.unicast_source} is not the node {node}")
    found = Target(plan, settings, node, options, address)
    if plan.unicast:
        _refuse_deaf(found)
    elif settings.unicast_source:
        raise Invalid(
            f"{where('UNICAST_SOURCE_IPADDRESS')}: there is no peer, so this would be multicast; "
            "set OPENSHIFT_HA_UNICAST_PEERS, or leave it out"
        )
    return found


def _named(node: str) -> str:
    """The node as plans have it."""
    try:
        (found,) = nodes(node)
    except ValueError:
        raise Invalid(f"--node: {one_line(node)!r} is no node; expected one name or address") from None
    return found


def _refuse_deaf(found: Target) -> None:
    """Refuse a node that would hear nobody in unicast, or not be heard."""
    settings, own, node = found.settings, found.settings.unicast_source, found.node
    own = own or (node if is_address(node) else "")
    where = settings.where("OPENSHIFT_HA_UNICAST_PEERS")
    if not own:
        raise Invalid(
            f"{node}: unicast needs the node's own address, and the plan has its name; give --unicast-source, "
            "UNICAST_SOURCE_IPADDRESS, or name the nodes by address"
        )
    if own not in settings.unicast_peers:
        raise Invalid(f"{where}: {own}, the address of {node}, is none of the peers; the others would not hear it")
    if not found.peers:
        raise Invalid(f"{where}: {own} is the only peer; name the others, or none for multicast")
    if len({family(peer) for peer in settings.unicast_peers}) > 1:
        raise Invalid(f"{where}: the peers are of both families; name them by one")
    strange = next((one for one in found.plan.instances if family(one.vips[0]) != family(own)), None)
    if strange:
        raise Invalid(
            f"{where}: {strange.vips[0]} is IPv{family(strange.vips[0])} and the peers are IPv{family(own)}, which "
            "Keepalived does not serve; use multicast, or a configuration for each family"
        )
