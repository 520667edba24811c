"""What is killed in a pod is started again, what it leaves is removed, and what is not its business is left alone."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.failover.namespace import PATIENCE, wait_until
from tests.ipfailover.fleet import FAST, VARIABLES, Fleet
from tests.ipfailover.pods import STATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.ipfailover.cluster import Change, Cluster
    from tests.ipfailover.pods import Pod

pytestmark = [pytest.mark.failover, pytest.mark.xdist_group("pods-life")]

BLUE = {"CONFIG_NAME": "blue", "VIRTUAL_IPS": "10.78.1.1-6", **FAST}
GREEN = {"CONFIG_NAME": "green", "VIRTUAL_IPS": "10.78.1.11-13", "VRRP_ID_OFFSET": "50", **FAST}
KEEPALIVED = "keepalived -n"
"""Of one that runs; a pod that looks at its files asks one for its version."""
AGENT = "agent --fifo"


def vips_of(fleet: Fleet, name: str) -> list[str]:
    return [vip for one in fleet.served for plan in one.plans if plan.name == name for vip in one.ids]


def changes(cluster: Cluster, since: int, vips: Iterable[str]) -> list[Change]:
    return [change for change in cluster.owners.history[since:] if change.vip in set(vips)]


def kill(pod: Pod, word: str) -> None:
    """SIGKILL the oldest of its processes whose command line has the word, and see another one."""
    before = pod.processes(word)
    os.kill(before[0], signal.SIGKILL)
    wait_until(f"there is another {word}\n{pod.log}", lambda: bool(set(pod.processes(word)) - set(before)))


def test_what_is_killed_in_a_pod_is_started_again_and_leaves_others_alone(cluster: Cluster, tmp_path: Path) -> None:
    fleet = Fleet(cluster, tmp_path, BLUE, GREEN)
    fleet.start()
    cluster.wait_for_owners(fleet.owners())
    pod = fleet.pods["node-1", "blue"]
    first, began = pod.pid, len(cluster.owners.history)
    wait_until("the agent runs", lambda: bool(pod.processes(AGENT)))
    kill(pod, AGENT)
    assert changes(cluster, began, fleet.vips) == []
    theirs = [vip for vip in vips_of(fleet, "blue") if fleet.owners()[vip] == "node-1"]
    kill(pod, KEEPALIVED)
    assert cluster.owners.wait(lambda: {one.vip for one in changes(cluster, began, theirs)} == set(theirs), PATIENCE)
    cluster.wait_for_owners(fleet.owners())
    assert pod.pid == first
    assert changes(cluster, began, vips_of(fleet, "green")) == []
    # The container is started again by kubelet, and no VIP of the other pod on this node moves.
    pod.kill()
    cluster.wait_for_each(theirs, lambda owners: len(owners) == 2)
    pod.start()
    cluster.wait_for_owners(fleet.owners())
    assert changes(cluster, began, vips_of(fleet, "green")) == []


def test_what_a_killed_pod_leaves_is_removed_by_its_next_start(cluster: Cluster, tmp_path: Path) -> None:
    fleet = Fleet(cluster, tmp_path, {**BLUE, "PREEMPTION": "nopreempt"}, GREEN)
    fleet.start()
    for pod in fleet.pods.values():
        pod.wait_for_word("Startup complete")
    cluster.wait_for_each(vips_of(fleet, "blue"), lambda owners: len(owners) == 1)
    green = {vip: fleet.owners()[vip] for vip in vips_of(fleet, "green")}
    cluster.wait_for_owners(green)
    pod = next(pod for pod in fleet.pods.values() if pod.name == "blue" and owned(fleet, pod))
    left = owned(fleet, pod)
    pod.node.must("ip", "address", "add", "10.78.9.9/32", "dev", "eth0")
    pod.kill()
    cluster.wait_for_each(left, lambda owners: len(owners) == 2)
    # One of them is no VIP any more when it starts again; the others keep what they have taken.
    gone, *others = left
    fewer = [vip for vip in vips_of(fleet, "blue") if vip != gone]
    fleet.replace("blue", fleet.change("blue", VIRTUAL_IPS=",".join(fewer)))
    started = time.monotonic()
    pod.start()
    cluster.wait_for_each(others, lambda owners: len(owners) == 1 and pod.node.name not in owners)
    cluster.wait_for_owners({gone: None})
    assert "10.78.9.9" in pod.node.must("ip", "address", "show", "eth0")
    assert cluster.owners.are(green)
    # It was MASTER when it was killed, by the last word of its journal, and is none without its VIPs.
    pod.wait_for_word("Startup complete", since=started)
    assert "while this node is MASTER" not in pod.log.partition("and were removed")[2]


def owned(fleet: Fleet, pod: Pod) -> list[str]:
    """The VIPs of a pod's configuration that its node has."""
    return [vip for vip in vips_of(fleet, pod.name) if pod.node.name in fleet.cluster.owners.of(vip)]


