"""SIGTERM for a pod with 60 VIPs: all are told of, all are elsewhere at once, and the node is as it was before."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli import hacheck
from tests.ipfailover.fleet import LOG, Fleet

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ipfailover.cluster import Cluster, Node

pytestmark = pytest.mark.failover

ADVERT = 1.0
UNTOLD = 2 * ADVERT
"""Seconds: nobody takes over sooner from a master that does not say that it ends, whose last advert may be one old."""
SIXTY = {
    "CONFIG_NAME": "sixty",
    "VIRTUAL_IPS": "10.78.1.1-60",
    "PREFER": "10.78.1.1-60=node-1",
    "VRRP_VERSION": "3",
    "ADVERT_INT": "1",
}
FIREWALLS = {"nft": {"NFTABLES_RULE": "yes"}, "iptables": {"IPTABLES_CHAIN": "INPUT"}}
SITE = """
table inet site {
    chain input {
        type filter hook input priority 0; policy accept;
        tcp dport 22 accept
    }
}
"""


def firewall(node: Node) -> str:
    """All rules of a node, without what has passed them."""
    told = "".join(node.must(*words) for words in (("nft", "list", "ruleset"), ("iptables-save",), ("ip6tables-save",)))
    lines = (line for line in told.splitlines() if not line.startswith("#"))
    return re.sub(r"\[\d+:\d+\]|counter packets \d+ bytes \d+", "", "\n".join(lines))


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=pytest.mark.xdist_group(f"pods-stop-{way}")) for way in FIREWALLS]
)
def test_a_pod_of_60_vips_leaves_none_and_tells_of_each(cluster: Cluster, tmp_path: Path, way: str) -> None:
    node = cluster.nodes["node-1"]
    node.must("nft", SITE)
    node.must("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
    before = firewall(node)
    fleet = Fleet(cluster, tmp_path, {**SIXTY, **FIREWALLS[way]})
    fleet.start()
    cluster.wait_for_owners(fleet.owners())
    assert set(fleet.owners().values()) == {"node-1"}
    assert firewall(node) != before
    pod = fleet.pods["node-1", "sixty"]
    began, at = len(cluster.owners.history), time.monotonic()
    assert pod.stop() == 0, pod.log
    cluster.wait_for_owners(fleet.owners([node]))
    left = {change.vip: change.at for change in cluster.owners.history[began:] if change.node == "node-1"}
    came = {change.vip: change.at for change in cluster.owners.history[began:] if change.node != "node-1"}
    assert left.keys() == came.keys() == set(fleet.vips)
    assert max(came[vip] - left[vip] for vip in came) < UNTOLD
    print(f"{way}: the last VIP is elsewhere {max(came.values()) - at:.3f} s after SIGTERM")
    assert [change for change in cluster.owners.history[began:] if len(change.owners) > 1] == []
    told = hacheck("history", HACHECK_STATE_DIR=str(pod.state))
    assert stops(told.out) == 60, told
    assert stops((pod.state / LOG.rpartition("/")[2]).read_text()) == 60
    assert firewall(node) == before


@pytest.mark.xdist_group("pods-stop-master")
def test_a_clean_stop_of_the_master_costs_a_moment(cluster: Cluster, tmp_path: Path) -> None:
    versions = {
        "two": {"VIRTUAL_IPS": "10.78.1.1-3", "VRRP_ID_OFFSET": "10"},
        "three": {"VIRTUAL_IPS": "10.78.2.1-3", "VRRP_ID_OFFSET": "20", "VRRP_VERSION": "3"},
    }
    fleet = Fleet(
        cluster,
        tmp_path,
        *(
            {"CONFIG_NAME": name, "PREFER": f"{short['VIRTUAL_IPS']}=node-1,node-2,node-3", **short}
            for name, short in versions.items()
        ),
    )
    fleet.start()
    cluster.wait_for_owners(fleet.owners())
    after = fleet.owners([cluster.nodes["node-1"]])
    with cluster.asking(fleet.vips) as client:
        client.wait_for_more(100)
        for name in versions:
            began, at = len(cluster.owners.history), time.monotonic()
            assert fleet.pods["node-1", name].stop() == 0
            ended = time.monotonic()
            cluster.wait_for_owners({vip: owner for vip, owner in after.items() if vip in vips_of(fleet, name)})
            served = max(change.at for change in cluster.owners.history[began:])
            print(f"{name}: served elsewhere {served - at:.3f} s after SIGTERM; the pod ended after {ended - at:.2f} s")
            # The next node waits for its part of an advert interval, which is a second, by its rank.
            assert served - at < UNTOLD
        client.wait_for_more(100)
    print(f"requests lost, of one each 5 ms: {client.lost}")
    assert max(client.lost.values()) * 0.005 < UNTOLD


def vips_of(fleet: Fleet, name: str) -> set[str]:
    return {vip for one in fleet.served for plan in one.plans if plan.name == name for vip in one.ids}


def stops(text: str) -> int:
    """How many lines tell that an instance has stopped."""
    return sum("STOP" in line for line in text.splitlines())
