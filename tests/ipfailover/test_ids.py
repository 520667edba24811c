"""The first time, ids and names are those of the stock generator, wherever its own answer is sane."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from hachecks.ipfailover.plan import plan_all
from hachecks.ipfailover.spread import priorities
from hachecks.keepalived import openshift
from hachecks.settings import Invalid
from tests.ipfailover.given import environments, ids, many, odd_lists, plan, settings, stock_lists, variables


def test_seven_vips_in_three_groups_are_three_two_and_two() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1-7", VIP_GROUPS="3", VRRP_ID_OFFSET="0")
    assert [(one.id, len(one.vips)) for one in found.instances] == [(1, 3), (2, 2), (3, 2)]


def test_more_groups_than_vips_are_one_for_each() -> None:
    assert [one.vips for one in plan(VIRTUAL_IPS="1.1.1.1-2", VIP_GROUPS="10").instances] == [
        ("1.1.1.1",),
        ("1.1.1.2",),
    ]


def test_an_excluded_id_shifts_all_that_follow() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1-4", VRRP_ID_OFFSET="7", HA_EXCLUDED_VRRP_IDS="9 10 200")
    assert [one.id for one in found.instances] == [8, 11, 12, 13]
    assert [one.number for one in found.instances] == [1, 2, 3, 4]


def test_a_stock_image_that_does_not_know_excluded_ids_is_told_of() -> None:
    note = "HA_EXCLUDED_VRRP_IDS: the stock image knows it since 4.11, and numbers differently before"
    assert note in plan(stock="4.10", VIRTUAL_IPS="10.0.0.1", HA_EXCLUDED_VRRP_IDS="9").notes
    assert note not in plan(stock="4.11", VIRTUAL_IPS="10.0.0.1", HA_EXCLUDED_VRRP_IDS="9").notes


def test_names_are_the_stock_image_s() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1", CONFIG_NAME="ipf-ha.router")
    assert [one.name for one in found.instances] == ["ipf_harouter_VIP_1"]


@pytest.mark.parametrize(
    ("short", "complaint"),
    [
        pytest.param(
            {"VIRTUAL_IPS": "10.0.0.1-254"},
            "254 instances need 254 ids, limit 245 above the offset 10; set OPENSHIFT_HA_VIP_GROUPS to 245 or less, or "
            "a lower OPENSHIFT_HA_VRRP_ID_OFFSET",
            id="254-with-the-default-offset",
        ),
        pytest.param(
            {"VIRTUAL_IPS": "10.0.0.0-10.0.0.255", "VRRP_ID_OFFSET": "0"},
            "256 instances need 256 ids, limit 255 above the offset 0; set OPENSHIFT_HA_VIP_GROUPS to 255 or less",
            id="256",
        ),
        pytest.param(
            {"VIRTUAL_IPS": "10.0.0.1", "VRRP_ID_OFFSET": "254", "HA_EXCLUDED_VRRP_IDS": "255"},
            "limit 0 above the offset 254; exclude fewer ids, or a lower",
            id="all-excluded",
        ),
    ],
)
def test_what_has_no_room_is_refused_with_the_cure(short: dict[str, str], complaint: str) -> None:
    with pytest.raises(Invalid) as caught:
        plan(**short)
    assert complaint in str(caught.value)


def test_the_cure_cures() -> None:
    found = plan(VIRTUAL_IPS="10.0.0.1-254", VIP_GROUPS="245")
    assert [one.id for one in found.instances] == list(range(11, 256))
    assert len(ids(found)) == 254


def test_255_vips_have_255_ids() -> None:
    assert sorted(ids(plan(VIRTUAL_IPS="10.0.0.1-255", VRRP_ID_OFFSET="0")).values()) == list(range(1, 256))


def canonical(addresses: list[str]) -> list[str]:
    return [str(ipaddress.ip_address(one)) for one in addresses]


numbering = st.builds(
    lambda groups, offset, excluded: variables(
        VIP_GROUPS=str(groups), VRRP_ID_OFFSET=str(offset), HA_EXCLUDED_VRRP_IDS=" ".join(map(str, excluded))
    ),
    st.integers(0, 40),
    st.integers(0, 254),
    st.lists(st.integers(1, 255), max_size=6),
)


def stock_answer(environ: dict[str, str]) -> list[tuple[str, int | None, list[str]]]:
    """Name, id and VIPs of each instance as the simulation of the stock generator has them."""
    vips = openshift.instances(environ)
    found = openshift.configuration(environ).instances
    return [(one.name, one.vrid, canonical(vips[one.name])) for one in found]


@many
@given(stock_lists, numbering)
def test_what_is_sane_to_the_stock_image_is_numbered_as_it_does(text: str, short: dict[str, str]) -> None:
    environ = {**short, "OPENSHIFT_HA_VIRTUAL_IPS": text}
    expected = stock_answer(environ)
    addresses = [vip for _, _, vips in expected for vip in vips]
    sane = len(set(addresses)) == len(addresses) and all(vrid for _, vrid, _ in expected)
    if not sane:
        with pytest.raises(Invalid):
            plan_all([settings(environ)], {}, None)
        return
    (found,), _ = plan_all([settings(environ)], {}, None)
    assert [(one.name, one.id, list(one.vips)) for one in found.instances] == expected


@many
@given(odd_lists, numbering)
def test_where_both_have_the_same_vips_they_have_the_same_ids(text: str, short: dict[str, str]) -> None:
    environ = {**short, "OPENSHIFT_HA_VIRTUAL_IPS": text}
    try:
        (found,), _ = plan_all([settings(environ)], {}, None)
        stock = [vip for vips in openshift.instances(environ).values() for vip in canonical(vips)]
    except ValueError:  # one of the two makes no addresses of it
        return
    assume(list(ids(found)) == stock)
    assert [(one.name, one.id, list(one.vips)) for one in found.instances] == stock_answer(environ)


def is_planned(environ: dict[str, str]) -> bool:
    """Whether an environment is planned and not refused; a plan that Keepalived would refuse fails here."""
    try:
        (found,), _ = plan_all([settings(environ)], {}, None)
    except Invalid:
        return False
    numbers = [one.id for one in found.instances]
    assert all(1 <= number <= 255 for number in numbers)
    assert len(set(numbers)) == len(numbers)
    excluded = environ.get("HA_EXCLUDED_VRRP_IDS", "").split()
    assert not [number for number in numbers if str(number) in excluded]
    vips = [vip for one in found.instances for vip in one.vips]
    assert len(set(vips)) == len(vips)
    for one in found.instances:
        assert [priority for _, priority in one.ranks] == list(priorities(len(found.nodes)))
        assert sorted(one.nodes) == sorted(found.nodes)
    return True


@many
@given(environments)
def test_no_environment_makes_an_id_that_keepalived_refuses_or_two_share(environ: dict[str, str]) -> None:
    event("planned" if is_planned(environ) else "refused")
