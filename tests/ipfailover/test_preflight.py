"""Preflight hears the segment: a healthy one yields nothing, and each trouble on it is one line with its cure."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from hachecks.ipfailover.pod.preflight.hearing import MOST_ADVERTS, Heard
from hachecks.wire.frames import Advert
from tests.failover.bridge import SETUP as BRIDGE
from tests.failover.bridge import plug
from tests.failover.namespace import PATIENCE, namespace, wait_until
from tests.failover.requirements import missing_command
from tests.ipfailover.cluster import nodes
from tests.ipfailover.looking import preflight
from tests.ipfailover.served import IPV4_PEERS, NAMES, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ipfailover.cluster import Cluster, Node
    from tests.ipfailover.looking import Looked

pytestmark = [
    pytest.mark.failover,
    pytest.mark.skipif(
        bool(missing_command("ip", "keepalived", "nsenter", "setpriv", "unshare")), reason="needs Keepalived as root"
    ),
]

FAST = {"VRRP_VERSION": "3", "ADVERT_INT": "0.1"}
VIPS = {"VIRTUAL_IPS": "10.78.1.1-4,fd78::1:1-2", "NODES": NAMES, "VIP_GROUPS": "4", **FAST}
"""10.78.1.1 and 10.78.1.3 are advertised, under 11 and 12, and fd78::1:1 and fd78::1:2 under 13 and 14."""
UNICAST = {"VIRTUAL_IPS": "10.78.3.1-2", "UNICAST_PEERS": IPV4_PEERS, "VRRP_ID_OFFSET": "40", **FAST}
ONE = {**VIPS, "VIRTUAL_IPS": "10.78.1.1-2", "VIP_GROUPS": "1"}
SECOND = {
    "CONFIG_NAME": "second",
    "VIRTUAL_IPS": "10.78.4.1",
    "NODES": NAMES,
    "VRRP_ID_OFFSET": "60",
    "ADVERT_INT": "1",
}
"""By VRRP 2, of which the configuration's name is the password."""
HEALTHY = ("nothing is wrong with eth0 and its segment",)


@pytest.fixture(scope="module")
def peers() -> Iterator[Cluster]:
    """Two nodes that serve, and a third that does not yet."""
    with nodes(3) as cluster:
        configurations = [
            {"CONFIG_NAME": name, "PREEMPTION": "preempt", **one}
            for name, one in (("both", VIPS), ("unicast", UNICAST), ("second", SECOND))
        ]
        found = served(*configurations)
        *serving, last = cluster.nodes.values()
        for node in serving:
            node.configure(found.files_of(node))
            node.start_keepalived()
        cluster.wait_for_owners(found.owners(cluster, lost=[last]))
        yield cluster


@pytest.fixture
def node(peers: Cluster) -> Node:
    """The one that does not serve yet."""
    return peers.nodes["node-3"]


def mac_of(node: Node) -> str:
    return str(json.loads(node.must("ip", "-json", "link", "show", "eth0"))[0]["address"])


def owner(peers: Cluster, vip: str) -> tuple[str, str]:
    """Its node's number, and hardware address."""
    (name,) = peers.owners.of(vip)
    return name[-1], mac_of(peers.nodes[name])


def looked(node: Node, **short: str) -> Looked:
    name = "10.78.0.3" if "UNICAST_PEERS" in short else node.name
    return preflight(node, name, **{"CONFIG_NAME": "both", **short})


def test_a_healthy_cluster_has_nothing_to_say(node: Node) -> None:
    configurations = {"multicast": VIPS, "unicast": UNICAST, "VRRP 2": SECOND}
    with ThreadPoolExecutor() as pool:
        looks = {name: pool.submit(looked, node, **one) for name, one in configurations.items()}
        found = {name: look.result() for name, look in looks.items()}
    assert found == dict.fromkeys(configurations, (0, HEALTHY, ""))


