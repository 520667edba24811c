"""Upstream's 23 known weaknesses: lint finds each in an input that shows it, and is silent on the corrected one; plan
refuses what the stock image takes wrongly, tells it, or does it as it was meant.

The numbers are those of the list in the project's notes on upstream.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from hachecks.ipfailover.against import TWICE, against
from hachecks.keepalived import openshift
from hachecks.settings import Invalid
from tests.ipfailover import lint_cases_stock
from tests.ipfailover.given import ids, loads, plan, variables
from tests.ipfailover.lint_cases_pod import (
    CHECK,
    GOOD,
    IPVS,
    MODULES,
    NETWORK,
    NOTIFY,
    PGREP,
    READINESS,
    beside,
    config_map,
    mounted,
    with_variable,
)
from tests.ipfailover.linting import Given, deployment_with


class Weakness(NamedTuple):
    """One way to show a weakness: its number, the finding's code, the input that shows it, and the corrected one."""

    number: int
    code: str
    wrong: Given
    right: Given


def stock(at: str = "4.14", /, **short: str) -> Given:
    """Variables of a stock image of a version, of which nothing else is to be said."""
    return lint_cases_stock.stock(at, **{"CHECK_SCRIPT": CHECK, **short})


def list_of(text: str) -> Given:
    return stock(VIRTUAL_IPS=text)


THREE = {"VIRTUAL_IPS": "10.0.0.1-4", "REPLICA_COUNT": "3", "NODES": "10.9.0.9,10.9.0.10,10.9.0.11"}
PEERS = "10.9.0.1,10.9.0.2"
EARLIER = {"VIRTUAL_IPS": "10.0.0.1-254", "VRRP_ID_OFFSET": "10"}

