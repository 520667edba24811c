"""Real nodes change what parts them in an election, all at one instant: no VIP has two owners while they do."""

from __future__ import annotations

import signal
import time
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING

import pytest

from hachecks.ipfailover import instant
from hachecks.ipfailover.stock.node import StockNode
from hachecks.ipfailover.stock.simulation import simulate
from hachecks.ipfailover.variable import version
from tests.failover.namespace import PATIENCE, wait_until
from tests.ipfailover.changing import ABOVE, Migration, change, soon, spans, wait_for_one_owner_each
from tests.ipfailover.given import variables
from tests.ipfailover.served import IPV4_PEERS, NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.ipfailover.cluster import Cluster, Node

pytestmark = pytest.mark.failover

CHECKS = "reload_check_config"
LONGEST = 0.1
"""Seconds that a VIP may have two owners."""
NOTICE, NOTICE_ALONE = 30, 15
"""Seconds in which a busy machine prepares all nodes for several changes, and one node for one, time and again."""
FAST = {"VRRP_VERSION": "3", "ADVERT_INT": "0.1"}
CHANGES = {
    "way": (
        {"VIRTUAL_IPS": "10.78.1.1-3", "NODES": IPV4_PEERS, "VRRP_ID_OFFSET": "20"},
        {"VIRTUAL_IPS": "10.78.1.1-3", "UNICAST_PEERS": IPV4_PEERS, "VRRP_ID_OFFSET": "20"},
    ),
    "version": (
        {"VIRTUAL_IPS": "10.78.1.11-13", "NODES": NAMES, "VRRP_ID_OFFSET": "30"},
        {"VIRTUAL_IPS": "10.78.1.11-13", "NODES": NAMES, "VRRP_ID_OFFSET": "30", **FAST},
    ),
    "offset": (
        {"VIRTUAL_IPS": "10.78.1.21-23", "NODES": NAMES, "VRRP_ID_OFFSET": "0"},
        {"VIRTUAL_IPS": "10.78.1.21-23", "NODES": NAMES, "VRRP_ID_OFFSET": "10"},
    ),
    "ours": (
        {"VIRTUAL_IPS": "10.78.1.31-33", "NODES": NAMES, "VRRP_ID_OFFSET": "50", "CONFIG_NAME": "stock"},
        {
            "VIRTUAL_IPS": "10.78.1.31-33",
            "NODES": NAMES,
            "VRRP_ID_OFFSET": "60",
            "CONFIG_NAME": "ours",
            **FAST,
            "VERBATIM_GLOBAL": CHECKS,
        },
    ),
}
VIPS = {
    "way": ("10.78.1.1", "10.78.1.2", "10.78.1.3"),
    "version": ("10.78.1.11", "10.78.1.12", "10.78.1.13"),
    "offset": ("10.78.1.21", "10.78.1.22", "10.78.1.23"),
    "ours": ("10.78.1.31", "10.78.1.32", "10.78.1.33"),
}
ALL = tuple(vip for vips in VIPS.values() for vip in vips)


def of_stock(node: Node, short: dict[str, str]) -> str:
    """The keepalived.conf of the stock image on a node."""
    return simulate(variables(**short), version("4.19"), StockNode(node.addresses[0], ("eth0",), "eth0")).text


def begin(cluster: Cluster, migrations: list[Migration]) -> None:
    """Have the nodes serve what the old variables say."""
    files: dict[str, dict[str, str]] = {node.name: {} for node in cluster.nodes.values()}
    for one in migrations:
        for name, text in one.present(cluster.nodes.values()).items():
            files[name][one.name] = f"global_defs {{\n    {CHECKS}\n}}\n{text}" if one.name == "offset" else text
        if one.name == "ours":
            for node in cluster.nodes.values():
                files[node.name][one.name] = of_stock(node, one.old)
    cluster.start(files)
    wait_for_one_owner_each(cluster, [vip for one in migrations for vip in VIPS[one.name]])
    cluster.wait_until_elected()
    cluster.wait_until_all_are_heard()


