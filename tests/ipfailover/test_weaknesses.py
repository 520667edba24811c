"""What the stock image makes something else of, or nothing, by the numbers of its known weaknesses: each is refused,
told, or done as it was meant, and the corrected variables are planned without a word.

The numbers are those of the list in the project's notes on upstream; those about checks and pods are not the plan's.
"""

from __future__ import annotations

import pytest

from hachecks.ipfailover.against import TWICE, against
from hachecks.keepalived import openshift
from hachecks.settings import Invalid
from tests.ipfailover.given import ids, loads, plan, variables

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
