"""VIPs come and go by a ConfigMap that is replaced, node by node: whoever asks another VIP does not notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.failover.namespace import wait_until
from tests.ipfailover.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.ipfailover.asking import Asking
    from tests.ipfailover.cluster import Cluster

pytestmark = pytest.mark.failover

RELOADED = "Reload complete"
MANY = tuple(f"10.78.{third}.{last}" for third in (1, 2) for last in range(1, 129))[:255]
"""As many VIPs as there are ids."""


def roll_out(fleet: Fleet, client: Asking, name: str, vips: str) -> None:
    """Have other VIPs in a configuration, one node after another, and see them where they are planned."""
    before = set(fleet.vips)
    files = fleet.change(name, VIRTUAL_IPS=vips)
    for node in fleet.cluster.nodes.values():
        pod = fleet.pods[node.name, name]
        seen = pod.log.count(RELOADED)
        pod.replace(files)
        wait_until(f"{node.name} has reloaded\n{pod.log}", lambda: pod.log.count(RELOADED) > seen)  # noqa: B023
        client.wait_for_more(50)
    gone: Mapping[str, None] = dict.fromkeys(before - set(fleet.vips))
    fleet.cluster.wait_for_owners({**fleet.owners(), **gone})
    client.wait_for_more(50)


@pytest.mark.xdist_group("pods-changes")
def test_vips_come_and_go_and_not_one_request_to_another_is_lost(cluster: Cluster, tmp_path: Path) -> None:
    blue = {"CONFIG_NAME": "blue", "VIRTUAL_IPS": "10.78.1.1-6,fd78::1:1-3", "VRRP_VERSION": "3", "ADVERT_INT": "0.5"}
    green = {"CONFIG_NAME": "green", "VIRTUAL_IPS": "10.78.1.101-103", "VRRP_ID_OFFSET": "50"}
    fleet = Fleet(cluster, tmp_path, blue, green)
    fleet.start()
    owners = fleet.owners()
    cluster.wait_for_owners(owners)
    asked = [vip for vip in owners if vip not in ("10.78.1.3", "fd78::1:2", "10.78.1.101")]
    began = len(cluster.owners.history)
    pids = {pod: pod.pid for pod in fleet.pods.values()}
    with cluster.asking(asked) as client:
        # One is added at the end, some leave from the middle, and one of them comes back where another is new.
        roll_out(fleet, client, "blue", "10.78.1.1-7,fd78::1:1-3")
        roll_out(fleet, client, "blue", "10.78.1.1-2,10.78.1.4-7,fd78::1:1,fd78::1:3")
        roll_out(fleet, client, "blue", "10.78.1.9,10.78.1.1-7,fd78::1:1,fd78::1:3")
        roll_out(fleet, client, "green", "10.78.1.102-104")
    assert client.lost == dict.fromkeys(asked, 0)
    assert client.nodes == {vip: [owners[vip]] for vip in asked}
    assert [change for change in cluster.owners.history[began:] if change.vip in asked] == []
    assert {pod: pod.pid for pod in fleet.pods.values()} == pids


@pytest.mark.serial
def test_one_of_255_vips_comes_and_goes_and_not_one_request_to_another_is_lost(
    cluster: Cluster, tmp_path: Path
) -> None:
    fleet = Fleet(cluster, tmp_path, {"CONFIG_NAME": "many", "VIRTUAL_IPS": ",".join(MANY[:-1]), "VRRP_ID_OFFSET": "0"})
    fleet.start()
    owners = fleet.owners()
    cluster.wait_for_owners(owners)
    asked = [next(vip for vip, owner in owners.items() if owner == node) for node in cluster.nodes]
    began = len(cluster.owners.history)
    with cluster.asking(asked) as client:
        roll_out(fleet, client, "many", ",".join(MANY))
        roll_out(fleet, client, "many", ",".join(vip for vip in MANY if vip != MANY[100]))
    assert client.lost == dict.fromkeys(asked, 0)
    assert {change.vip for change in cluster.owners.history[began:]} == {MANY[-1], MANY[100]}