def test_a_node_that_is_not_planned_takes_no_part(cluster: Cluster, tmp_path: Path) -> None:
    fleet = Fleet(cluster, tmp_path, {**BLUE, "NODES": "node-1,node-2"})
    fleet.start()
    stranger = fleet.pods["node-3", "blue"]
    cluster.wait_for_each(fleet.vips, lambda owners: len(owners) == 1)
    stranger.wait_for_word("node-3 is none of the plan's nodes: Keepalived does not run here")
    assert stranger.processes(KEEPALIVED) == []
    for name in ("node-1", "node-2"):
        fleet.pods[name, "blue"].kill()
    assert stranger.processes(KEEPALIVED) == []
    assert not [change for change in cluster.owners.history if change.vip in fleet.vips and change.node == "node-3"]


def test_a_pod_whose_check_fails_gives_its_vips_away(cluster: Cluster, tmp_path: Path) -> None:
    # Keepalived takes a check for passed that it cannot start, as without CAP_SETGID.
    check = {"CHECK_SCRIPT": f"test ! -e {STATE}/failing", "CHECK_INTERVAL": "1"}
    fleet = Fleet(cluster, tmp_path, {**BLUE, **check})
    fleet.start()
    cluster.wait_for_owners(fleet.owners())
    failing = fleet.pods["node-1", "blue"].state / "failing"
    failing.touch()
    cluster.wait_for_owners(fleet.owners([cluster.nodes["node-1"]]))
    failing.unlink()
    cluster.wait_for_owners(fleet.owners())


def test_a_pod_that_is_asked_to_end_while_it_starts_does_so(cluster: Cluster, tmp_path: Path) -> None:
    fleet = Fleet(cluster, tmp_path, BLUE)
    pod = fleet.pods["node-1", "blue"]
    pod.start()
    # What comes for process 1 before it can take it is lost, unless it is kept.
    wait_until("a signal is kept", lambda: keeps(pod), every=0.001)
    assert pod.stop() == 0
    assert [change for change in cluster.owners.history if change.vip in fleet.vips] == []


def keeps(pod: Pod) -> bool:
    """Whether its first process takes the signals to end later, and all others: a shell that forks takes none."""
    with suppress(FileNotFoundError, IndexError):
        blocked = Path(f"/proc/{pod.pid}/status").read_text().partition("SigBlk:\t")[2].split()[0]
        return int(blocked, 16) == sum(1 << number - 1 for number in (signal.SIGTERM, signal.SIGINT))
    return False


BAD = {
    "no address": ("OPENSHIFT_HA_VIRTUAL_IPS=10.78.1.300\n", "variables.env:1: OPENSHIFT_HA_VIRTUAL_IPS"),
    "nothing": ("", "in force"),
    "no assignment": ("no line of a file\n", "variables.env:1: expected NAME=VALUE"),
    "no configuration": ("{good}OPENSHIFT_HA_VERBATIM=}}}}}}\n", "in force"),
}
"""Texts for the variables, and what is told of them."""


def test_a_bad_configuration_is_refused_and_the_old_one_stays(cluster: Cluster, tmp_path: Path) -> None:
    fleet = Fleet(cluster, tmp_path, BLUE)
    fleet.start()
    owners = fleet.owners()
    cluster.wait_for_owners(owners)
    began = len(cluster.owners.history)
    good = fleet.files("blue")
    with cluster.asking(fleet.vips) as client:
        for text, told in BAD.values():
            said = {pod: len(pod.log) for pod in fleet.pods.values()}
            fleet.replace("blue", {**good, VARIABLES: text.format(good=good[VARIABLES])})
            for pod, length in said.items():
                wait_until(
                    f"it is refused\n{pod.log}",
                    lambda pod=pod, length=length, told=told: any(  # type: ignore[misc]
                        told in line and "in force" in line for line in pod.log[length:].splitlines()
                    ),
                )
            client.wait_for_more(20)
        assert cluster.owners.history[began:] == []
        # A good one after it is taken at once.
        fleet.replace("blue", fleet.change("blue", VIRTUAL_IPS="10.78.1.1-7"))
        cluster.wait_for_owners(fleet.owners())
    assert client.lost == dict.fromkeys(owners, 0)
