"""The variables of ipfailover mean what its own generator makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.keepalived.configuration import Configuration, VirtualAddress, VrrpInstance, VrrpScript
from hachecks.keepalived.openshift import configuration, expanded, instances
from hachecks.keepalived.vips import vips
from hachecks.node import node_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        pytest.param("1.2.3.4-6,1.2.3.9", ["1.2.3.4", "1.2.3.5", "1.2.3.6", "1.2.3.9"], id="the-documentation's"),
        pytest.param("10.0.0.1, 10.0.0.3\n10.0.0.4", ["10.0.0.1", "10.0.0.3", "10.0.0.4"], id="blanks-beside-commas"),
        pytest.param("10.0.0.1 10.0.0.3,10.0.0.5", ["10.0.0.5"], id="blanks-join-what-they-part"),
        pytest.param(
            "1.1.1.1, 2.2.2.2,3.3.3.3-4  4.4.4.4", ["1.1.1.1", "2.2.2.2", "3.3.3.3", "3.3.3.4"], id="its-own-example"
        ),
        pytest.param("10.1.1.1/24,10.1.1.10/24", ["10.1.1.124"], id="slashes-are-deleted"),
        pytest.param("10.1.1.1-10.1.9.2,10.1.1.250-10.1.2.5", ["10.1.1.1", "10.1.1.2"], id="only-the-last-part-counts"),
        pytest.param("fd00::a-c,FD00::B", ["FD00::B"], id="ipv6-ranges-need-bc-which-the-image-has-not"),
        pytest.param("10.0.0.1\\,10.0.0.2", ["10.0.0.2"], id="a-backslash-is-not-deleted"),
        pytest.param("::ffff:10.0.0.1,1:2::3::4,1:2:3:4:5:6:7:8,::1", ["1:2:3:4:5:6:7:8", "::1"], id="ipv6-shapes"),
        pytest.param("10.0.0.3-9.", ["10.0.0.1", "10.0.0.2", "10.0.0.3"], id="an-end-that-is-none-counts-from-1"),
        pytest.param(
            "10.0.0.8-1e1,10.0.0.9-1.10",
            ["10.0.0.8", "10.0.0.9", "10.0.0.10", "10.0.0.9", "10.0.0.10"],
            id="what-seq-reads",
        ),
        pytest.param("10.0.0.9-7,nonsense,10.0.0.300,-5,10.0.0.1-a", [], id="what-is-none"),
        pytest.param("10.0.0.254-256", ["10.0.0.254", "10.0.0.255", "10.0.0.256"], id="what-keepalived-will-not-take"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_addresses_are_expanded(text: str, addresses: list[str]) -> None:
    assert expanded(text) == addresses


def test_each_vip_is_an_instance() -> None:
    environ = {"OPENSHIFT_HA_CONFIG_NAME": "ipf-router.1", "OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1-2"}
    assert instances(environ) == {"ipf_router1_VIP_1": ["10.0.0.1"], "ipf_router1_VIP_2": ["10.0.0.2"]}


def test_seven_vips_in_three_groups_are_three_two_and_two() -> None:
    environ = {
        "OPENSHIFT_HA_CONFIG_NAME": "x",
        "OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1-7",
        "OPENSHIFT_HA_VIP_GROUPS": "3",
    }
    assert [len(group) for group in instances(environ).values()] == [3, 2, 2]


def test_an_empty_name_is_none() -> None:
    environ = {"OPENSHIFT_HA_CONFIG_NAME": "", "OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1", "OPENSHIFT_HA_CHECK_SCRIPT": "x"}
    found = configuration(environ)
    assert [one.name for one in found.instances] == ["OpenShift_IPFailover_VIP_1"]
    assert [one.name for one in found.scripts] == ["chk_OpenShift_IPFailover"]


def test_a_range_beyond_255_takes_numbers_but_has_no_such_vips() -> None:
    environ = {"OPENSHIFT_HA_CONFIG_NAME": "x", "OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.255-256,10.0.0.1"}
    found = configuration(environ)
    vips = [(one.name, [vip.address for vip in one.addresses]) for one in found.instances]
    assert vips == [("x_VIP_1", ["10.0.0.255"]), ("x_VIP_2", []), ("x_VIP_3", ["10.0.0.1"])]
    (finding,) = found.findings
    assert "x_VIP_2: 10.0.0.256 is no address" in finding


@pytest.mark.parametrize(
    ("groups", "sizes"), [("010", [1] * 8 + [0]), ("08", [1] * 9), ("-1", [1] * 9), ("x", [1] * 9)]
)
def test_the_groups_are_counted_as_bash_counts(groups: str, sizes: list[int]) -> None:
    environ = {"OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1-9", "OPENSHIFT_HA_VIP_GROUPS": groups}
    assert len(instances(environ)) == len([size for size in sizes if size])


def test_a_group_has_one_family_as_keepalived_has_it() -> None:
    environ = {
        "OPENSHIFT_HA_CONFIG_NAME": "x",
        "OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1,fd00::1",
        "OPENSHIFT_HA_VIP_GROUPS": "1",
    }
    found = configuration(environ)
    assert [vip.address for vip in found.instances[0].addresses] == ["10.0.0.1"]
    assert ["fd00::1 is passed over" in finding for finding in found.findings] == [True]


def test_peers_decide_the_family_since_they_stand_before_the_vips() -> None:
    environ = {"OPENSHIFT_HA_VIRTUAL_IPS": "fd00::1", "OPENSHIFT_HA_UNICAST_PEERS": "10.0.0.2"}
    (one,) = configuration(environ).instances
    assert (one.family, one.unicast, one.addresses) == ("ipv4", True, ())


def test_an_id_beyond_255_ends_keepalived_and_is_told() -> None:
    environ = {"OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1-2", "OPENSHIFT_HA_VRRP_ID_OFFSET": "254"}
    found = configuration(environ)
    assert [one.vrid for one in found.instances] == [255, None]
    assert "_VIP_2: it has no virtual_router_id of 1 to 255; Keepalived ends" in found.findings[0]


CONFIGURED = "@other vrrp_instance OTHER {\n@here vrrp_instance HERE {\nvirtual_ipaddress {\ninclude vips\n}\n}\n"


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({"KEEPALIVED_CONFIG_ID": "here"}, id="its-own-variable"),
        pytest.param({"KEEPALIVED_OPTIONS": "-D -i here"}, id="a-word"),
        pytest.param({"KEEPALIVED_OPTIONS": "-ihere -D"}, id="joined"),
        pytest.param({"KEEPALIVED_OPTIONS": "--config-id=here"}, id="long"),
        pytest.param({"KEEPALIVED_OPTIONS": "-i other --config-id 'here'"}, id="the-last-counts"),
    ],
)
def test_messages_know_includes_and_the_id_that_keepalived_has(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "keepalived.conf").write_text(CONFIGURED)
    (tmp_path / "vips").write_text("10.0.0.7/24\n")
    environ = {**environ, "KEEPALIVED_CONFIG": str(tmp_path / "keepalived.conf")}
    assert vips(node_of(environ)) == {"HERE": ["10.0.0.7"]}


def test_they_count_where_there_is_no_configuration_of_keepalived() -> None:
    environ = {"KEEPALIVED_CONFIG": "/nonexistent", "OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1"}
    assert vips(node_of(environ)) == {"OpenShift_IPFailover_VIP_1": ["10.0.0.1"]}


@given(st.text(max_size=60), st.text(max_size=4))
def test_any_text_is_survived(text: str, groups: str) -> None:
    environ = {"OPENSHIFT_HA_VIRTUAL_IPS": text, "OPENSHIFT_HA_VIP_GROUPS": groups}
    assert sum(map(len, instances(environ).values())) == len(expanded(text))


def test_the_variables_say_what_keepalived_is_configured_to_do() -> None:
    environ = {
        "OPENSHIFT_HA_CONFIG_NAME": "ipf-router",
        "OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1,fd00::1",
        "OPENSHIFT_HA_NETWORK_INTERFACE": "br-ex",
        "OPENSHIFT_HA_VRRP_ID_OFFSET": "50",
        "OPENSHIFT_HA_CHECK_SCRIPT": "sh /etc/keepalive/hacheck run vip",
        "OPENSHIFT_HA_CHECK_INTERVAL": "5",
    }
    check = VrrpScript("chk_ipf_router", "sh /etc/keepalive/hacheck run vip", 5.0, None, None, None)
    first, second = VirtualAddress("10.0.0.1", 32, "br-ex", False), VirtualAddress("fd00::1", 128, "br-ex", False)
    instances = (
        VrrpInstance("ipf_router_VIP_1", "br-ex", 51, None, False, (first,), (check.name,), "ipv4"),
        VrrpInstance("ipf_router_VIP_2", "br-ex", 52, None, False, (second,), (check.name,), "ipv6"),
    )
    assert configuration(environ) == Configuration(instances, (check,), {}, ())


def test_nothing_is_configured_without_vips() -> None:
    assert configuration({"OPENSHIFT_HA_CHECK_SCRIPT": "x"}) == Configuration((), (), {}, ())


@pytest.mark.parametrize(
    ("variables", "ids"),
    [
        pytest.param({}, [None, None, None], id="the-default-depends-on-the-version"),
        pytest.param({"OPENSHIFT_HA_VRRP_ID_OFFSET": "0"}, [1, 2, 3], id="zero"),
        pytest.param({"OPENSHIFT_HA_VRRP_ID_OFFSET": "253"}, [254, 255, None], id="more-than-vrrp-has"),
        pytest.param({"OPENSHIFT_HA_VRRP_ID_OFFSET": "010"}, [9, 10, 11], id="octal-to-the-generator"),
        pytest.param({"OPENSHIFT_HA_VRRP_ID_OFFSET": "abc"}, [1, 2, 3], id="a-word"),
        pytest.param({"OPENSHIFT_HA_VRRP_ID_OFFSET": "08"}, [None, None, None], id="no-number"),
        pytest.param(
            {"OPENSHIFT_HA_VRRP_ID_OFFSET": "8", "HA_EXCLUDED_VRRP_IDS": "9 11"}, [10, 12, 13], id="some-are-excluded"
        ),
    ],
)
def test_ids_are_counted_from_the_offset(variables: dict[str, str], ids: list[int | None]) -> None:
    found = configuration({"OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1-3", **variables})
    assert [one.vrid for one in found.instances] == ids


@pytest.mark.parametrize(
    ("variables", "unicast"),
    [
        pytest.param({"OPENSHIFT_HA_USE_UNICAST": "true"}, False, id="a-variable-that-nobody-reads"),
        pytest.param({"OPENSHIFT_HA_USE_UNICAST": "false", "OPENSHIFT_HA_UNICAST_PEERS": "10.0.0.2"}, True, id="peers"),
        pytest.param({"OPENSHIFT_HA_UNICAST_PEERS": " , "}, False, id="no-peers"),
    ],
)
def test_unicast_is_what_has_peers(variables: dict[str, str], unicast: bool) -> None:
    found = configuration({"OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1", **variables})
    assert [one.unicast for one in found.instances] == [unicast]


@pytest.mark.parametrize(("interval", "seconds"), [("", 2.0), ("10", 10.0), ("often", None)])
def test_a_check_is_run_every_two_seconds_unless_told_otherwise(interval: str, seconds: float | None) -> None:
    environ = {"OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1", "OPENSHIFT_HA_CHECK_SCRIPT": "x"}
    [script] = configuration({**environ, "OPENSHIFT_HA_CHECK_INTERVAL": interval}).scripts
    assert (script.name, script.interval) == ("chk_OpenShift_IPFailover", seconds)


def test_a_vip_that_is_named_twice_in_a_group_is_one() -> None:
    environ = {"OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1,10.0.0.1", "OPENSHIFT_HA_VIP_GROUPS": "1"}
    [one] = configuration(environ).instances
    assert [vip.address for vip in one.addresses] == ["10.0.0.1"]
