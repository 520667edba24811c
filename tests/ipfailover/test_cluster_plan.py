"""Real nodes converge to the plan, to what it says of each loss, and of each return in each preemption mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ipfailover.cluster import Node
from tests.ipfailover.served import both_families

if TYPE_CHECKING:
    from tests.ipfailover.cluster import Cluster

pytestmark = pytest.mark.failover

WAYS = ("multicast", "unicast")
MODES = ("preempt", "preempt_delay 2", "nopreempt")
FAST = {"VRRP_VERSION": "3", "ADVERT_INT": "0.2"}
LOSSES = {"cable": (Node.cut, Node.mend), "end": (Node.stop_keepalived, Node.start_keepalived)}
"""How a node is lost, and how it comes back."""


def alone(*values: str) -> object:
    """Parameters of a test that takes long: a worker has it early, and no other like it."""
    return pytest.param(*values, marks=pytest.mark.xdist_group("-".join(("cluster", *values))))


@pytest.mark.parametrize(("way", "mode"), [alone(way, mode) for way in WAYS for mode in MODES])
def test_nodes_converge_to_the_plan_and_to_what_it_says_of_each_loss_and_return(
    cluster: Cluster, way: str, mode: str
) -> None:
    found = both_families(way, PREEMPTION=mode, **FAST)
    # Under nopreempt the first that is up keeps all: the plan comes about by a start with preemption.
    preempts = found if mode != "nopreempt" else both_families(way, PREEMPTION="preempt", **FAST)
    cluster.start(preempts.files(cluster))
    cluster.wait_for_owners(found.owners(cluster))
    if preempts is not found:
        for node in cluster.nodes.values():
            node.configure(found.files_of(node))
            node.reload_keepalived()
    events: list[tuple[Node, bool]] = []
    for lose, give_back in LOSSES.values():
        for node in cluster.nodes.values():
            for happens, is_back in ((lose, False), (give_back, True)):
                cluster.wait_until_all_are_heard()
                happens(node)
                events.append((node, is_back))
                cluster.wait_for_owners(found.owners(cluster, events))
