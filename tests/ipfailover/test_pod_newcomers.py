"""VIPs that a reload adds are looked for on the segment first, as before a start; process 1 goes on meanwhile."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.failover.namespace import wait_until
from tests.ipfailover.cluster import nodes
from tests.ipfailover.one_pod import OnePod
from tests.ipfailover.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ipfailover.cluster import Cluster

pytestmark = pytest.mark.failover

RELOADED = "Reload complete"
ANSWERED = "10.78.1.4 is answered for on eth0 by "
ELSEWHERE = {
    "CONFIG_NAME": "elsewhere",
    "VIRTUAL_IPS": "10.78.1.4",
    "NODES": "node-1,node-2",
    "VRRP_ID_OFFSET": "40",
    "VRRP_VERSION": "3",
    "ADVERT_INT": "0.1",
}
OTHER_ID = "10.78.1.4 is advertised on eth0 by 10.78.0.2 ("


@contextmanager
def serving(mode: str) -> Iterator[OnePod]:
    """A pod that serves, and a second node without one."""
    with nodes(2) as cluster:
        one = OnePod(cluster, ("--preflight", mode))
        one.start()
        yield one


@contextmanager
def stranger(cluster: Cluster, vip: str) -> Iterator[str]:
    """A host that has a VIP and knows nothing of VRRP; yields its hardware address."""
    cluster.client.must("ip", "address", "add", f"{vip}/32", "dev", "eth0")
    yield str(json.loads(cluster.client.must("ip", "-json", "link", "show", "eth0"))[0]["address"])
    cluster.client.must("ip", "address", "del", f"{vip}/32", "dev", "eth0")


def under_another_id(cluster: Cluster) -> None:
    """The second node serves the fourth VIP by another configuration."""
    found = served(ELSEWHERE)
    node = cluster.nodes["node-2"]
    node.configure(found.files_of(node))
    node.start_keepalived()
    cluster.wait_for_owners({"10.78.1.4": "node-2"})


def test_a_vip_that_somebody_answers_for_is_told_before_it_is_served_and_nothing_else_waits_for_that() -> None:
    with serving("strict") as one, stranger(one.cluster, "10.78.1.4") as mac:
        keepalived, history = one.keepalived(), len(one.cluster.owners.history)
        one.change(VIRTUAL_IPS="10.78.1.1-5")
        one.wait_for_vips()
        assert f"{ANSWERED}{mac}" in one.pod.log
        assert one.pod.log.index(ANSWERED) < one.pod.log.index(RELOADED)
        assert one.pod.log.count(ANSWERED) == 1
        found = one.wait_for_report("it has reloaded", lambda report: report.reloads == 1)
        assert any(ANSWERED in text for text in found.findings)
        assert one.keepalived() == keepalived
        assert {change.vip for change in one.cluster.owners.history[history:]} == {"10.78.1.4", "10.78.1.5"}
        # What was found is not told any more when the VIP is another's again.
        one.change(VIRTUAL_IPS="10.78.1.1-3")
        one.wait_for_report("it has reloaded", lambda report: report.reloads == 2 and not report.findings)


def test_a_vip_that_a_peer_serves_by_another_id_waits_until_it_does_not() -> None:
    with serving("strict") as one:
        under_another_id(one.cluster)
        one.change(VIRTUAL_IPS="10.78.1.1-5")
        one.pod.wait_for_word(OTHER_ID)
        found = one.wait_for_report("it is refused", lambda report: any(OTHER_ID in text for text in report.findings))
        assert any("what was in force stays" in text for text in found.findings)
        for _ in range(2):  # it is looked again, and said once
            one.wait_for_report("it has looked again", lambda report, at=found.at: report.at > at + 7)  # type: ignore[misc]
        assert one.pod.log.count(OTHER_ID) == 1
        assert one.cluster.owners.are({"10.78.1.4": "node-2", "10.78.1.5": None})
        one.cluster.nodes["node-2"].stop_keepalived()
        one.wait_for_vips()
        one.wait_for_report("all is well", lambda report: not report.findings)


@pytest.mark.parametrize(("mode", "is_told"), [("warn", True), ("off", False)])
def test_it_waits_only_where_a_start_would(mode: str, is_told: bool) -> None:
    with serving(mode) as one:
        under_another_id(one.cluster)
        one.change(VIRTUAL_IPS="10.78.1.1-4")
        one.wait_for_report("it has reloaded", lambda report: report.reloads == 1)
        assert (OTHER_ID in one.pod.log) is is_told


def test_what_changes_while_it_looks_is_taken_as_well_one_after_the_other() -> None:
    with serving("strict") as one:
        for last in (4, 5, 6):
            one.change(VIRTUAL_IPS=f"10.78.1.1-{last}")
            one.pod.tell(signal.SIGHUP)
        one.change(VIRTUAL_IPS="10.78.1.1-3,10.78.1.7")
        one.wait_for_vips()
        one.wait_for_none(["10.78.1.4", "10.78.1.5", "10.78.1.6"])


def test_the_end_waits_for_no_look() -> None:
    with serving("strict") as one:
        one.change(VIRTUAL_IPS="10.78.1.1-4")
        wait_until("it looks", lambda: len(os.listdir(f"/proc/{one.pod.pid}/task")) > 1)
        assert one.pod.stop() == 0
        one.wait_for_none(["10.78.1.1", "10.78.1.2", "10.78.1.3", "10.78.1.4"])