def test_ids_that_somebody_else_has_are_told_with_who_it_is(peers: Cluster, node: Node) -> None:
    number, mac = owner(peers, "10.78.1.1")
    short = {**VIPS, "VIRTUAL_IPS": "10.78.9.1", "VIP_GROUPS": "0"}
    found = looked(node, **short)
    assert found.code == 0
    assert found.lines == (
        f"warn: the id 11 on eth0 belongs to 10.78.0.{number} ({mac}), which advertises other addresses than ours; "
        "leave it out by HA_EXCLUDED_VRRP_IDS, or move OPENSHIFT_HA_VRRP_ID_OFFSET",
    )
    assert looked(node, **short, VRRP_ID_OFFSET="80").lines == HEALTHY
    assert looked(node, **short, HA_EXCLUDED_VRRP_IDS="11,12,13").lines == HEALTHY


DIFFERENCES = {
    "version": (SECOND, {"VRRP_VERSION": "3"}, "by VRRP 2, which is 3 here"),
    "password": (SECOND, {"CONFIG_NAME": "first"}, "with another password than here"),
    "interval": (SECOND, {"ADVERT_INT": "3"}, "every 1 s, which is 3 s here"),
    "id": (SECOND, {"VRRP_ID_OFFSET": "70"}, "under the id 61, which is 71 here"),
    "multicast": (
        SECOND,
        {"UNICAST_PEERS": IPV4_PEERS, "NODES": IPV4_PEERS, "VRRP_ID_OFFSET": "60"},
        "by multicast, which is unicast here",
    ),
    "unicast": (UNICAST, {"UNICAST_PEERS": "", "NODES": IPV4_PEERS}, "by unicast, which is multicast here"),
    "peers": (UNICAST, {"UNICAST_PEERS": "10.78.0.3,10.78.0.8"}, "which is none of the peers"),
}


@pytest.fixture(scope="module")
def differing(peers: Cluster) -> dict[str, Looked]:
    """What is found by each difference; they look at once, since none changes anything."""
    last = peers.nodes["node-3"]
    with ThreadPoolExecutor() as pool:
        looks = {name: pool.submit(looked, last, **{**one[0], **one[1]}) for name, one in DIFFERENCES.items()}
        return {name: look.result() for name, look in looks.items()}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_peer_that_would_not_hear_us_is_waited_for(differing: dict[str, Looked], name: str) -> None:
    how, found = DIFFERENCES[name][2], differing[name]
    assert found.code == 0
    line = next(line for line in found.lines if how in line)
    assert line.startswith("wait: 10.78.")
    assert line.endswith(
        "neither would hear the other, and both be master; change all nodes at once, by hacheck ipfailover migrate"
    )


DROPS = {
    "nft": (
        "nft 'table inet filter { chain input { type filter hook input priority 0; policy drop; }; }'",
        "nft delete table inet filter",
        (
            "the policy of chain input in table inet filter does",
            "nft insert rule inet filter input meta l4proto 112 accept",
        ),
    ),
    "iptables": (
        "iptables-nft -A INPUT -p 112 -j DROP",
        "iptables-nft -F INPUT",
        ("rule 1 of chain INPUT in iptables-nft does", "iptables-nft -I INPUT 1 -p 112 -j ACCEPT, or set "),
    ),
    "legacy": (
        "iptables-legacy -A INPUT -m mark --mark 0 -j DROP",
        "iptables-legacy -F INPUT",
        ("perhaps rule 1 of chain INPUT in iptables-legacy does", "iptables-legacy -I INPUT 1 -p 112 -j ACCEPT"),
    ),
    "neither": (
        "ip route add blackhole 10.78.0.0/30; sysctl -q net.ipv4.conf.eth0.rp_filter=1",
        "ip route del blackhole 10.78.0.0/30; sysctl -q net.ipv4.conf.eth0.rp_filter=0",
        ("rp_filter is strict", "sysctl -w net.ipv4.conf.eth0.rp_filter=2"),
    ),
}


@pytest.mark.parametrize("name", DROPS)
def test_adverts_that_this_node_drops_are_told_with_the_rule_that_does_it(
    peers: Cluster, node: Node, name: str
) -> None:
    make, unmake, words = DROPS[name]
    node.must("sh", "-ec", make)
    try:
        found = looked(node, **ONE)
    finally:
        node.must("sh", "-c", unmake)
    (line,) = found.lines
    number, _ = owner(peers, "10.78.1.1")
    assert line.startswith(
        f"warn: adverts of 10.78.0.{number} come to eth0, and this node drops them before Keepalived"
    )
    assert all(word in line for word in words)


