"""Pods change how they elect at one instant: no VIP has two masters for more than a moment, and none waits too long."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from hachecks.ipfailover import instant
from hachecks.ipfailover.stock.node import StockNode
from hachecks.ipfailover.stock.simulation import simulate
from hachecks.ipfailover.variable import version
from hachecks.units import parse_duration
from tests.cli import hacheck
from tests.failover.namespace import PATIENCE, wait_until
from tests.ipfailover.changing import OUTAGE, TWO_OWNERS, Spans, spans
from tests.ipfailover.fleet import COMMON, VARIABLES, Fleet
from tests.ipfailover.given import variables
from tests.ipfailover.pods import CONFIG, Pod
from tests.ipfailover.served import IPV4_PEERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.ipfailover.cluster import Cluster, Node

pytestmark = pytest.mark.failover

LONGEST = 0.1
"""Seconds that a VIP may have two owners."""
NOTICE = 12
"""Seconds in which the volumes of all nodes are replaced."""
WAY = {"CONFIG_NAME": "way", "VIRTUAL_IPS": "10.78.1.1-3", "NODES": IPV4_PEERS}
OURS = {"CONFIG_NAME": "ours", "VIRTUAL_IPS": "10.78.2.1-3", "VRRP_ID_OFFSET": "20"}
"""What the stock image serves before."""
AFTER = {"way": {"NODES": "", "UNICAST_PEERS": IPV4_PEERS}, "ours": {"VRRP_VERSION": "3", "ADVERT_INT": "0.5"}}
"""From multicast to unicast, and from VRRP 2, which stock pods speak, to 3."""
# What each node says comes to the other end of its cable, for whomever it is.
LISTENER = """
import socket
from hachecks.wire.frames import Advert, read
heard = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
print("listens", flush=True)
while True:
    data, (interface, protocol, kind, _, mac) = heard.recvfrom(2048)
    said = read(protocol, data, interface, mac) if kind != socket.PACKET_OUTGOING else None
    if isinstance(said, Advert) and said.priority:
        print(said.version, said.is_multicast, flush=True)
