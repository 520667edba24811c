"""Two owners, deaf nodes and foreign ids are told within two seconds, and a healthy cluster is silent."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.agent.wire_cluster import CONF, FILES, HACHECK, NAME, VIP4, VIP6, knows, segment, stranger
from tests.failover.namespace import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.agent.wire_cluster import Segment

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces")

PROMISED = 2.0
"""Seconds within which it is told."""
BUSY = 1.5
"""Seconds more, for a machine on which other tests run."""

DEAF = (
    "add table inet eater; add chain inet eater i { type filter hook input priority 0; }; "
    "add rule inet eater i meta l4proto 112 drop"
)
"""What a firewall does that knows nothing of VRRP."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Segment]:
    """Three nodes; whoever uses them leaves them as they were."""
    with segment() as found:
        yield found


def quiet(found: Segment) -> None:
    """Wait until nothing is wrong any more, as far as all agents know."""
    found.cluster.wait_for_owners({VIP4: "node-1", VIP6: "node-1"})
    for agent in found.agents.values():
        wait_until("all is well again", lambda agent=agent: agent.status()["agrees"], every=0.2)  # type: ignore[misc]


def in_time(late: Iterable[float]) -> None:
    """See that all was told within the time."""
    print("told after", [f"{one:.2f} s" for one in late])
    assert max(late) < PROMISED + BUSY


def hear_more(found: Segment) -> None:
    """Let so much time pass that each agent has heard enough to say what it does not say."""

    def heard(name: str) -> float:
        return found.agents[name].value("hachecks_vrrp_wire_asked_total")

    before = {name: heard(name) for name in found.agents}
    for name in found.agents:
        wait_until("it has asked more", lambda name=name: heard(name) >= before[name] + 8, every=0.2)  # type: ignore[misc]


def test_a_healthy_cluster_is_silent(shared: Segment) -> None:
    cluster = shared.cluster
    one = cluster.nodes["node-1"]
    before = shared.all_told
    one.stop_keepalived()
    cluster.wait_for_owners({VIP4: "node-2", VIP6: "node-2"})
    one.start_keepalived()
    cluster.wait_for_owners({VIP4: "node-1", VIP6: "node-1"})
    one.must(*HACHECK, "drain", *FILES)
    cluster.wait_for_owners({VIP4: "node-2", VIP6: "node-2"})
    one.must(*HACHECK, "undrain", *FILES)
    cluster.wait_for_owners({VIP4: "node-1", VIP6: "node-1"})
    for node in cluster.nodes.values():
        node.reload_keepalived()
    one.cut()
    cluster.wait_for_owners({VIP4: "node-2", VIP6: "node-2"})
    one.mend()
    cluster.wait_for_owners({VIP4: "node-1", VIP6: "node-1"})
    hear_more(shared)
    assert shared.all_told == before
    for agent in shared.agents.values():
        assert agent.conflicts() == dict.fromkeys(("duplicate_owner", "deaf", "foreign_id", "unanswered"), 0.0)
        assert agent.status()["agrees"]


def test_two_nodes_that_do_not_hear_each_other_are_told_by_a_third(shared: Segment) -> None:
    cluster = shared.cluster
    one, two, since = cluster.nodes["node-1"], cluster.nodes["node-2"], time.monotonic()
    one.part()
    two.part()
    cluster.wait_for_each([VIP4, VIP6], lambda owners: len(owners) == 2)
    third = shared.agents["node-3"]
    told = {vip: third.wait_for(name, "two owners", since=since) for vip, name in ((VIP4, "V4"), (VIP6, "V6"))}
    late = {vip: told[vip] - shared.owner_since(vip, "node-2") for vip in told}
    status = third.status()
    one.join()
    two.join()
    quiet(shared)
    in_time(late.values())
    assert not status["agrees"]
    assert sum("two owners" in one for one in status["disagreements"]) == 2


def test_a_switch_that_eats_adverts_is_told_on_both_sides(shared: Segment) -> None:
    cluster = shared.cluster
    eat = "add table bridge eater; add chain bridge eater f { type filter hook forward priority 0; }; "
    eat += "add rule bridge eater f meta protocol { ip, ip6 } meta l4proto 112 drop"
    began = time.monotonic()
    cluster.switch.must("nft", eat)
    cluster.wait_for_each([VIP4, VIP6], lambda owners: len(owners) == 3)
    late = {}
    for name, agent in shared.agents.items():
        since = max(shared.owner_since(VIP4, "node-2"), shared.owner_since(VIP4, name))
        late[name] = agent.wait_for("V4", "two owners", since=began) - since
    agrees = [agent.status()["agrees"] for agent in shared.agents.values()]
    shown = cluster.nodes["node-2"].run(*HACHECK, "status", *FILES)
    cluster.switch.must("nft", "delete table bridge eater")
    quiet(shared)
    in_time(late.values())
    assert agrees == [False, False, False]
    assert shown.returncode == 1
    assert "answers for 10.78.1.1 on eth0 while this node is MASTER" in shown.stdout


