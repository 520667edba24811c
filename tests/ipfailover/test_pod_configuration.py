"""A pod whose configuration files change: taken by a reload, refused, or held until an instant for all nodes."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.pod_report import RUNNING
from tests.failover.namespace import wait_until
from tests.ipfailover.one_pod import OnePod, one_pod

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.failover, pytest.mark.xdist_group("pod-configuration")]

NOTICE = 15
"""Seconds in which a pod on a busy machine has seen a file, had Keepalived test it, and reported."""
ADDED = ("10.78.1.4", "10.78.2.1")
"""What tests add to the VIPs."""


@pytest.fixture(scope="module")
def pod() -> Iterator[OnePod]:
    with one_pod("--follow-services") as found:
        found.start()
        yield found
        assert found.pod.stop() == 0
        found.wait_for_none()


@pytest.fixture
def one(pod: OnePod) -> Iterator[OnePod]:
    """The pod with its three VIPs; what a test changes is undone."""
    given = dict(pod.given)
    yield pod
    pod.given = given
    pod.change()
    pod.wait_for_none(ADDED)
    pod.wait_for_report("all is well", lambda report: not report.findings and not report.held)
    pod.wait_for_vips()


def test_vips_come_and_go_by_a_reload_and_no_other_is_touched(one: OnePod) -> None:
    keepalived, history = one.keepalived(), len(one.cluster.owners.history)
    reloads = one.report.reloads
    one.change(VIRTUAL_IPS="10.78.1.1-4")
    one.wait_for_vips()
    one.wait_for_report("it has reloaded", lambda report: report.reloads == reloads + 1)
    one.change(VIRTUAL_IPS="10.78.1.1-3")
    one.wait_for_none(["10.78.1.4"])
    one.wait_for_report("it has reloaded", lambda report: report.reloads == reloads + 2)
    assert {change.vip for change in one.cluster.owners.history[history:]} == {"10.78.1.4"}
    assert one.keepalived() == keepalived


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("OPENSHIFT_HA_VIRTUAL_IPS=bogus\n", "'bogus' is no address", id="value"),
        pytest.param("one big heap\n", "expected NAME=VALUE, not one big heap", id="syntax"),
        pytest.param("", "no VIP is named", id="empty"),
        pytest.param("\ufffd" * 17 + "\n", "not \ufffd\ufffd", id="garbage"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line_and_the_old_one_stays(one: OnePod, text: str, why: str) -> None:
    keepalived, reloads = one.keepalived(), one.report.reloads
    one.write(text)
    report = one.wait_for_report("it is refused", lambda report: why in " ".join(report.findings))
    (line,) = report.findings
    assert line.endswith("; what was in force stays")
    assert one.pod.log.count(why) == 1
    one.wait_for_vips(["10.78.1.1", "10.78.1.2", "10.78.1.3"])
    assert (one.keepalived(), one.report.reloads) == (keepalived, reloads)


def test_what_keepalived_does_not_take_is_refused_with_its_words(one: OnePod) -> None:
    one.change(VERBATIM="garp_master_delay never")
    report = one.wait_for_report("it is refused", lambda report: bool(report.findings))
    assert report.findings[0].startswith("Keepalived does not take the configuration: ")
    assert "garp_master_delay" in report.findings[0]
    one.wait_for_vips()


def test_nothing_is_reloaded_for_a_comment(one: OnePod) -> None:
    reloads = one.report.reloads
    one.write("# a remark\n" + "".join(f"OPENSHIFT_HA_{name}={text}\n" for name, text in one.given.items()))
    one.wait_for_report("it has looked", lambda _: "variables.env:2" in configuration(one))
    assert one.report.reloads == reloads


def configuration(one: OnePod) -> str:
    return one.pod.path("/etc/keepalived/keepalived.conf").read_text()


def test_a_change_that_makes_two_elections_is_held_until_the_instant_that_is_named(one: OnePod) -> None:
    one.change(VRRP_VERSION="2", ADVERT_INT="1")
    report = one.wait_for_report("it is held", lambda report: bool(report.held))
    assert "10.78.1.1 and 2 more would be served twice" in report.held
    assert "OPENSHIFT_HA_CHANGE_AT is not set" in report.held
    assert "version 3" in configuration(one)
    reloads = one.report.reloads
    instant = int(time.time()) + NOTICE
    one.change(CHANGE_AT=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant)))
    one.wait_for_report("it is taken at that instant", lambda report: "it is taken at 20" in report.held)
    wait_until("another file is there", lambda: "version 2" in configuration(one))
    assert instant <= time.time() < instant + NOTICE
    one.wait_for_report("it is taken", lambda report: report.reloads == reloads + 1)
    one.wait_for_vips()
    # The instant of a change that was made holds the next one up again; one that is new and past does not.
    one.change(VRRP_VERSION="3", ADVERT_INT="0.1")
    one.wait_for_report("it is held", lambda report: "names the instant of an earlier change" in report.held)
    one.change(CHANGE_AT=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant - 60)))
    one.wait_for_report("it is taken", lambda report: not report.held and report.reloads == reloads + 2)


def test_vips_that_another_part_adds_are_served_behind_the_others(one: OnePod) -> None:
    # What `hacheck ipfailover follow` writes; it does not run here, or would write it anew.
    one.pod.state.joinpath("services.env").write_text("OPENSHIFT_HA_VIRTUAL_IPS=10.78.2.1\n")
    one.wait_for_vips([*one.vips, "10.78.2.1"])
    one.pod.state.joinpath("services.env").write_text("")
    one.wait_for_none(["10.78.2.1"])


def test_where_services_alone_have_vips_there_may_be_none(one: OnePod) -> None:
    vips, services = one.vips, one.pod.state.joinpath("services.env")
    services.write_text("OPENSHIFT_HA_VIRTUAL_IPS=10.78.2.1\n")
    one.change(VIRTUAL_IPS="")
    one.wait_for_vips(["10.78.2.1"])
    one.wait_for_none(vips)
    services.write_text("")
    one.wait_for_none(["10.78.2.1"])
    one.wait_for_report("it says why", lambda report: "no Service asks for a VIP" in " ".join(report.findings))
    wait_until("Keepalived has ended", lambda: not one.keepalived())
    services.write_text("OPENSHIFT_HA_VIRTUAL_IPS=10.78.2.1\n")
    one.wait_for_vips(["10.78.2.1"])
    services.write_text("")


def test_a_reload_that_does_not_happen_is_told_until_it_does(one: OnePod) -> None:
    processes = one.keepalived()
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    one.change(VIRTUAL_IPS="10.78.1.1-4")
    one.wait_for_report("it says so", lambda report: "has not reloaded" in " ".join(report.findings))
    for process in processes:
        os.kill(process, signal.SIGCONT)
    one.wait_for_report("it says it no more", lambda report: not report.findings)
    one.wait_for_vips()
    assert one.keepalived() == processes


def test_sighup_has_it_read_everything_again(one: OnePod) -> None:
    reloads, keepalived = one.report.reloads, one.keepalived()
    one.pod.tell(signal.SIGHUP)
    one.wait_for_report("it reloads", lambda report: report.reloads > reloads)
    assert one.keepalived() == keepalived


def test_a_node_that_leaves_the_plan_gives_its_vips_away_and_takes_them_when_it_is_back(one: OnePod) -> None:
    one.change(NODES="node-2,node-3")
    one.wait_for_none()
    report = one.wait_for_report("it says so", lambda report: bool(report.findings))
    assert report.findings == ("node-1 is none of the plan's nodes: Keepalived does not run here until it is",)
    wait_until("Keepalived has ended", lambda: not one.keepalived())
    one.wait_for_report("a roll-out goes past it", lambda report: report.phase == RUNNING)
    one.change(NODES="node-1,node-2")
    one.wait_for_vips()