@pytest.mark.xdist_group("cluster-migrate-together")
@pytest.mark.serial
def test_at_one_instant_no_vip_has_two_owners_and_the_outage_is_as_promised(cluster: Cluster, tmp_path: Path) -> None:
    migrations = [Migration(tmp_path, name, *changes) for name, changes in CHANGES.items()]
    begin(cluster, migrations)
    at = soon(NOTICE)
    for one in migrations:
        one.write("--at", at)
    began = len(cluster.owners.history)
    with cluster.asking([VIPS["version"][0]]) as client:
        for node in cluster.nodes.values():
            for one in migrations:
                one.put(node)
                answer = change(node, one.name, "install")
                assert answer.code == 0, answer
                assert answer.out.splitlines()[-1] == f"this node changes at {at}"
        # Whoever starts again before the instant is in the old election.
        again = cluster.nodes["node-3"]
        again.stop_keepalived()
        again.start_keepalived()
        # What it takes back from the others is no cost of the change.
        cluster.wait_until_elected()
        prepared = len(cluster.owners.history)
        assert time.time() < instant.parse(at)
        for node in cluster.nodes.values():
            for one in migrations:
                cluster.wait_for_word(node, one.name, "Scheduling reload", since=0)
        moved = [vip for one in migrations if one.promised.outage for vip in VIPS[one.name]]
        left = instant.parse(at) - time.time()
        print(f"prepared {left:.0f} s before the instant")
        cluster.owners.wait(
            lambda: {one.vip for one in cluster.owners.history[prepared:]} >= set(moved), left + PATIENCE
        )
        wait_for_one_owner_each(cluster, ALL)
        cluster.wait_until_elected()
        client.wait_for_more(100)
    assert client.lost == {VIPS["version"][0]: 0}
    for one in migrations:
        seen = spans(cluster.owners.history[began:], VIPS[one.name])
        at_the_instant = spans(cluster.owners.history[prepared:], VIPS[one.name])
        assert seen.two_owners <= LONGEST, one.name
        assert at_the_instant.two_owners <= one.promised.two_owners < LONGEST, one.name
        assert at_the_instant.outage <= one.promised.outage, one.name
        # The promise is no more than what it takes.
        assert at_the_instant.outage >= one.promised.outage - 0.6, one.name
    assert settled(cluster, migrations) == {*(21, 22, 23), *(31, 32, 33), *(11, 12, 13), *(61, 62, 63)}


def settled(cluster: Cluster, migrations: list[Migration]) -> set[int | None]:
    """Put the new files in place of those between, by which nobody's VIP moves; the ids afterwards."""
    began = len(cluster.owners.history)
    for node in cluster.nodes.values():
        for one in migrations:
            assert not node.path(f"{ABOVE}/{one.name}/keepalived.conf.change-at").exists()
            since = time.monotonic()
            assert change(node, one.name, "settle").code == 0
            cluster.wait_for_word(node, one.name, "Reload complete", since=since)
            new = node.path(f"/run/change/{one.name}/next.conf").read_text().replace(f"    {CHECKS}\n", "")
            text = node.path(f"{ABOVE}/{one.name}/keepalived.conf").read_text()
            # It stays as it was, where somebody had it and where somebody wants it.
            assert (f"\n    {CHECKS}\n" in text) == (one.name == "offset")
            assert text.replace(f"    {CHECKS}\n", "").startswith(new)
    assert cluster.owners.history[began:] == []
    return {one.vrid for node in cluster.nodes.values() for one in node.instances().values()}


@pytest.mark.xdist_group("cluster-migrate-one-by-one")
def test_changed_one_after_another_nodes_have_two_owners(cluster: Cluster, tmp_path: Path) -> None:
    one = Migration(tmp_path, "way", *CHANGES["way"])
    begin(cluster, [one])
    one.write("--at", soon(60))
    first, *others = cluster.nodes.values()
    began = len(cluster.owners.history)
    for node in cluster.nodes.values():
        give_new(node, [one])
    reload([first])
    elsewhere = [vip for vip in VIPS["way"] if cluster.owners.of(vip) != {first.name}]
    cluster.wait_for_each(elsewhere, lambda owners: len(owners) == 2)
    reload(others)
    wait_for_one_owner_each(cluster, VIPS["way"])
    assert spans(cluster.owners.history[began:], VIPS["way"]).two_owners > 0


@pytest.mark.xdist_group("cluster-migrate-clocks")
def test_clocks_that_differ_cost_as_much_as_is_promised(cluster: Cluster, tmp_path: Path) -> None:
    migrations = [Migration(tmp_path, name, *CHANGES[name]) for name in ("way", "version")]
    begin(cluster, migrations)
    late, *others = cluster.nodes.values()
    assert any(cluster.owners.of(vip) == {late.name} for vip in VIPS["version"])
    for seconds in (0.05, 1.0):
        for one in migrations:
            one.write("--clocks", f"{seconds}s", "--at", soon(60))
        for node in cluster.nodes.values():
            give_new(node, migrations)
        began = len(cluster.owners.history)
        reload(others)
        time.sleep(seconds)
        reload([late])
        cluster.owners.wait(lambda: {one.vip for one in cluster.owners.history[began:]} >= set(VIPS["way"]), 20)  # noqa: B023
        wait_for_one_owner_each(cluster, [vip for one in migrations for vip in VIPS[one.name]])
        for one in migrations:
            seen = spans(cluster.owners.history[began:], VIPS[one.name])
            assert seen.outage <= one.promised.outage, (one.name, seconds)
            assert seen.two_owners <= one.promised.two_owners, (one.name, seconds)
            if seconds < LONGEST:
                assert one.promised.two_owners < LONGEST
        migrations = [Migration(tmp_path / "back", one.name, one.new, one.old) for one in migrations]
    # With adverts of a tenth of a second the others do not wait for a second: that is what the promise says as well.
    assert seen.two_owners > LONGEST


