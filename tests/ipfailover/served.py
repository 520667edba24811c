"""Configurations as a cluster serves them: the file of each node, and where the plan has each VIP."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.losses import follow
from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.render import rendered
from tests.ipfailover.given import settings, variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hachecks.ipfailover.ledger import Ledger
    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.settings import Settings
    from tests.ipfailover.cluster import Cluster, Node

NAMES = "node-1,node-2,node-3"
IPV4_PEERS = "10.78.0.1,10.78.0.2,10.78.0.3"
IPV6_PEERS = "fd78::1,fd78::2,fd78::3"


class Served(NamedTuple):
    """The settings of configurations on the same nodes, and their plans."""

    settings: tuple[Settings, ...]
    plans: tuple[Plan, ...]

    def files(self, cluster: Cluster) -> dict[str, dict[str, str]]:
        """The files of each node, by the configurations' names."""
        return {node.name: self.files_of(node) for node in cluster.nodes.values()}

    def files_of(self, node: Node) -> dict[str, str]:
        """The files of a node."""
        return {
            plan.name: rendered(plan, settings, called(node, plan)) for plan, settings in zip(self.plans, self.settings)
        }

    def owners(
        self, cluster: Cluster, events: Iterable[tuple[Node, bool]] = (), lost: Iterable[Node] = ()
    ) -> dict[str, str | None]:
        """The node of each VIP after a row of events, each a node and whether it comes back or is lost."""
        events, lost = list(events), list(lost)
        found: dict[str, str | None] = {}
        for plan in self.plans:
            by_plan = {called(node, plan): node.name for node in cluster.nodes.values()}
            for one in plan.instances:
                owner = follow(
                    one.ranks,
                    [(called(node, plan), returns) for node, returns in events],
                    plan.preemption.mode != "nopreempt",
                    [called(node, plan) for node in lost],
                )
                found.update(dict.fromkeys(one.vips, by_plan[owner] if owner else None))
        return found

    @property
    def ids(self) -> dict[str, int]:
        """The id of each VIP."""
        return {vip: one.id for plan in self.plans for one in plan.instances for vip in one.vips}


def called(node: Node, plan: Plan) -> str:
    """What the plan calls a node; its name where it has none of it."""
    return next((name for name in (node.name, *node.addresses) if name in plan.nodes), node.name)


def served(*configurations: Mapping[str, str], placement: str | None = None, ledger: Ledger | None = None) -> Served:
    """Configurations, each of variables by their names without OPENSHIFT_HA_; no check is in the way."""
    common = {"NETWORK_INTERFACE": "eth0", "MONITOR_PORT": "0"}
    found = tuple(settings(variables(**{**common, **one})) for one in configurations)
    plans, _ = plan_all(found, ledger or {}, placement)
    return Served(found, plans)


def both_families(way: str, **short: str) -> Served:
    """12 VIPs of both families: by multicast in one configuration, by unicast in one for each family."""
    ipv4, ipv6 = "10.78.1.1-5,10.78.1.11-13", "fd78::1:1-4"
    if way == "multicast":
        return served({"CONFIG_NAME": "both", "VIRTUAL_IPS": f"{ipv4},{ipv6}", "NODES": NAMES, **short})
    return served(
        {"CONFIG_NAME": "four", "VIRTUAL_IPS": ipv4, "UNICAST_PEERS": IPV4_PEERS, **short},
        {"CONFIG_NAME": "six", "VIRTUAL_IPS": ipv6, "UNICAST_PEERS": IPV6_PEERS, "VRRP_ID_OFFSET": "100", **short},
    )
