"""Real nodes converge to the plan, to what it says of each loss, and of each return in each preemption mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ipfailover.cluster import Node
from tests.ipfailover.served import both_families

if TYPE_CHECKING:
    from tests.ipfailover.cluster import Cluster
    from tests.ipfailover.served import Served

pytestmark = pytest.mark.failover

WAYS = ("multicast", "unicast")
FAST = {"VRRP_VERSION": "3", "ADVERT_INT": "0.2"}
LOSSES = {"cable": (Node.cut, Node.mend), "end": (Node.stop_keepalived, Node.start_keepalived)}
"""How a node is lost, and how it comes back."""


def alone(way: str, *words: str) -> object:
    """Parameters of a test that takes long, with the losses in one: a worker has it early, and no other with it."""
    others = [word for word in words if word not in LOSSES]
    losses = tuple(word for word in words if word in LOSSES)
    group = "-".join(("cluster", way, *words))
    return pytest.param(way, *others, losses, marks=pytest.mark.xdist_group(group), id=group)


def lose_each_and_have_it_back(cluster: Cluster, found: Served, losses: tuple[str, ...]) -> None:
    """See the VIPs where the plan has them after each loss and each return, one after another."""
    events: list[tuple[Node, bool]] = []
    for lose, give_back in map(LOSSES.__getitem__, losses):
        for node in cluster.nodes.values():
            for happens, is_back in ((lose, False), (give_back, True)):
                cluster.wait_until_all_are_heard()
                happens(node)
                events.append((node, is_back))
                cluster.wait_for_owners(found.owners(cluster, events))


def reload_all(cluster: Cluster, found: Served) -> None:
    """Have all nodes go by other files, one after another."""
    for node in cluster.nodes.values():
        node.configure(found.files_of(node))
        node.reload_keepalived()


CASES = [
    alone("multicast", "preempt", "cable", "end"),
    alone("unicast", "preempt", "cable", "end"),
    alone("multicast", "preempt_delay 2", "end"),
    alone("unicast", "preempt_delay 2", "cable"),
]


@pytest.mark.parametrize(("way", "mode", "losses"), CASES)
def test_nodes_converge_to_the_plan_and_to_what_it_says_of_each_loss_and_return(
    cluster: Cluster, way: str, mode: str, losses: tuple[str, ...]
) -> None:
    found = both_families(way, PREEMPTION=mode, **FAST)
    cluster.start(found.files(cluster))
    cluster.wait_for_owners(found.owners(cluster))
    lose_each_and_have_it_back(cluster, found, losses)


@pytest.mark.parametrize(("way", "losses"), [alone("multicast", "cable"), alone("unicast", "end")])
def test_without_preemption_a_reload_with_it_brings_the_plan_about(
    cluster: Cluster, way: str, losses: tuple[str, ...]
) -> None:
    found, preempting = (both_families(way, PREEMPTION=mode) for mode in ("nopreempt", "preempt"))
    cluster.start(found.files(cluster))
    cluster.wait_for_each(found.ids, lambda owners: len(owners) == 1)
    reload_all(cluster, preempting)
    cluster.wait_for_owners(found.owners(cluster))
    began = len(cluster.owners.history)
    reload_all(cluster, found)
    assert cluster.owners.history[began:] == []
    lose_each_and_have_it_back(cluster, found, losses)


@pytest.mark.parametrize("way", WAYS)
def test_without_preemption_the_first_node_that_starts_keeps_all(cluster: Cluster, way: str) -> None:
    found = both_families(way, PREEMPTION="nopreempt", **FAST)
    events: list[tuple[Node, bool]] = []
    for node in cluster.nodes.values():
        node.configure(found.files_of(node))
        node.start_keepalived()
        events.append((node, True))
        cluster.wait_for_owners(found.owners(cluster, events, cluster.nodes.values()))
        cluster.wait_until_all_are_heard()


@pytest.mark.xdist_group("cluster-groups")
def test_groups_converge_to_the_plan_with_the_version_of_vrrp_that_stock_pods_speak(cluster: Cluster) -> None:
    found = both_families("multicast", VIP_GROUPS="5", PREEMPTION="preempt")
    assert [len(one.vips) for one in found.plans[0].instances] == [3, 3, 2, 2, 2]
    cluster.start(found.files(cluster))
    cluster.wait_for_owners(found.owners(cluster))
    lose_each_and_have_it_back(cluster, found, ("end",))
