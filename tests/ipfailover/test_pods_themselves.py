"""The pods of the tests are what kubelet and a runtime make of a manifest: what is seen, allowed and left in one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.failover.namespace import wait_until
from tests.ipfailover.pods import CONFIG, STATE, Pod
from tests.ipfailover.served import NAMES, served

if TYPE_CHECKING:
    from tests.ipfailover.cluster import Cluster, Node

pytestmark = [pytest.mark.failover, pytest.mark.xdist_group("pods-themselves")]

KEEPALIVED = ("keepalived", "-n", "-l", "-f", f"{CONFIG}/keepalived.conf")


def sleeping(node: Node) -> Pod:
    pod = Pod(node, "sleeper", ("sh", "-c", "trap 'exit 7' TERM; echo starts; while :; do sleep 0.1; done"))
    pod.replace({"one": "1"})
    pod.start()
    pod.wait_for_word("starts")
    return pod


def test_a_pod_is_closed_in(cluster: Cluster) -> None:
    node = cluster.nodes["node-1"]
    pod = sleeping(node)
    status = pod.path("/proc/1/status").read_text()
    assert "CapEff:\t0000000000003040" in status
    assert "CapBnd:\t0000000000003040" in status
    assert "NoNewPrivs:\t1" in status
    assert pod.run("hostname").stdout == "node-1\n"
    for place in ("/etc", "/usr", CONFIG):
        assert "Read-only" in pod.run("mkdir", f"{place}/new").stderr, place
    assert "Read-only" in pod.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward").stderr
    for place in ("/run", "/tmp", "/dev/shm", "/etc/keepalived", STATE):
        assert pod.run("mkdir", f"{place}/new").returncode == 0, place
    # What it has there is its own, but for its state, which stays.
    assert not node.path("/run/new").exists()
    assert (pod.state / "new").exists()
    assert pod.run("ip", "address", "show", "eth0").stdout == node.must("ip", "address", "show", "eth0")
    # A shell that starts something is there twice for a moment.
    wait_until("it is found by its word", lambda: pod.processes("sh -c trap") == [pod.pid])


def test_its_volume_is_replaced_whole(cluster: Cluster) -> None:
    pod = sleeping(cluster.nodes["node-1"])
    before = pod.run("readlink", f"{CONFIG}/..data").stdout
    assert pod.run("cat", f"{CONFIG}/one").stdout == "1"
    pod.replace({"one": "2", "two": "3"})
    assert pod.run("cat", f"{CONFIG}/one", f"{CONFIG}/two").stdout == "23"
    after = pod.run("readlink", f"{CONFIG}/..data").stdout
    assert after != before
    assert [path.name for path in pod.path(CONFIG).iterdir() if path.is_dir() and not path.is_symlink()] == [
        after.strip()
    ]


def test_it_ends_as_its_first_process_does(cluster: Cluster) -> None:
    pod = sleeping(cluster.nodes["node-1"])
    assert pod.stop() == 7
    pod.start()
    pod.wait_for_word("starts")
    inside = pod.processes("")
    assert pod.pid in inside
    pod.kill()
    assert pod.process.code
    assert [process for process in inside if Path(f"/proc/{process}").exists()] == []


def test_two_configurations_on_a_node_serve_and_leave(cluster: Cluster) -> None:
    fast = {"VRRP_VERSION": "3", "ADVERT_INT": "0.2", "NODES": NAMES, "PREEMPTION": "preempt"}
    found = served(
        {"CONFIG_NAME": "blue", "VIRTUAL_IPS": "10.78.1.1-3", **fast},
        {"CONFIG_NAME": "green", "VIRTUAL_IPS": "10.78.1.11-13", "VRRP_ID_OFFSET": "50", **fast},
    )
    pods = []
    for node in cluster.nodes.values():
        for name, text in found.files_of(node).items():
            pod = Pod(node, name, KEEPALIVED)
            pod.replace({"keepalived.conf": text})
            pod.start()
            pods.append(pod)
    cluster.wait_for_owners(found.owners(cluster))
    first = cluster.nodes["node-1"]
    leaving, killed = (pod for pod in pods if pod.node is first)
    assert leaving.stop() == 0
    killed.kill()
    # Those of the one that was asked to end are elsewhere and gone; the other's stay on the node, and are elsewhere.
    blue, green = (
        [vip for vip, owner in found.owners(cluster).items() if owner == first.name and vip in plan_vips]
        for plan_vips in ([vip for one in plan.instances for vip in one.vips] for plan in found.plans)
    )
    assert blue
    assert green
    cluster.wait_for_each(blue, lambda owners: len(owners) == 1 and first.name not in owners)
    cluster.wait_for_each(green, lambda owners: len(owners) == 2 and first.name in owners)
