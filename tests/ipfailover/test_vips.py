"""The variables of ipfailover mean what its own generator makes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hachecks.channels import vips
from hachecks.ipfailover.vips import expanded, instances


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        pytest.param("1.2.3.4-6,1.2.3.9", ["1.2.3.4", "1.2.3.5", "1.2.3.6", "1.2.3.9"], id="the-documentation's"),
        pytest.param("10.0.0.1 10.0.0.3", ["10.0.0.1", "10.0.0.3"], id="blanks"),
        pytest.param("fd00::a-c", ["fd00::a", "fd00::b", "fd00::c"], id="ipv6-range"),
        pytest.param("10.0.0.9-7,nonsense,10.0.0.300,10.0.0.250-260", [], id="what-is-none"),
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


def test_they_count_where_there_is_no_configuration_of_keepalived() -> None:
    environ = {"KEEPALIVED_CONFIG": "/nonexistent", "OPENSHIFT_HA_VIRTUAL_IPS": "10.0.0.1"}
    assert vips(environ) == {"OpenShift_IPFailover_VIP_1": ["10.0.0.1"]}


@given(st.text(max_size=60), st.text(max_size=4))
def test_any_text_is_survived(text: str, groups: str) -> None:
    environ = {"OPENSHIFT_HA_VIRTUAL_IPS": text, "OPENSHIFT_HA_VIP_GROUPS": groups}
    assert sum(map(len, instances(environ).values())) == len(expanded(text))
