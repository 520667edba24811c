"""A plan against an older one: what moves, gets another id, or has two owners while it is rolled out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.ipfailover.against import ADDED, MOVES, REMOVED, RENUMBERS, TWICE, against
from hachecks.ipfailover.document import read, written
from hachecks.settings import Invalid
from tests.ipfailover.given import ids, many, masters, node_lists, plan, plan_and_ledger, settings, variables

if TYPE_CHECKING:
    from hachecks.ipfailover.plan import Plan


def changes(old: dict[str, str], new: dict[str, str]) -> list[tuple[str, str, str]]:
    return [(one.vip, one.kind, one.why) for one in against([plan(**old)], [plan(**new)])]


def kinds(old: dict[str, str], new: dict[str, str]) -> set[tuple[str, str]]:
    return {(vip, kind) for vip, kind, _ in changes(old, new)}


def test_the_stock_numbering_renumbers_all_behind_one_that_goes() -> None:
    old, new = {"VIRTUAL_IPS": "10.0.0.1-4"}, {"VIRTUAL_IPS": "10.0.0.1,10.0.0.3-4"}
    assert kinds(old, new) == {
        *((vip, kind) for vip in ("10.0.0.3", "10.0.0.4") for kind in (RENUMBERS, TWICE)),
        ("10.0.0.2", REMOVED),
    }
    assert changes(old, new)[0] == ("10.0.0.3", RENUMBERS, "from id 13 to 12")


def test_with_a_ledger_nothing_but_what_was_asked_changes() -> None:
    old, ledger = plan_and_ledger({}, VIRTUAL_IPS="10.0.0.1-4")
    new, _ = plan_and_ledger(ledger, VIRTUAL_IPS="10.0.0.9,10.0.0.1,10.0.0.3-4")
    assert [(one.vip, one.kind) for one in against([old], [new])] == [("10.0.0.9", ADDED), ("10.0.0.2", REMOVED)]


TWO = {"VIRTUAL_IPS": "10.0.0.1-2", "NODES": "10.0.1.1,10.0.1.2", "CONFIG_NAME": "ipf-ha-router"}
PEERS = {"UNICAST_PEERS": "10.0.1.1,10.0.1.2"}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        pytest.param({}, PEERS, "adverts went by multicast and go by unicast", id="unicast"),
        pytest.param(PEERS, {}, "adverts went by unicast and go by multicast", id="multicast"),
        pytest.param(
            {"NETWORK_INTERFACE": "eth0"},
            {"NETWORK_INTERFACE": "br-ex"},
            "VRRP was on eth0 and is on br-ex",
            id="interface",
        ),
        pytest.param({}, {"CONFIG_NAME": "geo"}, "the password was 'ipf-ha-r' and is 'geo'", id="password"),
        pytest.param({}, {"VRRP_ID_OFFSET": "50"}, "its id was 11 and is 51", id="offset"),
        pytest.param(
            {"VIP_GROUPS": "1"},
            {"VIP_GROUPS": "1", "VIRTUAL_IPS": "10.0.0.2,10.0.0.1"},
            "10.0.0.1 was the address in its adverts and 10.0.0.2 is",
            id="first-of-a-group",
        ),
        pytest.param(
            PEERS,
            {"NODES": "10.0.1.1-3".replace("-3", ",10.0.1.2,10.0.1.3"), "UNICAST_PEERS": "10.0.1.1,10.0.1.2,10.0.1.3"},
            "nodes with the old peers do not speak to 10.0.1.3",
            id="another-peer",
        ),
    ],
)
def test_two_elections_are_two_owners(old: dict[str, str], new: dict[str, str], why: str) -> None:
    found = [text for vip, kind, text in changes({**TWO, **old}, {**TWO, **new}) if (vip, kind) == ("10.0.0.1", TWICE)]
    assert [why in text for text in found] == [True], found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({"NETWORK_INTERFACE": "eth0"}, {}, id="an-interface-that-is-not-told"),
        pytest.param({}, {"CONFIG_NAME": "ipf-ha-rest"}, id="a-name-with-the-same-beginning"),
        pytest.param({}, {"PREEMPTION": "nopreempt"}, id="preemption"),
        pytest.param({}, {"NODES": "10.0.1.2 10.0.1.1"}, id="the-order-of-nodes"),
    ],
)
def test_what_changes_no_election_is_not_told(old: dict[str, str], new: dict[str, str]) -> None:
    assert changes({**TWO, **old}, {**TWO, **new}) == []


def test_another_password_matters_to_ipv4_alone() -> None:
    ipv6 = {**TWO, "VIRTUAL_IPS": "fd00::1-2"}
    assert changes(ipv6, {**ipv6, "CONFIG_NAME": "geo"}) == []


def test_a_vip_that_moves_is_told_with_both_nodes() -> None:
    old, ledger = plan_and_ledger({}, VIRTUAL_IPS="10.0.0.1-4", NODES="a,b")
    new, _ = plan_and_ledger(ledger, VIRTUAL_IPS="10.0.0.1-4", NODES="a,c")
    of_b = [vip for vip, node in masters(old).items() if node == "b"]
    assert [tuple(one) for one in against([old], [new])] == [
        (vip, MOVES, "from b, which is no node of the plan any more, to c") for vip in of_b
    ]


@many
@given(st.integers(1, 20), st.integers(0, 5), node_lists, st.sampled_from(["even", "hash"]))
def test_a_plan_is_read_as_it_was_written_and_differs_from_itself_in_nothing(
    count: int, groups: int, nodes: list[str], placement: str
) -> None:
    short = {"VIRTUAL_IPS": f"10.0.0.1-{count},fd00::1", "VIP_GROUPS": str(groups), "NODES": ",".join(nodes)}
    found = plan(placement=placement, **short)
    (again,) = read(written([found], [settings(variables(**short))], None), "x")
    assert again == found._replace(notes=(), preemption=again.preemption)
    assert against([again], [found]) == ()


@many
@given(st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=20, unique=True), min_size=2, max_size=2), node_lists)
def test_what_differs_is_told_and_nothing_else(lists: list[list[int]], nodes: list[str]) -> None:
    def planned(parts: list[int]) -> Plan:
        return plan(VIRTUAL_IPS=",".join(f"10.0.0.{part}" for part in parts), NODES=",".join(nodes))

    old, new = map(planned, lists)
    found = {(one.vip, one.kind) for one in against([old], [new])}
    both = ids(old).keys() & ids(new).keys()
    assert {vip for vip, kind in found if kind == RENUMBERS} == {vip for vip in both if ids(old)[vip] != ids(new)[vip]}
    assert {vip for vip, kind in found if kind == TWICE} == {vip for vip, kind in found if kind == RENUMBERS}
    assert {vip for vip, kind in found if kind == MOVES} == {
        vip for vip in both if masters(old)[vip] != masters(new)[vip]
    }
    assert {vip for vip, kind in found if kind == ADDED} == ids(new).keys() - both
    assert {vip for vip, kind in found if kind == REMOVED} == ids(old).keys() - both


def test_what_is_no_plan_is_refused() -> None:
    good = json.loads(written([plan(**TWO)], [settings(variables(**TWO))], None))
    configuration = good["configurations"][0]
    instance = configuration["instances"][0]
    wrong = [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({**good, "hachecks_ipfailover_plan": 2}),
        json.dumps({**good, "configurations": [{**configuration, "unicast": "yes"}]}),
        json.dumps({**good, "configurations": [{**configuration, "instances": [{**instance, "id": 256}]}]}),
        json.dumps({**good, "configurations": [{**configuration, "instances": [{**instance, "vips": []}]}]}),
        json.dumps({**good, "configurations": [{**configuration, "instances": [{**instance, "vips": ["x"]}]}]}),
    ]
    for text in wrong:
        with pytest.raises(Invalid, match=r"^FILE: "):
            read(text, "FILE")
    assert read(json.dumps(good), "FILE")


HMAC = {"VRRP_VERSION": "3", "AUTH_HMAC_KEY_FILE": "/etc/key"}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        pytest.param({}, {"VRRP_VERSION": "3"}, "it was VRRP 2 and is VRRP 3", id="version"),
        pytest.param({"VRRP_VERSION": "3"}, {}, "it was VRRP 3 and is VRRP 2", id="version-back"),
        pytest.param({}, {"ADVERT_INT": "2"}, "adverts came every 1 s and come every 2 s", id="interval"),
        pytest.param(
            {}, {"AUTH_PASS_FILE": "/etc/pass"}, "the password was 'ipf-ha-r' and is in /etc/pass", id="password-file"
        ),
        pytest.param(
            {"VRRP_VERSION": "3"},
            {**HMAC, "AUTH_HMAC_MODE": "permissive"},
            "adverts were not signed and are permissive; roll out receive-only between them",
            id="signed-at-once",
        ),
        pytest.param(
            {**HMAC, "AUTH_HMAC_MODE": "enforce"},
            {"VRRP_VERSION": "3"},
            "adverts were enforce and are not signed; roll out receive-only and permissive between them",
            id="unsigned-at-once",
        ),
        pytest.param(
            {**HMAC, "AUTH_HMAC_MODE": "enforce"},
            {**HMAC, "AUTH_HMAC_MODE": "enforce", "AUTH_HMAC_KEY_FILE": "/etc/other"},
            "the key was in /etc/key and is in /etc/other",
            id="key",
        ),
    ],
)
def test_adverts_that_others_drop_are_two_owners(old: dict[str, str], new: dict[str, str], why: str) -> None:
    found = [text for vip, kind, text in changes({**TWO, **old}, {**TWO, **new}) if (vip, kind) == ("10.0.0.1", TWICE)]
    assert [why in text for text in found] == [True], found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({"VRRP_VERSION": "3"}, {"VRRP_VERSION": "3", "ADVERT_INT": "0.1"}, id="interval-of-vrrp-3"),
        pytest.param({"VRRP_VERSION": "3"}, {"VRRP_VERSION": "3", "CONFIG_NAME": "geo"}, id="password-of-vrrp-3"),
        pytest.param({"VRRP_VERSION": "3"}, HMAC, id="receive-only"),
        pytest.param(HMAC, {**HMAC, "AUTH_HMAC_MODE": "permissive"}, id="then-permissive"),
        pytest.param(
            {**HMAC, "AUTH_HMAC_MODE": "permissive"}, {**HMAC, "AUTH_HMAC_MODE": "enforce"}, id="then-enforce"
        ),
        pytest.param(HMAC, {**HMAC, "AUTH_HMAC_KEY_FILE": "/etc/other"}, id="key-that-signs-nothing-yet"),
    ],
)
def test_adverts_that_others_take_are_not_told(old: dict[str, str], new: dict[str, str]) -> None:
    assert changes({**TWO, **old}, {**TWO, **new}) == []


def test_ipv6_is_vrrp_3_whatever_is_set() -> None:
    ipv6 = {**TWO, "VIRTUAL_IPS": "fd00::1-2"}
    assert changes(ipv6, {**ipv6, "VRRP_VERSION": "3", "ADVERT_INT": "3"}) == []


def test_a_plan_from_before_adverts_were_settings_had_their_defaults() -> None:
    document = json.loads(written([plan(**TWO)], [settings(variables(**TWO))], None))
    for key in ("vrrp_version", "advert_interval", "hmac"):
        del document["configurations"][0][key]
    old = read(json.dumps(document), "x")
    assert against(old, [plan(**TWO)]) == ()
    assert {one.kind for one in against(old, [plan(**TWO, VRRP_VERSION="3")])} == {TWICE}
    for key, wrong in (("vrrp_version", 4), ("advert_interval", "x"), ("hmac", ["?", ""]), ("hmac", 1)):
        document["configurations"][0][key] = wrong
        with pytest.raises(Invalid, match="this is no plan"):
            read(json.dumps(document), "x")
        del document["configurations"][0][key]


def test_a_plan_keeps_how_adverts_go() -> None:
    short = {**TWO, **HMAC, "AUTH_HMAC_MODE": "permissive", "ADVERT_INT": "0.25"}
    found = plan(**short)
    (again,) = read(written([found], [settings(variables(**short))], None), "x")
    assert (again.vrrp_version, again.advert_interval, again.hmac) == (3, 0.25, ("permissive", "/etc/key"))
    assert against([again], [found]) == ()
