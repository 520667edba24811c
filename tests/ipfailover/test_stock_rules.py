"""Where the stock image serves something else than was meant lint says so, and where lint is silent it does not."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from hachecks.ipfailover.lint import stock_elections, stock_ids, stock_image, stock_served, stock_text, stock_vips
from hachecks.ipfailover.lint.catalogue import lint
from hachecks.ipfailover.lint.rule import NOTE
from hachecks.ipfailover.lint.subject import subject
from hachecks.ipfailover.render.file import rendered
from hachecks.ipfailover.sources import environment
from hachecks.ipfailover.variable import version
from hachecks.keepalived.configuration import read_text
from hachecks.settings import Invalid
from tests.ipfailover.given import (
    any_environments,
    environments,
    good_lists,
    many,
    mostly,
    numbers,
    odd_lists,
    stock_lists,
    variables,
)
from tests.ipfailover.lint_cases_stock import STOCK
from tests.ipfailover.linting import env

if TYPE_CHECKING:
    from hachecks.ipfailover.lint.rule import Finding
    from hachecks.ipfailover.lint.subject import Configuration, Subject

THEMES = (stock_vips, stock_served, stock_ids, stock_text, stock_elections)
ABOUT_THE_STOCK_IMAGE = {one.code for theme in THEMES for one in theme.RULES}
VERSIONS = st.sampled_from(["3.11", "4.10", "4.14", "4.19", "4.20", "5.1"])
ALWAYS = {"HA019", "HA032", "HA040", "HA042", "HA044", "HA045"}
"""Found in what the stock image serves as it was meant, since they are about how."""


def subject_of(environ: dict[str, str], stock: str | None = STOCK) -> Subject:
    return subject([environment(environ)], {}, stock=version(stock) if stock else None)


def found(short: dict[str, str], stock: str | None = STOCK) -> dict[str, Finding]:
    """The findings about the stock image, by code."""
    findings = lint(subject_of(variables(**short), stock))
    return {one.rule.code: one for one in findings if one.rule.code in ABOUT_THE_STOCK_IMAGE}


@pytest.mark.parametrize(
    ("code", "short", "what", "cure"),
    [
        (
            "HA010",
            {"VIRTUAL_IPS": "10.1.1.1/24"},
            "the stock image 4.14 makes 10.1.1.124 of '10.1.1.1/24'",
            "write single addresses, or FIRST-LAST within the last part",
        ),
        (
            "HA010",
            {"VIRTUAL_IPS": "10.1.0.0/28"},
            "the stock image 4.14 makes 10.1.0.028 of '10.1.0.0/28', of which Keepalived takes nothing, instead of "
            "10.1.0.1-14",
            "write 10.1.0.1-14",
        ),
        (
            "HA013",
            {"VIRTUAL_IPS": "10.1.1.254-10.1.2.1"},
            "the stock image 4.14 makes nothing of '10.1.1.254-10.1.2.1', instead of 10.1.1.254-255,10.1.2.0-1",
            "write 10.1.1.254-255,10.1.2.0-1",
        ),
        (
            "HA013",
            {"VIRTUAL_IPS": "10.2.2.254-257"},
            "the stock image 4.14 makes 10.2.2.254-257 of '10.2.2.254-257', of which Keepalived takes 10.2.2.254-255",
            "write FIRST-LAST within the last part, 255 at most, and a range for each network of 256",
        ),
        (
            "HA020",
            {"VIRTUAL_IPS": "10.0.0.1-254", "VRRP_ID_OFFSET": "10"},
            "the stock image 4.14 gives 254 instances the ids 11 to 264; Keepalived ends at the first that is not 1 to "
            "255, and no VIP is served",
            "set OPENSHIFT_HA_VIP_GROUPS to 245 or less, or a lower OPENSHIFT_HA_VRRP_ID_OFFSET",
        ),
        (
            "HA021",
            {"VIRTUAL_IPS": "10.0.0.1", "REPLICA_COUNT": "a[$(id)]"},
            "'a[$(id)]': the stock image 4.14 runs the command that is in it",
            "write a whole number without a zero in front",
        ),
        (
            "HA021",
            {"VIRTUAL_IPS": "10.0.0.1", "VRRP_ID_OFFSET": "08"},
            "'08': the stock image 4.14 cannot reckon with it, and writes no instance: Keepalived runs, and serves no "
            "VIP",
            "write a whole number without a zero in front",
        ),
        (
            "HA033",
            {"VIRTUAL_IPS": "10.0.0.1", "MONITOR_PORT": "tcp/8080"},
            "the stock image 4.14 makes this check of it: /bin/bash -c '</dev/tcp/NODE/8080'",
            "write the number of the port, or 0 for no check",
        ),
        (
            "HA046",
            {"VIRTUAL_IPS": "10.0.0.1", "PREEMPTION": "preempt_delay 300"},
            "'preempt_delay 300': with the stock image 4.14 a node that should be master takes its VIPs at once, and "
            "preempt_delay 300 on the others",
            "write nopreempt and use 4.18 or later, or preempt, which says what happens",
        ),
    ],
)
def test_a_finding_says_what_the_image_of_the_version_does(
    code: str, short: dict[str, str], what: str, cure: str
) -> None:
    one = found(short)[code]
    assert (one.what, one.cure) == (what, cure)


def test_without_a_version_it_is_a_note_on_what_the_newest_would_do() -> None:
    one = found({"VIRTUAL_IPS": "10.1.0.0/28"}, None)["HA010"]
    assert one.rule.severity == NOTE
    assert one.what.startswith("the stock image (5.1 is assumed) makes 10.1.0.028 of")


def test_without_a_version_what_it_always_does_is_not_told() -> None:
    short = {"VIRTUAL_IPS": "10.0.0.1-4", "CONFIG_NAME": "ipf-ha-router", "UNICAST_PEERS": "10.9.0.1,10.9.0.129"}
    assert found(short, None) == {}
    assert set(found(short)) == {"HA032", "HA040", "HA042", "HA044", "HA045", "HA046"}


def test_nothing_is_said_of_variables_that_are_partly_elsewhere() -> None:
    given = subject_of(variables(VIRTUAL_IPS="10.1.1.1/24"))
    part = given.configurations[0]._replace(partial=True)
    assert not {one.rule.code for one in lint(given._replace(configurations=(part,)))} & ABOUT_THE_STOCK_IMAGE


@pytest.mark.parametrize("code", sorted(ABOUT_THE_STOCK_IMAGE - ALWAYS))
def test_no_finding_is_always_there(code: str) -> None:
    right = env(STOCK, CONFIG_NAME="ipf", VIRTUAL_IPS="10.0.0.1-3", VRRP_ID_OFFSET="0", PREEMPTION="preempt")
    assert code not in right.codes()


def canonical(addresses: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_address(address)) for address in addresses)


def differs(given: Subject) -> bool:
    """Whether the stock image has other instances, ids or VIPs than our plan, which is there."""
    one = given.configurations[0]
    assert one.plan is not None
    ours = [(each.name, each.id, each.vips) for each in one.plan.instances]
    stock = stock_image.simulated(one)
    if stock.ends or not stock.known:
        return True
    try:
        theirs = [(each.name, each.id, canonical(each.written)) for each in stock.instances]
    except ValueError:
        return True
    return ours != theirs or set(stock.served) != {vip for _, _, vips in ours for vip in vips}


tricky = st.fixed_dictionaries(
    {"OPENSHIFT_HA_VIRTUAL_IPS": st.one_of(stock_lists, good_lists, odd_lists)},
    optional={
        "OPENSHIFT_HA_CONFIG_NAME": st.sampled_from(["ipf", "ipf-ha.1", "-n", "a b", "ü", 'x"', ""]),
        "OPENSHIFT_HA_VIP_GROUPS": mostly(st.integers(0, 20).map(str), numbers),
        "OPENSHIFT_HA_VRRP_ID_OFFSET": mostly(st.integers(0, 254).map(str), numbers),
        "OPENSHIFT_HA_REPLICA_COUNT": mostly(st.integers(1, 9).map(str), numbers),
        "HA_EXCLUDED_VRRP_IDS": st.builds(
            lambda between, ids: between.join(ids),
            st.sampled_from([" ", "\n", "  ", ",", ", "]),
            st.lists(st.one_of(st.integers(1, 20).map(str), st.sampled_from(["09", "300", "x"])), max_size=6),
        ),
        "OPENSHIFT_HA_UNICAST_PEERS": st.sampled_from(
            ["10.9.0.1,10.9.0.2", "10.9.0.1 10.9.0.2", "fd01::1,fd01::2", ","]
        ),
        "OPENSHIFT_HA_PREEMPTION": st.sampled_from(["nopreempt", "preempt_delay", "preempt_delay 300", "x\ny", "}"]),
        "OPENSHIFT_HA_CHECK_SCRIPT": st.sampled_from(["/a b", 'a "b', "}", "{", "a\nb"]),
    },
)
"""Environments that are right to one of both more often than any text."""
trickier = st.builds(lambda environ, vips: {**environ, "OPENSHIFT_HA_VIRTUAL_IPS": vips}, tricky, odd_lists)
"""The same with VIPs of which few are understood, so that few are in vain."""


@many
@given(st.one_of(tricky, environments), VERSIONS)
def test_where_the_stock_image_differs_from_the_plan_lint_says_so_and_where_it_is_silent_they_agree(
    environ: dict[str, str], stock: str
) -> None:
    given = subject_of(environ, stock)
    codes = {one.rule.code for one in lint(given)}
    if given.configurations[0].plan is None or given.configurations[0].refused:
        event("refused")
        assert codes & {"HA001", "HA002", "HA003", "HA004"}
        return
    said = codes & ABOUT_THE_STOCK_IMAGE - ALWAYS - {"HA041", "HA046"}
    event("differs" if differs(given) else "agrees")
    event("said" if said else "silent")
    assert bool(said) >= differs(given), environ
    if not said:
        assert not differs(given)


@many
@given(trickier, VERSIONS)
def test_what_both_refuse_or_lose_is_told_of_the_stock_image_as_well(environ: dict[str, str], stock: str) -> None:
    """VIPs that are refused are told of the stock image too, since it serves something else."""
    given = subject_of(environ, stock)
    one = given.configurations[0]
    assume(not one.is_understood("OPENSHIFT_HA_VIRTUAL_IPS"))
    # Where bash alone knows the groups, nobody knows the instances of a VIP that is named twice.
    assert {"HA021", *(f"HA0{number}" for number in range(10, 17))} & {each.rule.code for each in lint(given)}


@many
@given(st.one_of(tricky, environments, any_environments), st.one_of(st.none(), VERSIONS))
def test_any_environment_is_linted_planned_and_rendered_with_ids_of_its_own(
    environ: dict[str, str], stock: str | None
) -> None:
    given = subject_of(environ, stock)
    findings = lint(given)
    assert all(one.what and one.cure and "\n" not in f"{one.what}{one.cure}" for one in findings), findings
    assert stock or all(one.rule.severity == NOTE for one in findings if one.rule.code in ABOUT_THE_STOCK_IMAGE)
    for one in given.configurations:
        if one.plan:
            ids = [each.id for each in one.plan.instances]
            assert all(1 <= each <= 255 for each in ids)
            assert len(ids) == len(set(ids))
            vips = [vip for each in one.plan.instances for vip in each.vips]
            assert len(vips) == len(set(vips))
            rendered_is_taken(one)


def rendered_is_taken(one: Configuration) -> None:
    """Whatever render writes has the plan's ids and VIPs, and nothing that Keepalived ends with or passes over."""
    assert one.plan is not None
    try:
        text = rendered(one.plan, one.settings, one.plan.nodes[0] if one.plan.nodes else "node-a")
    except Invalid:
        return
    read = read_text(text)
    assert read.findings == ()
    assert [(each.name, each.vrid) for each in read.instances] == [(each.name, each.id) for each in one.plan.instances]
    served = {vip.address for each in read.instances for vip in each.addresses}
    assert served == {vip for each in one.plan.instances for vip in each.vips}