WEAKNESSES = [
    Weakness(1, "HA020", stock("4.20", **EARLIER), stock("4.20", **EARLIER, VIP_GROUPS="245")),
    Weakness(2, "HA007", stock(VRRP_ID_OFFSET=""), stock(VRRP_ID_OFFSET="0")),
    Weakness(3, "HA010", list_of("10.1.1.1/24"), list_of("10.1.1.1")),
    Weakness(3, "HA010", list_of("10.1.1.10/24"), list_of("10.1.1.10")),
    Weakness(4, "HA011", list_of("3.3.3.3-4  4.4.4.4"), list_of("3.3.3.3-4, 4.4.4.4")),
    Weakness(5, "HA013", list_of("10.1.1.250-10.1.2.5"), list_of("10.1.1.250-255,10.1.2.0-5")),
    Weakness(5, "HA013", list_of("10.1.1.1-10.1.9.2"), list_of("10.1.1.1-2")),
    Weakness(5, "HA013", list_of("10.1.1.9-7"), list_of("10.1.1.7-9")),
    Weakness(5, "HA013", list_of("10.2.2.254-257"), list_of("10.2.2.254-255,10.2.3.0-1")),
    Weakness(6, "HA012", list_of("www.example.test"), list_of("192.0.2.1")),
    Weakness(6, "HA015", list_of("10.0.0.300"), list_of("10.0.0.30")),
    Weakness(6, "HA018", list_of("a.b"), list_of("10.0.0.1")),
    Weakness(7, "HA014", list_of("10.0.0.1,fd00::a-c"), list_of("10.0.0.1")),
    Weakness(7, "HA019", list_of("10.0.0.1,fd00::a"), list_of("10.0.0.1")),
    Weakness(8, "HA017", stock(VIRTUAL_IPS="10.0.0.1,fd00::1", VIP_GROUPS="1"), list_of("10.0.0.1")),
    Weakness(9, "HA016", list_of("10.0.0.1-5,10.0.0.4"), list_of("10.0.0.1-5")),
    Weakness(10, "HA040", stock(NETWORK_INTERFACE=""), stock(NETWORK_INTERFACE="br-ex")),
    Weakness(11, "HA030", stock(CHECK_SCRIPT='sh -c "exit 0"'), stock()),
    Weakness(11, "HA030", stock(CONFIG_NAME="x {"), stock(CONFIG_NAME="x")),
    Weakness(11, "HA021", stock(REPLICA_COUNT="a[$(touch /tmp/x)]"), stock(REPLICA_COUNT="3")),
    Weakness(11, "HA021", stock(VRRP_ID_OFFSET="010"), stock(VRRP_ID_OFFSET="10")),
    Weakness(12, "HA041", stock(USE_UNICAST="true"), stock(USE_UNICAST="false")),
    Weakness(12, "HA042", stock(UNICAST_PEERS=PEERS), stock()),
    Weakness(13, "HA032", stock(CONFIG_NAME="ipf-ha-router"), stock(CONFIG_NAME="router")),
    Weakness(14, "HA044", stock(**{**THREE, "NODES": "10.9.0.10,10.9.0.138,10.9.0.11"}), stock(**THREE)),
    Weakness(14, "HA044", stock(**{**THREE, "NODES": "10.9.0.128,10.9.0.10,10.9.0.11"}), stock(**THREE)),
    Weakness(15, "HA045", stock(CHECK_SCRIPT=""), stock()),
    Weakness(16, "HA046", stock(PREEMPTION="preempt_delay 300"), stock(PREEMPTION="preempt")),
    Weakness(16, "HA046", stock(PREEMPTION="preempt 300"), stock(PREEMPTION="preempt")),
    Weakness(16, "HA046", stock(PREEMPTION="preempt_nodelay 300"), stock(PREEMPTION="preempt")),
    Weakness(16, "HA046", stock("4.17", PREEMPTION="nopreempt"), stock("4.18", PREEMPTION="nopreempt")),
    Weakness(17, "HA122", deployment_with((NOTIFY, "sh /etc/keepalive/notify.sh")), GOOD),
    Weakness(18, "HA123", deployment_with((READINESS, READINESS.replace("readiness", "startup"))), GOOD),
    Weakness(19, "HA120", deployment_with((READINESS, PGREP + READINESS)), GOOD),
    Weakness(19, "HA121", deployment_with((READINESS, READINESS.replace("readiness", "startup"))), GOOD),
    Weakness(20, "HA125", with_variable("NFTABLES_RULE", "yes", (":v4.20", ":v4.23")), GOOD),
    Weakness(20, "HA126", with_variable("IPTABLES_CHAIN", "INPUT"), GOOD),
    Weakness(21, "HA106", deployment_with((NETWORK, f"{NETWORK}      hostPID: true\n")), GOOD),
    Weakness(21, "HA146", deployment_with(*MODULES)._replace(cluster=IPVS), GOOD._replace(cluster=IPVS)),
    Weakness(22, "HA094", with_variable("MONITOR_PORT", "8080"), GOOD),
    Weakness(23, "HA101", deployment_with((NETWORK, f"{NETWORK}      privileged: true\n")), GOOD),
    Weakness(23, "HA131", beside(config_map(name="mycustomcheck")), beside(config_map())),
    Weakness(23, "HA135", deployment_with(*mounted("/hosts", "hostPath: {path: /}")), GOOD),
    Weakness(23, "HA095", stock(VIRTUAL_IPS="1.1.1.1-2", VIP_GROUPS="10"), stock(VIRTUAL_IPS="1.1.1.1-2")),
    Weakness(23, "HA002", stock(VRRP_ID_OFFSET="255"), stock(VRRP_ID_OFFSET="252")),
]


@pytest.mark.parametrize("one", [pytest.param(one, id=f"{one.number}-{one.code}") for one in WEAKNESSES])
def test_lint_finds_the_weakness_and_is_silent_on_what_is_corrected(one: Weakness) -> None:
    assert one.code in one.wrong.codes()
    assert one.right.findings() == []


def test_every_weakness_is_shown() -> None:
    assert sorted({one.number for one in WEAKNESSES}) == list(range(1, 24))


QUIET = {"NODES": "a,b,c", "CONFIG_NAME": "ipf", "VRRP_ID_OFFSET": "0"}
"""What makes a plan of which nothing is to be said."""


def stock_vips(text: str) -> list[str]:
    return openshift.expanded(text)


