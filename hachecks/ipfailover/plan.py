"""The plan: which instance with which id carries each VIP, and which node has it with which priority."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.constraints import APART, PREFER, TOGETHER, Units
from hachecks.ipfailover.ledger import Entry, Kept, Ledger, numbered
from hachecks.ipfailover.notes import notes
from hachecks.ipfailover.spread import EVEN, HASH, UNKNOWN, by_hash, in_order, priorities, spread
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hachecks.ipfailover.preemption import Preemption
    from hachecks.ipfailover.settings import Settings

REMEMBERED = 3
"""Nodes of an instance that the ledger keeps: enough to know where its VIPs are when two of them are gone."""

HMAC_MODES = ("", "receive-only", "permissive", "enforce")
"""How far a configuration is on the way from adverts that nobody signs to those that all must sign."""


class Untold(str):
    """A password that somebody wrote himself, which no sentence tells."""

    __slots__ = ()


class Instance(NamedTuple):
    """A VRRP instance: its name, number and id, its VIPs, and nodes with their priorities, the master first.

    `advertised` are the VIPs that its adverts carry, from the first on: one, so that the others may come and go, but in
    what others have configured.
    """

    name: str
    number: int
    id: int
    vips: tuple[str, ...]
    ranks: tuple[tuple[str, int], ...] = ()
    advertised: int = 1

    @property
    def nodes(self) -> tuple[str, ...]:
        """Its nodes, the master first."""
        return tuple(node for node, _ in self.ranks)


class Plan(NamedTuple):
    """The plan of one configuration.

    `placement` is `even` where the nodes know each other, `hash` where each ranks itself, and `unknown` where nobody
    named them. `password` is what adverts of VRRP 2 carry. `hmac` is how adverts of VRRP 3 are signed, the mode and the
    file of the key, both empty where they are not. What follows `notes`, and the password, is None where it is not
    known, as of a keepalived.conf.
    """

    name: str
    interface: str
    unicast: bool
    password: str | None
    preemption: Preemption
    placement: str
    nodes: tuple[str, ...]
    instances: tuple[Instance, ...]
    notes: tuple[str, ...]
    vrrp_version: int | None = 2
    advert_interval: float | None = 1.0
    hmac: tuple[str, str] | None = ("", "")

    def vrrp(self, instance: Instance) -> int | None:
        """The version of VRRP that an instance speaks: IPv6 has 3 only."""
        return 3 if ":" in instance.vips[0] else self.vrrp_version


def plan_all(
    configurations: Sequence[Settings], ledger: Ledger, placement: str | None, *, may_be_empty: bool = False
) -> tuple[tuple[Plan, ...], Ledger]:
    """The plans of configurations on the same nodes, and the ledger afterwards; raises `Invalid`.

    `placement` is `even`, `hash`, or None for what the settings allow; `may_be_empty` says that VIPs come and go.
    """
    _refuse_same(configurations, ledger, may_be_empty=may_be_empty)
    plans = []
    for settings in configurations:
        kept = ledger.get(settings.config_name, Kept("", ()))
        plan, after = _planned(settings, kept, taken(settings, ledger), placement)
        plans.append(plan)
        ledger = {**ledger, settings.config_name: after}
    return tuple(plans), ledger


def _refuse_same(configurations: Sequence[Settings], ledger: Ledger, *, may_be_empty: bool) -> None:
    """Refuse configurations of one name, and a VIP that several serve."""
    names = [settings.config_name for settings in configurations]
    owners = {
        vip: name for name, kept in ledger.items() if name not in names for one in kept.entries for vip in one.vips
    }
    for settings in configurations:
        if names.count(settings.config_name) > 1:
            raise Invalid(f"two configurations are called {settings.config_name}; set OPENSHIFT_HA_CONFIG_NAME in each")
        if not settings.virtual_ips.addresses and not may_be_empty:
            raise Invalid(
                f"{settings.config_name}: no VIP is named; set OPENSHIFT_HA_VIRTUAL_IPS, or give --virtual-ips, FILE "
                "or --env-file"
            )
        for vip in map(str, settings.virtual_ips.addresses):
            if vip in owners:
                raise Invalid(f"{vip} is in two configurations, {owners[vip]} and {settings.config_name}")
            owners[vip] = settings.config_name


def taken(settings: Settings, ledger: Ledger) -> Mapping[int, str]:
    """The ids that other configurations have where this one's adverts are heard, so far as that is known."""
    return {
        one.id: name
        for name, kept in ledger.items()
        if name != settings.config_name and (not kept.interface or settings.interface in ("", kept.interface))
        for one in kept.entries
    }


