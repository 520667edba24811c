"""What these tests rest on: the client notices a VIP that is away for a moment, and the history a second owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.ipfailover.cluster import Cluster, Node

pytestmark = pytest.mark.failover

VIPS = ("10.78.1.1", "fd78::1:1")


def change(node: Node, word: str) -> None:
    """Add the VIPs to a node by hand, or delete them."""
    for vip in VIPS:
        node.must("ip", "address", word, vip, "dev", "eth0", *(["nodad"] if ":" in vip and word == "add" else []))


def test_requests_to_a_vip_that_is_away_for_a_moment_are_lost_and_a_second_owner_is_seen(cluster: Cluster) -> None:
    first, second, _ = cluster.nodes.values()
    change(first, "add")
    cluster.wait_for_owners(dict.fromkeys(VIPS, first.name))
    with cluster.asking(VIPS) as client:
        client.wait_for_more(20)
        change(first, "del")
        client.wait_for_loss(20)
        change(first, "add")
        client.wait_for_more(20)
    assert all(client.lost[vip] >= 10 for vip in VIPS)
    assert client.nodes == {vip: [first.name] for vip in VIPS}
    change(second, "add")
    cluster.wait_for_each(VIPS, lambda owners: len(owners) == 2)
    for vip in VIPS:
        assert [one.owners for one in cluster.owners.history if one.vip == vip] == [
            {first.name},
            set(),
            {first.name},
            {first.name, second.name},
        ]
