"""Preflight looks at the node: rights that are missing, and an interface that is not the one for the VIPs."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.failover.namespace import namespace
from tests.failover.requirements import missing_command
from tests.ipfailover.looking import preflight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.failover.namespace import Namespace
    from tests.ipfailover.looking import Looked

pytestmark = [
    pytest.mark.failover,
    pytest.mark.skipif(bool(missing_command("ip", "nsenter", "setpriv", "unshare")), reason="needs root's namespaces"),
]

SETUP = """
ip link add eth0 type veth peer name peer0; ip link add eth1 type veth peer name peer1
for one in eth0 eth1 peer0 peer1; do ip link set $one up; done
ip address add 10.78.0.1/16 dev eth0; ip address add fe80::1/64 dev eth0 nodad
ip address add 10.79.0.1/16 dev eth1; ip address add fe80::2/64 dev eth1 nodad
ip route add default via 10.78.0.254
"""
GIVEN = {"VIRTUAL_IPS": "10.78.1.1", "VRRP_VERSION": "3", "ADVERT_INT": "0.1"}
HEALTHY = ("nothing is wrong with eth0 and its segment",)
ADD = "add it to securityContext.capabilities.add"


@pytest.fixture
def node() -> Iterator[Namespace]:
    with namespace(SETUP) as found:
        yield found


def looked(node: Namespace, within: Sequence[str] = (), **short: str) -> Looked:
    return preflight(node, "node-1", within=within, **{**GIVEN, **short})


def without(*rights: str) -> tuple[str, ...]:
    words = ",".join(f"-{one}" for one in rights)
    return ("setpriv", "--bounding-set", words, "--inh-caps", words)


@pytest.mark.parametrize(
    ("right", "why"),
    [
        ("net_admin", "to put VIPs on the interface"),
        ("net_raw", "to send and hear adverts, which are IP protocol 112"),
        ("setgid", "to start checks, each of which it would take for one that passes"),
    ],
)
def test_each_right_that_is_missing_is_fatal(node: Namespace, right: str, why: str) -> None:
    found = looked(node, without(right))
    assert found == (1, (f"fatal: there is no CAP_{right.upper()}, which Keepalived needs {why}; {ADD}",), "")


DROP = """
import ctypes, runpy, sys
assert ctypes.CDLL(None).prctl(24, 13, 0, 0, 0) == 0  # PR_CAPBSET_DROP, CAP_NET_RAW
sys.argv = sys.argv[3:]
runpy.run_module("hachecks", run_name="__main__", alter_sys=True)
"""


def test_a_right_that_is_ours_and_not_of_what_we_start_is_missing_as_well(node: Namespace) -> None:
    found = looked(node, (sys.executable, "-c", DROP))
    why = "which Keepalived needs to send and hear adverts, which are IP protocol 112"
    assert found.code == 1
    assert found.lines == (f"fatal: what is started here has no CAP_NET_RAW, {why}; {ADD}",)


def test_rights_that_a_container_of_ours_has_are_enough(node: Namespace) -> None:
    only = "-all,+net_admin,+net_raw,+setgid,+setuid"
    found = looked(node, ("setpriv", "--bounding-set", only, "--inh-caps", "-all", "--no-new-privs"))
    assert found == (0, HEALTHY, "")


def test_another_user_than_root_is_fatal(node: Namespace) -> None:
    found = looked(node, ("setpriv", "--reuid", "65534", "--clear-groups", "--inh-caps", "-all"))
    assert (found.code, found.lines) == (
        1,
        ("fatal: this runs as uid 65534, and Keepalived needs root; set securityContext.runAsUser to 0",),
    )


def test_root_of_a_user_namespace_has_rights_that_the_kernel_refuses(node: Namespace) -> None:
    found = looked(node, ("unshare", "--user", "--map-root-user"))
    assert found.code == 1
    assert [line.partition(",")[0] for line in found.lines][:2] == [
        "fatal: CAP_NET_ADMIN is there",
        "fatal: CAP_NET_RAW is there",
    ]


def test_real_time_that_cannot_be_had_is_told(node: Namespace) -> None:
    told = (
        "warn: OPENSHIFT_HA_VERBATIM_GLOBAL: {0} needs CAP_SYS_NICE, which is not there; " + ADD + ", or leave {0} out"
    )
    expected = {
        ("max_auto_priority 20", without("sys_nice")): told.format("max_auto_priority"),
        ("vrrp_rt_priority 20", without("sys_nice")): told.format("vrrp_rt_priority"),
        ("max_auto_priority 20", ()): HEALTHY[0],
        ("max_auto_priority 0", without("sys_nice")): HEALTHY[0],
    }
    with ThreadPoolExecutor() as pool:
        looks = [pool.submit(looked, node, within, VERBATIM_GLOBAL=line) for line, within in expected]
        assert [look.result() for look in looks] == [(0, (line,), "") for line in expected.values()]


INTERFACES = {
    "absent": (
        "true",
        {"NETWORK_INTERFACE": "eth9"},
        "wait: OPENSHIFT_HA_NETWORK_INTERFACE: eth9 is not there; this node has eth0 (with the default route) and "
        "eth1; name the right one, or make it",
    ),
    "down": (
        "ip link set eth1 down",
        {"NETWORK_INTERFACE": "eth1", "VIRTUAL_IPS": "10.90.1.1"},
        "warn: eth1 is down, and no VIP comes to it; ip link set eth1 up",
    ),
    "no carrier": (
        "ip link set peer0 down",
        {},
        "warn: eth0 has no carrier, and no VIP comes to it; look at its cable and its switch",
    ),
    "no address": (
        "ip address flush dev eth1; ip link set peer1 down; ip link set peer1 up",
        {"NETWORK_INTERFACE": "eth1", "VIRTUAL_IPS": "10.90.1.1"},
        "warn: eth1 has no IPv4 address, from which adverts would be sent; give it one",
    ),
    "no IPv6": (
        "sysctl -q net.ipv6.conf.eth0.disable_ipv6=1",
        {"VIRTUAL_IPS": "fd78::1:1"},
        "warn: eth0 has no link-local IPv6 address, from which adverts would be sent; "
        "sysctl -w net.ipv6.conf.eth0.disable_ipv6=0",
    ),
    "no multicast": (
        "ip link set eth0 multicast off",
        {},
        "warn: eth0 does no multicast, by which nodes are to hear each other; name another interface, or set "
        "OPENSHIFT_HA_UNICAST_PEERS",
    ),
    "another's subnet": (
        "true",
        {"VIRTUAL_IPS": "10.78.1.1,10.79.1.1-5"},
        "warn: 10.79.1.1, 10.79.1.2, 10.79.1.3 and 2 more are of a subnet of eth1, and VRRP is to run on eth0; name "
        "eth1, in a configuration of its own where other VIPs are right",
    ),
    "port of a bridge": (
        "ip link add br-ex type bridge; ip address flush dev eth0; ip link set eth0 master br-ex; ip link set br-ex up;"
        "ip address add 10.78.0.1/16 dev br-ex",
        {},
        "warn: OPENSHIFT_HA_NETWORK_INTERFACE: eth0 is a port of the bridge br-ex, which has the addresses; name br-ex",
    ),
}


def look_at_a_node_of_its_own(change: str, short: dict[str, str]) -> Looked:
    with namespace(SETUP) as node:
        node.must("sh", "-ec", change)
        return looked(node, **short)


@pytest.fixture(scope="module")
def each() -> dict[str, Looked]:
    """What is found at each node, all of them at once."""
    with ThreadPoolExecutor() as pool:
        looks = {name: pool.submit(look_at_a_node_of_its_own, *one[:2]) for name, one in INTERFACES.items()}
        return {name: look.result() for name, look in looks.items()}


@pytest.mark.parametrize("name", INTERFACES)
def test_what_is_wrong_with_the_interface_is_told(each: dict[str, Looked], name: str) -> None:
    found = each[name]
    assert (found.code, found.err) == (0, "")
    assert INTERFACES[name][2] in found.lines
    assert len(found.lines) <= 2


def test_an_interface_that_is_right_for_vips_of_no_subnet_at_all_is_right(node: Namespace) -> None:
    assert looked(node, VIRTUAL_IPS="10.200.1.1,10.78.1.2").lines == HEALTHY


def test_a_firewall_that_would_drop_adverts_is_told_though_nobody_sends_any(node: Namespace) -> None:
    chain = "type filter hook input priority 0; policy drop; ct state established accept;"
    node.must("nft", f"table inet filter {{ chain input {{ {chain} }}; }}")
    cure = "nft insert rule inet filter input meta l4proto 112 accept"
    expected = (f"warn: adverts are dropped by the policy of chain input in table inet filter; {cure}",)
    assert looked(node).lines == expected
    node.must(*cure.split())
    assert looked(node).lines == HEALTHY


def test_a_rule_of_iptables_before_which_ours_will_be_is_nothing_to_tell(node: Namespace) -> None:
    node.must("iptables-nft", "-P", "INPUT", "DROP")
    assert looked(node, IPTABLES_CHAIN="INPUT").lines == HEALTHY
    (line,) = looked(node).lines
    assert line == (
        "warn: adverts are dropped by the policy of chain INPUT in iptables-nft; iptables-nft -I INPUT 1 -p 112 "
        "-j ACCEPT, or set OPENSHIFT_HA_IPTABLES_CHAIN=INPUT"
    )