def _planned(settings: Settings, kept: Kept, taken: Mapping[int, str], wanted: str | None) -> tuple[Plan, Kept]:
    vips = [str(vip) for vip in settings.virtual_ips.addresses]
    nodes = nodes_of(settings)
    placement = wanted or (EVEN if nodes else UNKNOWN)
    if placement == EVEN and not nodes:
        raise Invalid("--spread even needs --nodes, OPENSHIFT_HA_NODES or OPENSHIFT_HA_UNICAST_PEERS")
    if not nodes:
        placement = UNKNOWN
    if placement != EVEN:
        _refuse_constraints(settings)
    try:
        entries = numbered(
            kept, vips, settings.virtual_ip_groups, settings.vrrp_id_offset, settings.excluded_vrrp_ids, taken
        )
        live = [one for one in entries if one.vips]
        ranks = _ranks(settings, live, nodes, placement)
    except Invalid as error:
        raise Invalid(f"{settings.config_name}: {error}") from None
    scrubbed = re.sub("[^A-Za-z0-9_]", "", settings.config_name.replace("-", "_"))
    instances = tuple(
        Instance(f"{scrubbed}_VIP_{one.number}", one.number, one.id, one.vips, ranks.get(one.vips[0], ()))
        for one in live
    )
    remembered = {one.id: one.nodes[:REMEMBERED] for one in instances} if placement == EVEN else {}
    after = tuple(one._replace(nodes=remembered.get(one.id, one.nodes)) for one in entries)
    plan = Plan(
        settings.config_name,
        settings.interface,
        bool(settings.unicast_peers),
        # Longer ones are cut by Keepalived, with a complaint; one in a file is not told.
        f"in {settings.auth_pass_file}" if settings.auth_pass_file else settings.config_name[:8],
        settings.preemption,
        placement,
        nodes,
        instances,
        tuple(notes(settings, kept, instances, nodes, placement)),
        settings.vrrp_version,
        settings.advert_interval,
        (settings.auth_hmac_mode, settings.auth_hmac_key_file) if settings.auth_hmac_key_file else ("", ""),
    )
    return plan, Kept(settings.interface, after)


def nodes_of(settings: Settings) -> tuple[str, ...]:
    """The nodes that are named; raises `Invalid` where they contradict the peers."""
    peers = settings.unicast_peers
    if settings.use_unicast and not peers:
        raise Invalid(
            f"{settings.where('OPENSHIFT_HA_USE_UNICAST')}: unicast needs the nodes' addresses; "
            "set OPENSHIFT_HA_UNICAST_PEERS"
        )
    nodes = settings.nodes or peers
    if peers and len(nodes) != len(peers):
        raise Invalid(
            f"{settings.where('OPENSHIFT_HA_UNICAST_PEERS')}: these are {len(peers)} peers of {len(nodes)} nodes; "
            "a node that is no peer would hear nobody and take every VIP; name the same nodes in both"
        )
    strange = [node for node in nodes if ":" in node or node.replace(".", "").isdigit()]
    missing = [node for node in strange if peers and node not in peers]
    if missing:
        raise Invalid(
            f"{settings.where('OPENSHIFT_HA_UNICAST_PEERS')}: {missing[0]} is a node and no peer; it would hear nobody "
            "and take every VIP; name the same nodes in both"
        )
    return in_order(nodes)


def _refuse_constraints(settings: Settings) -> None:
    for variable, value in ((PREFER, settings.prefer), (APART, settings.apart), (TOGETHER, settings.together)):
        if value:
            raise Invalid(
                f"{settings.where(variable)}: it needs an even spread over nodes that are named, by --nodes, "
                "OPENSHIFT_HA_NODES or OPENSHIFT_HA_UNICAST_PEERS"
            )


def _ranks(
    settings: Settings, entries: Sequence[Entry], nodes: Sequence[str], placement: str
) -> Mapping[str, tuple[tuple[str, int], ...]]:
    """Nodes and priorities of each instance by its first VIP."""
    if placement == HASH:
        return {one.vips[0]: by_hash(one.vips[0], nodes) for one in entries}
    if placement == UNKNOWN:
        return {}
    units = Units(settings, [one.vips for one in entries], nodes)
    before: dict[str, str] = {}
    displaced: set[str] = set()
    for one in entries:
        stays = next((node for node in one.nodes if node in nodes), None)
        if stays:
            before.setdefault(units.of[one.vips[0]], stays)
            if stays != one.nodes[0]:
                displaced.add(units.of[one.vips[0]])
    orders = spread(units.units, nodes, before, displaced)
    return {one.vips[0]: tuple(zip(orders[units.of[one.vips[0]]], priorities(len(nodes)))) for one in entries}