def give_new(node: Node, migrations: list[Migration]) -> None:
    """Give a node its new files."""
    for one in migrations:
        one.put(node)
        node.configure({one.name: node.path(f"/run/change/{one.name}/next.conf").read_text()})


def reload(nodes: Iterable[Node]) -> None:
    """Have Keepalived read its files on these, as if they had come to the instant by their clocks."""
    for node in nodes:
        node.tell_keepalived(signal.SIGHUP)


@pytest.mark.xdist_group("cluster-migrate-alone")
def test_a_node_that_was_off_at_the_instant_begins_with_the_new_configuration(cluster: Cluster, tmp_path: Path) -> None:
    one = Migration(tmp_path, "offset", *CHANGES["offset"])
    begin(cluster, [one])
    at = soon(NOTICE_ALONE)
    one.write("--at", at)
    node = cluster.nodes["node-1"]
    old = node.path(f"{ABOVE}/offset/keepalived.conf").read_text()
    one.put(node)
    assert change(node, "offset", "cancel").code == 1
    assert change(node, "offset", "install").code == 0
    assert "between two configurations already" in change(node, "offset", "install").err
    assert "settle after it" in change(node, "offset", "settle").err
    assert change(node, "offset", "cancel").code == 0
    assert node.path(f"{ABOVE}/offset/keepalived.conf").read_text() == old
    assert change(node, "offset", "install").code == 0
    assert change(node, "offset", "before-start").code == 0
    node.stop_keepalived()
    node.start_keepalived()
    assert {each.vrid for each in node.instances().values()} == {1, 2, 3}
    node.stop_keepalived()
    print(f"prepared {instant.parse(at) - time.time():.0f} s before the instant")
    wait_until("it is past", lambda: time.time() > instant.parse(at))
    assert change(node, "offset", "before-start").code == 0
    node.start_keepalived()
    assert {each.vrid for each in node.instances().values()} == {11, 12, 13}
    assert change(node, "offset", "settle").code == 0
    assert "is past or too near" in change(node, "offset", "install").err


def left_out() -> str:
    """The next half past two that the clocks of Berlin leave out: on the last Sunday in March."""
    today = datetime.now(timezone.utc).date()
    days = (date(year, 3, day) for year in (today.year, today.year + 1) for day in range(25, 32))
    return next(day for day in days if day > today and day.isoweekday() == 7).strftime("%Y-%m-%dT02:30:00Z")


def test_what_a_node_cannot_do_changes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    node = cluster.nodes["node-1"]
    one = Migration(tmp_path, "offset", *CHANGES["offset"])
    at = left_out()
    one.write("--at", at)
    one.put(node)
    text = one.present([node])["node-1"]
    node.configure({"offset": text})
    node.must("ln", "-s", f"{ABOVE}/offset/keepalived.conf", "/run/link.conf")
    refusals = {
        "/run/link.conf is a link": {"CONF": "/run/link.conf"},
        "there is no /run/nothing": {"CONF": "/run/nothing"},
        "keepalived.conf does not bear": {"CONF": "/run/a b"},
        "is no absolute path": {"CONF": "nothing"},
        # There the clocks go from two to three: Keepalived 2.2.7 takes no such digits, though they are of UTC.
        f"the zone of this node has no {at.replace('T', ' ')[:-1]}": {"TZ": "Europe/Berlin"},
    }
    for why, environ in refusals.items():
        answer = change(node, "offset", "install", **environ)
        assert (answer.code, why in answer.err) == (1, True), answer
    node.path("/run/change/offset/next.conf").write_text(f"{text}vrrp_instance x {{\n    no_such_word\n}}\n")
    answer = change(node, "offset", "install")
    assert (answer.code, answer.err.splitlines()[-1]) == (
        1,
        "change.sh: Keepalived does not take next.conf; nothing is changed",
    )
    assert change(node, "offset", "").code == 1
    directory = node.path(f"{ABOVE}/offset")
    assert sorted(path.name for path in directory.iterdir()) == ["keepalived.conf", "log"]
    assert (directory / "keepalived.conf").read_text() == text
