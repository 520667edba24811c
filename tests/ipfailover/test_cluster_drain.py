"""Real nodes that are drained give their VIPs to others and stay the last resort, in each preemption mode."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from hachecks.drain import state
from tests.ipfailover.served import NAMES, served

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Mapping

    from tests.ipfailover.cluster import Cluster, Node
    from tests.ipfailover.served import Served

pytestmark = pytest.mark.failover

FILE = "/run/drains/drain"
VIPS = {"CONFIG_NAME": "vips", "VIRTUAL_IPS": "10.78.1.1-4,fd78::1:1-2", "NODES": NAMES}
FAST = {"VRRP_VERSION": "3", "ADVERT_INT": "0.2", "DRAIN_FILE": FILE}
HACHECK = (sys.executable, "-m", "hachecks")
WHERE = ("--keepalived-config", "/run/configurations/vips/keepalived.conf", "--state-dir", "/run/hacheck")
PER_SECOND = 200
"""Requests of the client to a VIP."""


def hacheck(node: Node, *words: str, by: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
    return node.run(*by, *HACHECK, *words, *WHERE)


def started(cluster: Cluster, short: Mapping[str, str], blind: Node | None = None) -> Served:
    """All nodes serve, and each VIP is on one; a `blind` one has had no directory for a drain."""
    found = served({**VIPS, **FAST, **short})
    for node in cluster.nodes.values():
        node.must("mkdir", "-m", "755", "/run/drains")
    if blind:
        blind.must("rmdir", "/run/drains")
    cluster.start(found.files(cluster))
    if blind:
        blind.must("mkdir", "-m", "755", "/run/drains")
    cluster.wait_until_settled(found.ids)
    return found


def vips_of(cluster: Cluster, found: Served, node: Node) -> list[str]:
    return [vip for vip in found.ids if cluster.owners.of(vip) == {node.name}]


def mac_of(node: Node) -> str:
    return node.must("ip", "link", "show", "eth0").split("link/ether ")[1].split()[0]


def record(node: Node) -> state.Drain | None:
    return state.parse(node.path(FILE).read_bytes())


@pytest.mark.xdist_group("cluster-drain-preempt")
def test_a_drained_node_is_the_last_resort_that_is_well(cluster: Cluster) -> None:
    check = {"CHECK_SCRIPT": "test ! -e /run/failing", "CHECK_INTERVAL": "1", "ON_FAIL": "last-resort"}
    found = started(cluster, {"PREEMPTION": "preempt", **check})
    planned = found.owners(cluster)
    cluster.wait_for_owners(planned)
    one, two, three = cluster.nodes.values()
    own = vips_of(cluster, found, one)
    assert own
    with cluster.asking(found.ids) as asking:
        done = hacheck(one, "drain", "--reason", "a disk is changed")
        assert (done.returncode, done.stderr) == (0, "")
        macs = {mac_of(two), mac_of(three)}
        told = dict(line.split(" is on ") for line in done.stdout.splitlines())
        assert set(told) == set(own)
        assert {mac.split(" now")[0] for mac in told.values()} <= macs
        assert vips_of(cluster, found, one) == []
        _is_kept_over_a_restart(cluster, found, one)
    assert max(asking.lost.values()) < PER_SECOND
    # Of nodes that fail, and one that is drained and well, that one serves.
    for node in (two, three):
        node.must("touch", "/run/failing")
    cluster.wait_for_owners(dict.fromkeys(found.ids, one.name))
    # When all fail, those that are not drained are better.
    one.must("touch", "/run/failing")
    cluster.wait_for_each(found.ids, lambda owners: len(owners) == 1 and one.name not in owners)
    for node in cluster.nodes.values():
        node.must("rm", "/run/failing")
    cluster.wait_for_each(found.ids, lambda owners: len(owners) == 1 and one.name not in owners)
    _all_are_drained(cluster, found)
    for node in cluster.nodes.values():
        assert hacheck(node, "undrain").returncode == 0
    cluster.wait_for_owners(planned)


def _is_kept_over_a_restart(cluster: Cluster, found: Served, node: Node) -> None:
    before = {vip: cluster.owners.of(vip) for vip in found.ids}
    node.stop_keepalived()
    node.start_keepalived()
    cluster.wait_until_all_are_heard()
    assert {vip: cluster.owners.of(vip) for vip in found.ids} == before
    drain = record(node)
    assert drain
    assert drain.reason == "a disk is changed"
    again = hacheck(node, "drain")
    assert (again.returncode, again.stdout.splitlines()[1:]) == (0, ["no VIP is here"])
    assert again.stdout.startswith(f"already: {drain}")


def _all_are_drained(cluster: Cluster, found: Served) -> None:
    """Then each VIP is where it would be if none was."""
    _, two, three = cluster.nodes.values()
    # Without the right to ask, it is seen only that the VIPs are gone.
    without = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
    gone = vips_of(cluster, found, two)
    done = hacheck(two, "drain", by=without)
    assert done.returncode == 0
    assert done.stderr.startswith("hacheck: without CAP_NET_RAW nobody can be asked for a VIP")
    assert sorted(line.split(" ")[0] for line in done.stdout.splitlines()) == sorted(gone)
    last = hacheck(three, "drain")
    stays = vips_of(cluster, found, three)
    assert last.returncode == 1
    assert last.stderr.splitlines() == [
        f"hacheck: {vip} stays here, as no other node takes it; it goes when one can" for vip in stays
    ]
    cluster.wait_for_owners(found.owners(cluster))


@pytest.mark.xdist_group("cluster-drain-nopreempt")
def test_without_preemption_vips_move_by_a_fault_that_ends_whatever_happens(cluster: Cluster) -> None:
    found = started(cluster, {"PREEMPTION": "nopreempt"})
    one, two, three = cluster.nodes.values()
    own = vips_of(cluster, found, one)
    with cluster.asking(found.ids) as asking:
        done = hacheck(one, "drain")
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split(" is on ")[0] for line in done.stdout.splitlines()] == (own or ["no VIP is here"])
        assert vips_of(cluster, found, one) == []
    assert max(asking.lost.values()) < PER_SECOND
    began = len(cluster.owners.history)
    done = hacheck(one, "undrain")
    assert done.stdout.splitlines()[1:] == [f"{vip} stays where it is (nopreempt)" for vip in own]
    cluster.wait_until_all_are_heard()
    assert cluster.owners.history[began:] == []
    for node in (two, three):
        node.stop_keepalived()
    cluster.wait_for_owners(dict.fromkeys(found.ids, one.name))
    _nobody_takes_them(cluster, found, one)
    _it_is_killed(cluster, found, one)


def _nobody_takes_them(cluster: Cluster, found: Served, node: Node) -> None:
    done = hacheck(node, "drain")
    assert done.returncode == 1
    assert done.stderr.count("stays here, as no other node takes it; drain again when one can (nopreempt)") == 6
    cluster.wait_for_owners(dict.fromkeys(found.ids, node.name))
    drain = record(node)
    assert drain
    assert drain.number == 1
    assert not node.path(f"{FILE}~then").exists()


def _it_is_killed(cluster: Cluster, found: Served, node: Node) -> None:
    """The FAULT ends none the less."""
    began = len(cluster.owners.history)
    process = node.start(*HACHECK, "drain", *WHERE)
    cluster.wait_for_each(found.ids, lambda owners: not owners)
    process.tell(signal.SIGKILL)
    cluster.wait_for_owners(dict.fromkeys(found.ids, node.name))
    assert len(cluster.owners.history) > began
    drain = record(node)
    assert drain
    assert drain.number == 1


@pytest.mark.xdist_group("cluster-drain-delay")
def test_a_delay_is_told_and_waited_for_or_left_out(cluster: Cluster) -> None:
    node, _, blind = cluster.nodes.values()
    found = started(cluster, {"PREEMPTION": "preempt_delay 20"}, blind)
    cluster.wait_for_owners(found.owners(cluster))
    own = vips_of(cluster, found, node)
    done = hacheck(node, "drain", "--until", "1h")
    assert done.returncode == 1
    assert "others wait for 20 s before they take over (preempt_delay); --wait waits for it" in done.stdout
    assert done.stderr.count("is still here: others take over 20 s after the drain (preempt_delay)") == len(own)
    assert "no agent runs here to end the drain at " in done.stderr
    assert vips_of(cluster, found, node) == own
    at_once = hacheck(node, "drain", "--now")
    assert at_once.returncode == 0
    assert at_once.stdout.count(" is on ") == len(own)
    drain = record(node)
    assert drain
    assert (drain.number, drain.vips, bool(drain.until)) == (1, tuple(own), True)
    kept = vips_of(cluster, found, blind)
    assert kept
    unseen = hacheck(blind, "drain", "--now")
    assert unseen.returncode == 1
    told = f"stays here, as Keepalived does not look at {FILE}; its directory has to be"
    assert unseen.stderr.count(told) == len(kept)
