"""VIPs come and go while real nodes reload one by one: whoever asks another VIP does not notice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli import Answer, hacheck
from tests.failover.namespace import PATIENCE
from tests.ipfailover.given import variables
from tests.ipfailover.served import IPV4_PEERS, IPV6_PEERS, NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ipfailover.cluster import Cluster, Node

pytestmark = pytest.mark.failover

# Neither is the first of its group, which is the address that a group advertises.
GONE = ("10.78.1.3", "fd78::1:2")
COME = ("10.78.1.20", "fd78::1:9")
IPV4 = ("10.78.1.1-5,10.78.1.11-13", "10.78.1.1-2,10.78.1.4-5,10.78.1.20,10.78.1.11-13")
IPV6 = ("fd78::1:1-4", "fd78::1:1,fd78::1:9,fd78::1:3-4")
COMMON = {"NETWORK_INTERFACE": "eth0", "MONITOR_PORT": "0", "PREEMPTION": "preempt"}
WAYS = {
    "multicast": ({"CONFIG_NAME": "both", "NODES": NAMES},),
    "unicast": (
        {"CONFIG_NAME": "four", "UNICAST_PEERS": IPV4_PEERS},
        {"CONFIG_NAME": "six", "UNICAST_PEERS": IPV6_PEERS, "VRRP_ID_OFFSET": "100"},
    ),
}
VIPS = {"both": tuple(map(",".join, zip(IPV4, IPV6))), "four": IPV4, "six": IPV6}
"""The VIPs of each configuration, before and after."""


class Rollout:
    """A configuration as an administrator keeps it, with a ledger and the plan of before."""

    def __init__(self, directory: Path, **short: str) -> None:
        self.name = short["CONFIG_NAME"]
        self.variables = {**COMMON, **short}
        self.ledger = directory / f"{self.name}.ledger"
        self.planned = directory / f"{self.name}.plan"
        self.files = directory / self.name
        self.masters: dict[str, str] = {}
        self.ids: dict[str, int] = {}
        self.kinds: dict[str, str] = {}

    def plan(self, vips: str) -> None:
        """Plan for these VIPs, from the second time on against the plan of before, and write the files."""
        self.variables["VIRTUAL_IPS"] = vips
        against = ("--against", self.planned) if self.planned.exists() else ()
        answer = self._hacheck("plan", "--save", "--format", "json", *against)
        self.planned.write_text(answer.out)
        document = json.loads(answer.out)
        instances = document["configurations"][0]["instances"]
        self.masters = {vip: one["ranks"][0]["node"] for one in instances for vip in one["vips"]}
        self.ids = {vip: one["id"] for one in instances for vip in one["vips"]}
        self.kinds = {one["vip"]: one["kind"] for one in document.get("changes", ())}
        self._hacheck("render", "--output", self.files)

    def file(self, node: Node) -> str:
        """The keepalived.conf of a node, of the plan's latest."""
        name = next(name for name in (node.name, *node.addresses) if name in self.masters.values())
        return (self.files / f"{name}.conf").read_text()

    def _hacheck(self, command: str, *words: object) -> Answer:
        environ = variables(**self.variables)
        answer = hacheck("ipfailover", command, "--ledger", self.ledger, *words, timeout=PATIENCE, **environ)
        assert answer.code == 0, answer
        return answer


@pytest.mark.parametrize(
    ("way", "groups"),
    [
        pytest.param(way, groups, marks=pytest.mark.xdist_group(f"cluster-{way}-{groups}"))
        for way in WAYS
        for groups in ("0", "3")
    ],
)
def test_not_one_request_to_another_vip_is_lost(cluster: Cluster, tmp_path: Path, way: str, groups: str) -> None:
    rollouts = [Rollout(tmp_path, VIP_GROUPS=groups, **short) for short in WAYS[way]]
    for one in rollouts:
        one.plan(VIPS[one.name][0])
    cluster.start({node.name: {one.name: one.file(node) for one in rollouts} for node in cluster.nodes.values()})
    cluster.wait_for_owners(masters(cluster, rollouts))
    before = {one.name: dict(one.ids) for one in rollouts}
    untouched = {vip: node for vip, node in masters(cluster, rollouts).items() if vip not in GONE}
    asked = {node: vip for vip, node in untouched.items()}.values()
    for one in rollouts:
        one.plan(VIPS[one.name][1])
        assert one.kinds == {
            **{vip: "removed" for vip in GONE if vip in before[one.name]},
            **{vip: "added" for vip in COME if vip in one.ids},
        }
        assert before[one.name].items() - one.ids.items() == {
            (vip, before[one.name][vip]) for vip in GONE if vip in before[one.name]
        }
    began = len(cluster.owners.history)
    with cluster.asking(asked) as client:
        for node in cluster.nodes.values():
            node.configure({one.name: one.file(node) for one in rollouts})
            node.reload_keepalived()
            client.wait_for_more(100)
        cluster.wait_for_owners({**masters(cluster, rollouts), **dict.fromkeys(GONE)})
        client.wait_for_more(100)
    assert client.lost == dict.fromkeys(asked, 0)
    assert client.nodes == {vip: [untouched[vip]] for vip in asked}
    history = cluster.owners.history[began:]
    assert [change for change in history if change.vip in untouched] == []
    # A VIP that comes alone is the first node's to have it, until a better one has it too and takes it.
    lonely = COME if groups == "0" else ()
    assert [change for change in history if len(change.owners) > 1 and change.vip not in lonely] == []


def masters(cluster: Cluster, rollouts: list[Rollout]) -> dict[str, str | None]:
    """The node of each VIP."""
    names = {name: node.name for node in cluster.nodes.values() for name in (node.name, *node.addresses)}
    return {vip: names[node] for one in rollouts for vip, node in one.masters.items()}