def test_a_stranger_that_answers_for_a_vip_is_told(shared: Segment) -> None:
    cluster = shared.cluster
    since = time.monotonic()
    with stranger(cluster, "10.78.0.77/16", f"{VIP4}/32", f"{VIP6}/128") as found:
        began = time.monotonic()
        mac = json.loads(found.must("ip", "-json", "link", "show", "eth0"))[0]["address"]
        late = {
            (name, vip): agent.wait_for(vip, mac, since=since) - began
            for name, agent in shared.agents.items()
            for vip in (VIP4, VIP6)
        }
        counts = shared.agents["node-1"].conflicts()
    quiet(shared)
    in_time(late.values())
    assert counts["duplicate_owner"] == 2.0


def test_a_firewall_that_drops_adverts_is_named(shared: Segment) -> None:
    cluster = shared.cluster
    two = cluster.nodes["node-2"]
    since = time.monotonic()
    two.must("nft", DEAF)
    cluster.wait_for_each([VIP4], lambda owners: "node-2" in owners)
    agent = shared.agents["node-2"]
    late = agent.wait_for("V4", "two owners", since=since) - shared.owner_since(VIP4, "node-2")
    agent.wait_for("V4", "the firewall of this node drops them; accept IP protocol 112 from 10.78.0.1", since=since)
    agent.wait_for("V6", "the firewall of this node drops them; accept IP protocol 112 from fe80::1", since=since)
    other = shared.agents["node-1"].wait_for("V4", "two owners", since=since) - shared.owner_since(VIP4, "node-2")
    two.must("nft", "delete table inet eater")
    quiet(shared)
    in_time([late, other])


def test_adverts_that_pass_the_firewall_and_are_not_taken_are_told_with_the_difference(shared: Segment) -> None:
    two, since = shared.cluster.nodes["node-2"], time.monotonic()
    path = two.path("/run/configurations/wire/keepalived.conf")
    before = path.read_text()
    path.write_text(before.replace("advert_int 1\n", "advert_int 2\n"))
    two.reload_keepalived()
    told = "though the firewall lets them pass: advert_int differs (1 s there, 2 s here)"
    shared.agents["node-2"].wait_for("V4", "stays MASTER with 249", told, since=since)
    path.write_text(before)
    two.reload_keepalived()
    quiet(shared)


def test_an_id_that_another_cluster_uses_is_told(shared: Segment) -> None:
    conf = (
        "vrrp_instance X {\n state BACKUP\n interface eth0\n virtual_router_id 52\n version 3\n advert_int 0.25\n"
        " priority 10\n virtual_ipaddress {\n fd78::9:9/128\n }\n}\n"
    )
    since = time.monotonic()
    with stranger(shared.cluster, "fd78::77/64", "fe80::77/64") as found:
        found.must("nft", DEAF)  # whoever hears another master for its id keeps still for most of the time
        found.path("/run/keepalived.conf").write_text(conf)
        found.start("keepalived", "-n", "-l", "-f", "/run/keepalived.conf", "-p", "/run/pid", "-r", "/run/vrrp.pid")
        for agent in shared.agents.values():
            agent.wait_for("V6", "fe80::77", "for other VIPs (fd78::9:9)", since=since)
    quiet(shared)


def test_a_master_that_does_not_answer_any_more_is_told(shared: Segment) -> None:
    one, since = shared.cluster.nodes["node-1"], time.monotonic()
    one.must("sysctl", "--quiet", "--write", "net.ipv4.conf.all.arp_ignore=8")
    shared.agents["node-2"].wait_for("V4", f"nobody answers for {VIP4} on eth0 any more", since=since)
    one.must("sysctl", "--quiet", "--write", "net.ipv4.conf.all.arp_ignore=0")
    quiet(shared)


def test_virtual_hardware_addresses_are_no_strangers() -> None:
    with segment(2, more="use_vmac") as found:
        cluster = found.cluster
        one = cluster.nodes["node-1"]
        one.stop_keepalived()
        cluster.wait_for_owners({VIP4: "node-2", VIP6: "node-2"})
        one.start_keepalived()
        cluster.wait_for_owners({VIP4: "node-1", VIP6: "node-1"})
        hear_more(found)
        assert found.all_told == []
        assert all(agent.status()["agrees"] for agent in found.agents.values())


def test_who_waits_for_more_adverts_than_others_is_not_taken_for_one_who_does_not_take_over() -> None:
    with segment(2, more_global="vrrp_down_timer_adverts 12", more="down_timer_adverts 14") as found:
        cluster = found.cluster
        cluster.nodes["node-1"].cut()
        cluster.wait_for_owners({VIP4: "node-2", VIP6: "node-2"})
        hear_more(found)
        assert found.agents["node-2"].told() == []


def test_who_has_to_wait_after_his_start_is_not_taken_for_one_who_does_not_take_over() -> None:
    with segment(2) as found:
        cluster, agent = found.cluster, found.agents["node-2"]
        one, two = cluster.nodes["node-1"], cluster.nodes["node-2"]
        two.stop_keepalived()
        text = CONF.format(priority=249, more="", more_global="vrrp_startup_delay 15")
        two.configure({NAME: text})
        two.start_keepalived()
        wait_until("the agent knows", lambda: knows(agent, "BACKUP"), every=0.2)
        hear_more(found)
        one.cut()
        cluster.wait_for_each([VIP4, VIP6], lambda owners: "node-2" in owners)
        hear_more(found)
        assert agent.told() == []