@pytest.mark.parametrize(
    ("wrong", "complaint", "right"),
    [
        pytest.param(
            {"VIRTUAL_IPS": "10.0.0.1-254", "VRRP_ID_OFFSET": "10"},
            "254 instances need 254 ids, limit 245 above the offset 10; set OPENSHIFT_HA_VIP_GROUPS to 245 or less",
            {"VIRTUAL_IPS": "10.0.0.1-254", "VRRP_ID_OFFSET": "10", "VIP_GROUPS": "245"},
            id="1-ids-above-255",
        ),
        pytest.param(
            {"VIRTUAL_IPS": "10.1.1.1/24"},
            "write 10.1.1.1 for this one VIP, or 10.1.1.0/24 for the whole block",
            {"VIRTUAL_IPS": "10.1.1.1"},
            id="3-prefix-becomes-digits",
        ),
        pytest.param(
            {"VIRTUAL_IPS": "10.1.1.10/24"}, "write 10.1.1.10 for", {"VIRTUAL_IPS": "10.1.1.10"}, id="3-prefix-vanishes"
        ),
        pytest.param(
            {"VIRTUAL_IPS": "10.1.1.9-7"},
            "10.1.1.7 comes before 10.1.1.9; write 10.1.1.7-10.1.1.9",
            {"VIRTUAL_IPS": "10.1.1.7-10.1.1.9"},
            id="5-reversed",
        ),
        pytest.param(
            {"VIRTUAL_IPS": "10.2.2.254-257"},
            "the last part 257 is not 0 to 255",
            {"VIRTUAL_IPS": "10.2.2.254-10.2.3.1"},
            id="5-beyond-255",
        ),
        pytest.param(
            {"VIRTUAL_IPS": "www.example.test"}, "is no address", {"VIRTUAL_IPS": "192.0.2.1"}, id="6-host-name"
        ),
        pytest.param({"VIRTUAL_IPS": "10.0.0.300"}, "is no address", {"VIRTUAL_IPS": "10.0.0.30"}, id="6-bad-octet"),
        pytest.param({"VIRTUAL_IPS": ""}, "no VIP is named", {"VIRTUAL_IPS": "10.0.0.1"}, id="6-nothing"),
        pytest.param(
            {"VIRTUAL_IPS": "10.0.0.1,10.0.0.1"}, "name it once", {"VIRTUAL_IPS": "10.0.0.1"}, id="9-duplicate"
        ),
        pytest.param(
            {"VIRTUAL_IPS": "10.0.0.1-5,10.0.0.4-9"}, "name it once", {"VIRTUAL_IPS": "10.0.0.1-9"}, id="9-overlap"
        ),
        pytest.param(
            {"CONFIG_NAME": 'x" {'},
            "is no name; expected letters, digits",
            {"CONFIG_NAME": "x"},
            id="11-text",
        ),
        pytest.param(
            {"REPLICA_COUNT": "a[$(touch /tmp/x)]"}, "is no whole number", {"REPLICA_COUNT": "3"}, id="11-arithmetic"
        ),
        pytest.param({"VIP_GROUPS": "010"}, "is octal to the stock image", {"VIP_GROUPS": "10"}, id="11-octal"),
        pytest.param(
            {"USE_UNICAST": "true"},
            "unicast needs the nodes' addresses; set OPENSHIFT_HA_UNICAST_PEERS",
            {"USE_UNICAST": "true", "UNICAST_PEERS": "10.9.0.1,10.9.0.2", "NODES": ""},
            id="12-unicast-without-peers",
        ),
        pytest.param(
            {"UNICAST_PEERS": "10.9.0.1,10.9.0.2", "NODES": "10.9.0.1,10.9.0.3"},
            "10.9.0.3 is a node and no peer; it would hear nobody and take every VIP",
            {"UNICAST_PEERS": "10.9.0.1,10.9.0.2", "NODES": "10.9.0.2,10.9.0.1"},
            id="12-a-node-that-is-no-peer",
        ),
        pytest.param(
            {"UNICAST_PEERS": "10.9.0.1,10.9.0.2"},
            "these are 2 peers of 3 nodes",
            {"UNICAST_PEERS": "10.9.0.1,10.9.0.2,10.9.0.3"},
            id="12-fewer-peers-than-nodes",
        ),
        pytest.param(
            {"PREEMPTION": "nodelay 300"},
            "expected nopreempt, preempt_delay",
            {"PREEMPTION": "preempt"},
            id="16",
        ),
    ],
)
def test_what_the_stock_image_takes_wrongly_is_refused(
    wrong: dict[str, str], complaint: str, right: dict[str, str]
) -> None:
    given = {"VIRTUAL_IPS": "10.0.0.1-4", **QUIET}
    with pytest.raises(Invalid) as caught:
        plan(**{**given, **wrong})
    assert complaint in str(caught.value)
    assert plan(**{**given, **right}).notes == ()