def test_a_vip_of_a_host_that_sends_no_advert_is_told_with_its_hardware_address(peers: Cluster, node: Node) -> None:
    strangers = ("10.78.1.2", "fd78::1:2")
    client = peers.client
    mac = json.loads(client.must("ip", "-json", "link", "show", "eth0"))[0]["address"]
    for vip in strangers:
        client.must("ip", "address", "add", vip, "dev", "eth0", *(["nodad"] if ":" in vip else []))
    try:
        line = "\n".join(looked(node, **VIPS).lines)
    finally:
        for vip in strangers:
            client.must("ip", "address", "del", vip, "dev", "eth0")
    assert line == (
        f"warn: 10.78.1.2 and fd78::1:2 are answered for on eth0 by {mac}, from which no advert for them comes: take "
        "them off that host, where a Keepalived was killed or somebody else has them"
    )


def test_a_vip_of_nobody_who_advertises_at_all_may_be_of_a_master_that_is_not_heard(peers: Cluster, node: Node) -> None:
    client = peers.client
    client.must("ip", "address", "add", "10.78.9.1/32", "dev", "eth0")
    try:
        found = looked(node, **{**VIPS, "VIRTUAL_IPS": "10.78.9.1", "VIP_GROUPS": "0", "VRRP_ID_OFFSET": "90"})
    finally:
        client.must("ip", "address", "del", "10.78.9.1/32", "dev", "eth0")
    assert found.with_word("10.78.9.1 is answered for on eth0")


def test_a_vip_on_another_interface_of_this_node_is_told_unless_arp_ignores_it(node: Node) -> None:
    node.must("ip", "address", "add", "10.78.1.2/32", "dev", "lo")
    ignore = ("sysctl", "-q", "net.ipv4.conf.eth0.arp_ignore={}")
    try:
        assert looked(node, **ONE).lines == (
            "warn: 10.78.1.2 is on lo of this node, and eth0 answers for it whichever node is master; "
            "ip address del 10.78.1.2/32 dev lo",
        )
        node.must(*ignore[:2], "net.ipv4.conf.eth0.arp_ignore=1")
        assert looked(node, **ONE).lines == HEALTHY
    finally:
        node.must(*ignore[:2], "net.ipv4.conf.eth0.arp_ignore=0")
        node.must("ip", "address", "del", "10.78.1.2/32", "dev", "lo")


def test_a_vip_that_kube_proxy_has_is_told_with_the_setting_that_cures_it(node: Node) -> None:
    node.must("ip", "link", "add", "kube-ipvs0", "type", "veth", "peer", "name", "ipvs-peer")
    node.must("ip", "address", "add", "10.78.1.2/32", "dev", "kube-ipvs0")
    try:
        assert looked(node, **ONE).lines == (
            "warn: 10.78.1.2 is on kube-ipvs0 of this node, and eth0 answers for it whichever node is master; "
            "set ipvs.strictARP to true in kube-proxy's configuration",
        )
    finally:
        node.must("ip", "link", "del", "kube-ipvs0")


def test_a_vip_that_was_left_here_is_told(node: Node) -> None:
    node.must("ip", "address", "add", "10.78.1.2/16", "dev", "eth0")
    try:
        line = looked(node, **ONE).with_word("though no Keepalived runs here")
    finally:
        node.must("ip", "address", "del", "10.78.1.2/16", "dev", "eth0")
    assert line.endswith("hacheck ipfailover run takes it off, or ip address del 10.78.1.2/16 dev eth0")


def test_peers_that_are_not_on_the_segment_are_told(node: Node) -> None:
    names = "10.78.0.3,10.78.0.77,10.78.0.78"
    found = looked(node, **{**UNICAST, "UNICAST_PEERS": names, "VIRTUAL_IPS": "10.78.9.8", "VRRP_ID_OFFSET": "90"})
    assert found.lines == (
        "warn: no other node answers on eth0, of 10.78.0.77 and 10.78.0.78: they are off, or on another segment, and "
        "this one would serve all VIPs; see that they are reached by it",
    )


