"""What manifests put on nodes serves the VIPs of the plan, and takes a changed ConfigMap over without a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ipfailover.manifesting import container, plans, written
from tests.ipfailover.pods import CONFIG, HACHECK, Pod

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ipfailover.cluster import Cluster

pytestmark = [pytest.mark.failover, pytest.mark.xdist_group("manifests-run")]

ROUTER = ("--config-name", "router", "-i", "eth0", "--nodes", "node-1,node-2,node-3", "-w", 0, "--vrrp-id-offset", 20,
          "--vrrp-version", 3, "--advert-int", "0.2", "--preemption-strategy", "preempt",
          "--drain-file", "/run/hacheck/drain")  # fmt: skip
WELL = (*HACHECK, "http", "http://127.0.0.1:10112/-/ready", "--timeout", "30s", "--retries", "10000")


def masters(*words: object) -> dict[str, str | None]:
    (plan,) = plans(*ROUTER, *words)
    return {vip: one["ranks"][0]["node"] for one in plan["instances"] for vip in one["vips"]}


def test_the_pods_of_manifests_serve_the_plan_and_its_changes(cluster: Cluster, tmp_path: Path) -> None:
    before = written(*ROUTER, "--virtual-ips", "10.78.1.1-3")
    one = container(before.workloads[0])
    pods = []
    for node in cluster.nodes.values():
        arguments = [
            word.replace("$(NODE_IP)", node.addresses[0]).replace("/etc/hacheck", CONFIG) for word in one["args"]
        ]
        rights = [name.lower() for name in one["securityContext"]["capabilities"]["add"]]
        environ = {
            each["name"]: each["value"].replace("/etc/hacheck", CONFIG) for each in one["env"] if "value" in each
        }
        pod = Pod(node, "router", (*HACHECK, *one["command"][1:], *arguments), environ, rights)
        pod.replace(before.one("ConfigMap")["data"])
        pod.start()
        pods.append(pod)
    cluster.wait_for_owners(masters("--virtual-ips", "10.78.1.1-3"))
    first = [pod.pid for pod in pods]
    assert [pod.run(*WELL).returncode for pod in pods] == [0, 0, 0]
    ledger = tmp_path / "ledger.json"
    ledger.write_text(before.one("ConfigMap")["data"]["ledger.json"])
    words = ("--virtual-ips", "10.78.1.1,10.78.1.9,10.78.1.3", "--ledger", ledger)
    after = written(*ROUTER, *words)
    for pod in pods:
        pod.replace(after.one("ConfigMap")["data"])
    cluster.wait_for_owners({**masters(*words), "10.78.1.2": None})
    assert [pod.pid for pod in pods] == first
    assert [pod.stop() for pod in pods] == [0, 0, 0]