@pytest.mark.parametrize(
    ("text", "stock", "meant"),
    [
        pytest.param("3.3.3.3-4  4.4.4.4", ["3.3.3.3", "3.3.3.4"], ["3.3.3.3", "3.3.3.4", "4.4.4.4"], id="4-blanks"),
        pytest.param("10.1.1.254-10.1.2.1", [], ["10.1.1.254", "10.1.1.255", "10.1.2.0", "10.1.2.1"], id="5-none"),
        pytest.param("10.1.1.1-10.1.2.2", ["10.1.1.1", "10.1.1.2"], ["10.1.1.1", "10.1.2.2"], id="5-across"),
        pytest.param("FD00::A-C", [], ["fd00::a", "fd00::c"], id="7-ipv6"),
        pytest.param("fd00::fffe-fd00::1:1", [], ["fd00::fffe", "fd00::1:1"], id="7-ipv6-full-range"),
    ],
)
def test_what_the_stock_image_loses_is_planned_as_it_was_meant(text: str, stock: list[str], meant: list[str]) -> None:
    found = list(ids(plan(VIRTUAL_IPS=text, VIP_GROUPS="1", **QUIET)))
    assert stock_vips(text) == stock
    assert (found[0], found[-1]) == (meant[0], meant[-1])
    assert set(meant) <= set(found)


def test_2_a_new_default_offset_is_told_as_two_owners() -> None:
    both = {"VIRTUAL_IPS": "10.0.0.1-2", "NODES": "a,b"}
    found = against([plan(stock="4.19", **both)], [plan(stock="4.20", **both)])
    assert [(one.vip, one.why) for one in found if one.kind == TWICE] == [
        ("10.0.0.1", "until every node has the new plan, since its id was 1 and is 11"),
        ("10.0.0.2", "until every node has the new plan, since its id was 2 and is 12"),
    ]
    both["VRRP_ID_OFFSET"] = "0"
    assert against([plan(stock="4.19", **both)], [plan(stock="4.20", **both)]) == ()


def test_8_a_group_of_both_families_has_all_its_vips() -> None:
    short = {**QUIET, "VIRTUAL_IPS": "10.0.0.1,fd00::1", "VIP_GROUPS": "1"}
    (one,) = plan(**short).instances
    assert one.vips == ("10.0.0.1", "fd00::1")
    (stock,) = openshift.configuration(variables(**short)).instances
    assert [vip.address for vip in stock.addresses] == ["10.0.0.1"]


def test_12_peers_are_used_whatever_use_unicast_says_and_that_is_told() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1", UNICAST_PEERS="10.9.0.1,10.9.0.2", USE_UNICAST="false")
    assert found.unicast
    assert ["unicast is used" in note for note in found.notes] == [True]


def test_14_nodes_of_equal_last_octets_have_their_share_each_time() -> None:
    # 10 and 138 are one to the stock image, and 128 is the owner of the address.
    found = plan(VIRTUAL_IPS="10.0.0.1-6", NODES="10.9.0.10,10.9.0.138,10.9.0.128")
    assert set(loads(found).values()) == {2}
    assert {one.ranks[0][1] for one in found.instances} == {254}
    assert plan(VIRTUAL_IPS="10.0.0.1-6", NODES="10.9.0.10,10.9.0.138,10.9.0.128") == found