def test_another_keepalived_of_this_node_with_our_ids_is_waited_for(peers: Cluster) -> None:
    serving = peers.nodes["node-1"]
    line = preflight(serving, "node-1", **{**VIPS, "VIRTUAL_IPS": "10.78.9.1-9", "VIP_GROUPS": "0"}).with_word(
        "another Keep"
    )
    assert line.startswith("wait: another Keepalived of this node, process ")
    assert "has the ids 11 and 12 on eth0 by /run/configurations/both/keepalived.conf: both would be master" in line


FLOOD = """
import socket, struct, sys, time
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
random = __import__("random").Random(7)
head = bytes.fromhex("01005e000012") + b"\\2aaaaa"
until = time.monotonic() + float(sys.argv[1])
print("floods", flush=True)
while time.monotonic() < until:
    body = bytes([random.choice((0x21, 0x31, 0x45)), random.choice((61, 0, 255)), 100, random.choice((0, 1, 255))])
    body += random.randbytes(random.randrange(0, 40))
    source = b"\\x0a\\x4e" + random.randbytes(2)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 255, 112, 0, source, b"\\xe0\\0\\0\\x12")
    total = sum(struct.unpack("!10H", ip))  # without a right sum the bridge does not pass it on
    ip = ip[:10] + struct.pack("!H", ~(total % 0xFFFF) & 0xFFFF) + ip[12:]
    ip = random.choice((ip + body, ip[: random.randrange(20)], random.randbytes(60), ip + body[:3]))
    try:
        raw.send(head + b"\\x08\\x00" + ip)
        raw.send(b"\\xff" * 6 + b"\\2aaaaa" + b"\\x08\\x06" + random.randbytes(random.randrange(60)))
    except OSError:
        pass
    time.sleep(0.0002)
"""


def test_a_segment_full_of_nonsense_is_looked_at_in_bounded_time_and_lines() -> None:
    said: list[str] = []
    # Without Keepaliveds, which would be at it as well, before everybody else.
    with namespace(BRIDGE) as switch, namespace() as looking, namespace() as noisy:
        plug(looking, switch, "looking", "10.78.0.3/16")
        plug(noisy, switch, "noisy", "10.78.0.99/16")
        noisy.start(sys.executable, "-c", FLOOD, str(PATIENCE), heard=said.append)
        wait_until("it floods", lambda: said == ["floods"])
        found = preflight(looking, "node-3", **SECOND)
    assert (found.code, found.err) == (0, "")
    assert found.with_word("the id 61 on eth0 belong")
    assert not [line for line in found.lines if "this node drops them" in line]
    assert len(found.lines) <= 20
    assert all(line.startswith("warn: ") and len(line) < 1000 for line in found.lines)


def test_more_adverts_than_are_kept_leave_it_open_who_else_is_there() -> None:
    heard, advert = Heard(), Advert("eth0", "m", "a", "b", "ipv4", 3, 1, 100, (), 1.0, 0)
    for number in range(MOST_ADVERTS):
        heard.take_advert(advert._replace(source=str(number)))
    heard.take_advert(advert._replace(source="0"))
    assert (heard.is_whole, len(heard.adverts)) == (True, MOST_ADVERTS)
    heard.take_advert(advert)
    assert (heard.is_whole, len(heard.adverts)) == (False, MOST_ADVERTS)


def test_a_node_by_itself_has_nothing_to_say_and_needs_to_be_named() -> None:
    with namespace("ip link add eth0 type veth peer name other; ip link set eth0 up; ip link set other up") as alone:
        alone.must("ip", "address", "add", "10.78.0.1/16", "dev", "eth0")
        given = {"VIRTUAL_IPS": "10.78.1.1", **FAST}
        assert preflight(alone, "node-1", **given) == (0, HEALTHY, "")
        unnamed = preflight(alone, "", **given)
        assert (unnamed.code, unnamed.lines) == (2, ())
        assert "--node" in unnamed.err
        assert os.geteuid() == 0