"""


class Adverts:
    """What adverts are on the wire."""

    def __init__(self, cluster: Cluster) -> None:
        self._heard: list[str] = []
        cluster.switch.start(sys.executable, "-c", LISTENER, heard=self._heard.append)
        wait_until("it listens", lambda: bool(self._heard))

    def now(self, count: int = 20) -> set[tuple[int, bool]]:
        """The kinds of the next so many."""
        began = len(self._heard)
        wait_until("adverts are heard", lambda: len(self._heard) >= began + count)
        return {(int(line[0]), line.endswith("True")) for line in self._heard[began:]}


class Migration(NamedTuple):
    """What `migrate` wrote and promised."""

    text: str
    promised: Spans

    def at(self, when: int) -> str:
        """The file with another instant: a test does not wait as long as kubelet may take."""
        text, count = re.subn("(?m)^(OPENSHIFT_HA_CHANGE_AT=).*$", rf"\g<1>{instant.written(when)}", self.text)
        assert count == 1
        return text


def migrate(directory: Path, before: Mapping[str, str], after: Mapping[str, str]) -> Migration:
    """Ask for the way from one configuration to the other."""
    directory.mkdir()
    old, files = directory / "old.env", directory / "change"
    old.write_text("".join(f"{name}={text}\n" for name, text in variables(**before).items()))
    words = ("migrate", "--against", old, "--at", "10m", "--output", files)
    answer = hacheck("ipfailover", *words, timeout=PATIENCE, **variables(**after))
    assert answer.code == 0, answer
    outage, two = OUTAGE.search(answer.out), TWO_OWNERS.search(answer.out)
    assert outage, answer
    assert two, answer
    (file,) = files.glob("*.env")
    promised = Spans(parse_duration(outage[1]) if outage[1] else 0.0, parse_duration(two[1]))
    return Migration(file.read_text(), promised)


def reloaded(fleet: Fleet) -> dict[Pod, int]:
    return {pod: pod.log.count("Reload complete") for pod in fleet.pods.values()}


def stock(node: Node) -> Pod:
    """A pod of the stock image."""
    short = {**COMMON, **OURS, "REPLICA_COUNT": "3"}
    short.pop("NODES")
    found = simulate(variables(**short), version("4.19"), StockNode(node.addresses[0], ("eth0",), "eth0"))
    # Where a node is not the first it has a priority by chance, by a word that is newer than some Keepalived.
    text = re.sub(r"\$\{_RANDOM \d+ (\d+)\}", r"\1", found.text)
    pod = Pod(node, "stock", ("keepalived", "-n", "-l", "-f", f"{CONFIG}/keepalived.conf"))
    pod.replace({"keepalived.conf": text})
    return pod


def begin(cluster: Cluster, fleet: Fleet) -> list[Pod]:
    """Have the stock image serve one configuration, and pods of ours the other."""
    old = [stock(node) for node in cluster.nodes.values()]
    for pod in (*old, *(fleet.pods[name, "way"] for name in cluster.nodes)):
        pod.start()
    cluster.wait_for_owners({vip: owner for vip, owner in fleet.owners().items() if vip in vips_of(fleet, "way")})
    cluster.wait_for_each(fleet.vips, lambda owners: len(owners) == 1)
    for pod in old:
        pod.wait_for_word("Startup complete")
    return old


def vips_of(fleet: Fleet, name: str) -> set[str]:
    return {vip for one in fleet.served for plan in one.plans if plan.name == name for vip in one.ids}


@pytest.mark.serial
def test_pods_change_at_the_instant_that_migrate_writes(cluster: Cluster, tmp_path: Path) -> None:
    fleet = Fleet(cluster, tmp_path, WAY, OURS)
    adverts = Adverts(cluster)
    vips = {name: vips_of(fleet, name) for name in AFTER}
    old = begin(cluster, fleet)
    with cluster.asking(fleet.vips) as client:
        replace_each(cluster, fleet, old, vips["ours"])
        assert adverts.now() == {(2, True)}
        migrations = {
            name: migrate(tmp_path / name, before, {**before, **AFTER[name]})
            for name, before in fleet.configurations.items()
        }
        began, reloads, lost = len(cluster.owners.history), reloaded(fleet), dict(client.lost)
        # Without an instant nobody changes anything.
        files = {name: fleet.change(name, **after) for name, after in AFTER.items()}
        for name, changed in files.items():
            fleet.replace(name, changed)
        for pod in fleet.pods.values():
            pod.wait_for_word("OPENSHIFT_HA_CHANGE_AT is not set")
        at = int(time.time()) + NOTICE
        for node in cluster.nodes.values():
            for name, migration in migrations.items():
                fleet.replace(name, {**files[name], VARIABLES: migration.at(at)}, [node])
            client.wait_for_more(50)
        assert (cluster.owners.history[began:], reloaded(fleet)) == ([], reloads)
        assert time.time() < at
        wait_until("all have reloaded", lambda: all(now > reloads[pod] for pod, now in reloaded(fleet).items()))
        # A VIP that nobody lets go is where it was; of one that is elected anew there is nobody at first.
        assert cluster.owners.wait(lambda: {one.vip for one in cluster.owners.history[began:]} >= vips["way"], PATIENCE)
        cluster.wait_for_owners(fleet.owners())
        client.wait_for_more(50)
    assert adverts.now(40) == {(2, False), (3, True)}
    for name, migration in migrations.items():
        seen = spans(cluster.owners.history[began:], vips[name])
        missing = max(client.lost[vip] - lost[vip] for vip in vips[name]) * 0.005
        print(f"{name}: {seen}, the client {missing:.3f} s, promised {migration.promised}")
        assert seen.two_owners <= LONGEST
        assert seen.outage <= migration.promised.outage
        # What is on the way while a VIP goes from one to another is lost as well.
        assert missing <= migration.promised.outage + LONGEST


def replace_each(cluster: Cluster, fleet: Fleet, old: list[Pod], vips: set[str]) -> None:
    """Roll ours out in the place of the stock image, one after another as a Deployment with maxSurge 0 does it."""
    began = len(cluster.owners.history)
    for pod in old:
        assert pod.stop() == 0
        new = fleet.pods[pod.node.name, "ours"]
        new.start()
        new.wait_for_word("Startup complete")
    cluster.wait_for_owners(fleet.owners())
    seen = spans(cluster.owners.history[began:], vips)
    print(f"stock image to ours: {seen}")
    assert seen.two_owners <= LONGEST
    # The last of the stock image's priorities waits for nearly a second longer than the first.
    assert seen.outage <= 1.0 + LONGEST
