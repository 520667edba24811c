"""As long as one node runs, each VIP is served: the nodes are lost one after another, in every order."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from tests.ipfailover.fleet import FAST, Fleet

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ipfailover.cluster import Cluster, Node

pytestmark = [pytest.mark.failover, pytest.mark.xdist_group("pods-losses")]

BLUE = {"CONFIG_NAME": "blue", "VIRTUAL_IPS": "10.78.1.1-4", **FAST}
GREEN = {"CONFIG_NAME": "green", "VIRTUAL_IPS": "10.78.1.11-13,fd78::1:1", "VRRP_ID_OFFSET": "50", **FAST}


def test_each_vip_is_served_while_one_node_runs_in_whatever_order_they_are_lost(
    cluster: Cluster, tmp_path: Path
) -> None:
    fleet = Fleet(cluster, tmp_path, BLUE, GREEN)
    fleet.start()
    cluster.wait_for_owners(fleet.owners())
    for *lost, last in permutations(cluster.nodes.values()):
        for number, node in enumerate(lost, 1):
            lose(fleet, node)
            wait_until_served(fleet, lost[:number])
        with cluster.asking(fleet.vips) as client:
            client.wait_for_more(10)
        assert client.nodes == {vip: [last.name] for vip in fleet.vips}
        for node in lost:
            bring_back(fleet, node)
        # What a killed node has left on its interface is removed by its next start; and all is where it was planned.
        cluster.wait_for_owners(fleet.owners())


def lose(fleet: Fleet, node: Node) -> None:
    """Have the machine gone from one moment to the next."""
    node.cut()
    for pod in fleet.of(node):
        pod.kill()


def bring_back(fleet: Fleet, node: Node) -> None:
    node.mend()
    for pod in fleet.of(node):
        pod.start()


def wait_until_served(fleet: Fleet, lost: list[Node]) -> None:
    """See each VIP on one of the nodes that are left; those that are lost have it as they had it."""
    gone = {node.name for node in lost}
    planned = fleet.owners(lost)
    for vip, owner in planned.items():
        fleet.cluster.wait_for_each([vip], lambda owners, owner=owner: owners - gone == {owner})  # type: ignore[misc]
