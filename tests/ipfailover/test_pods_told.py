"""What keeps a pod from serving is told in one line before the first advert, and a split within two seconds of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from hachecks.ipfailover.render import rendered
from tests.failover.namespace import PATIENCE, wait_until
from tests.ipfailover.cluster import nodes
from tests.ipfailover.fleet import COMMON, ENVIRONMENT, FAST, RUN, VARIABLES, Fleet
from tests.ipfailover.given import variables
from tests.ipfailover.pods import RIGHTS, Pod
from tests.ipfailover.served import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.ipfailover.cluster import Change, Cluster, Node

pytestmark = [pytest.mark.failover, pytest.mark.xdist_group("pods-told")]

BLUE = {"CONFIG_NAME": "blue", "VIRTUAL_IPS": "10.78.1.1-3", **FAST}
DROP = """
table inet site {
    chain input {
        type filter hook input priority 0; policy accept;
        meta l4proto 112 drop
    }
}
"""
OTHER_IDS = {"VRRP_ID_OFFSET": "60"}
WITHIN = 2.0
KEEPALIVED = "keepalived -n"


class Case(NamedTuple):
    """Something that is wrong: how it comes about on the third node or the client, how it ends, and what is told.

    `code` is the exit status where the pod ends by itself; `starts` whether Keepalived is started nevertheless.
    """

    wrong: Callable[[Cluster, Node], object]
    right: Callable[[Cluster, Node], object]
    told: Sequence[str]
    starts: bool = True
    code: int | None = None
    given: Sequence[tuple[str, str]] = ()
    rights: Sequence[str] = RIGHTS


def nothing(_: Cluster, __: Node) -> None:
    """Its command or its rights are what is wrong."""


def without(right: str) -> tuple[str, ...]:
    return tuple(one for one in RIGHTS if one != right)


def stranger(cluster: Cluster, _: Node) -> None:
    """Another cluster has ids of ours for its own VIPs."""
    found = served({"CONFIG_NAME": "theirs", "VIRTUAL_IPS": "10.78.9.1-2", "NODES": "client", **OTHER_IDS, **FAST})
    (plan,) = found.plans
    (settings,) = found.settings
    cluster.client.must("mount", "-t", "tmpfs", "tmpfs", "/run")
    cluster.client.path("/run/theirs.conf").write_text(rendered(plan, settings, "client"))
    words = ("keepalived", "-n", "-l", "-f", "/run/theirs.conf", "-p", "/run/theirs.pid", "-r", "/run/theirs-vrrp.pid")
    cluster.client.start(*words)
    wait_until("they serve", lambda: "10.78.9.2" in cluster.client.must("ip", "address", "show", "eth0"))


CASES = {
    "firewall": Case(
        lambda _, node: node.must("nft", DROP),
        lambda _, node: node.must("nft", "delete table inet site"),
        ("adverts of 10.78.0.1 and 10.78.0.2 come to eth0, and this node drops them", "table inet site"),
    ),
    "vip": Case(
        lambda cluster, _: cluster.client.must("ip", "address", "add", "10.78.1.2/32", "dev", "eth0"),
        lambda cluster, _: cluster.client.must("ip", "address", "del", "10.78.1.2/32", "dev", "eth0"),
        ("10.78.1.2 is answered for on eth0 by ", "from which no advert for it comes"),
    ),
    "interface": Case(
        nothing,
        nothing,
        ("eth9 is not there; this node has eth0",),
        starts=False,
        given=[("NETWORK_INTERFACE", "eth9")],
    ),
    "net_admin": Case(
        nothing, nothing, ("no CAP_NET_ADMIN, which Keepalived needs",), False, 1, rights=without("net_admin")
    ),
    "net_raw": Case(nothing, nothing, ("no CAP_NET_RAW, which Keepalived needs",), False, 1, rights=without("net_raw")),
    "setgid": Case(nothing, nothing, ("no CAP_SETGID, which Keepalived needs",), False, 1, rights=without("setgid")),
    # Of two masters with one id, that do not take each other's adverts, Keepalived has one fall silent: it counts from
    # each advert that it hears. So ours must not serve yet.
    "id": Case(
        stranger,
        nothing,
        ("the ids 61 and 62 on eth0 belong to 10.78.0.99", "leave them out"),
        given=[("CONFIG_NAME", "ours"), ("VIRTUAL_IPS", "10.78.2.1-2"), *OTHER_IDS.items()],
    ),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two nodes serve; the third one has no pod yet."""
    with nodes(3) as cluster:
        fleet = Fleet(cluster, tmp_path_factory.mktemp("told"), BLUE)
        for name in ("node-1", "node-2"):
            fleet.pods[name, "blue"].start()
        cluster.wait_for_owners(fleet.owners([cluster.nodes["node-3"]]))
        yield fleet


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_told_in_one_line_before_the_first_advert(running: Fleet, name: str) -> None:
    case, cluster = CASES[name], running.cluster
    node = cluster.nodes["node-3"]
    pod = Pod(node, name, RUN, {**ENVIRONMENT, "HACHECK_AGENT_LISTEN": "127.0.0.1:10113"}, case.rights)
    given = variables(**{**COMMON, **BLUE, **dict(case.given)})
    files = running.files("blue")
    pod.replace({**files, VARIABLES: "".join(f"{key}={text}\n" for key, text in given.items())})
    case.wrong(cluster, node)
    try:
        pod.start()
        told = pod.wait_for_word(case.told[0])
        assert all(word in told.text for word in case.told), told.text
        if case.starts:
            before_all_else = pod.log.index(case.told[0])
            pod.wait_for_word("Startup complete")
            assert before_all_else < pod.log.index("Startup complete")
        if case.code is not None:
            assert pod.wait() == case.code, pod.log
        elif not case.starts:
            assert pod.processes(KEEPALIVED) == []
        ours = [line for line in pod.log.splitlines() if "hacheck: run: " in line and case.told[0] in line]
        assert len(ours) == 1, ours
    finally:
        if pod.running:
            pod.stop()
        case.right(cluster, node)


@pytest.mark.serial
def test_a_split_is_told_within_two_seconds(cluster: Cluster, tmp_path: Path) -> None:
    fleet = Fleet(cluster, tmp_path, {"CONFIG_NAME": "blue", "VIRTUAL_IPS": "10.78.1.1-3", "NODES": "node-1,node-2"})
    pods = [fleet.pods[name, "blue"] for name in ("node-1", "node-2")]
    for pod in pods:
        pod.start()
    cluster.wait_for_owners(fleet.owners())
    for pod in pods:
        pod.wait_for_word("serving http://")
    for deaf in (pods[1:], pods):
        since, began = time.monotonic(), len(cluster.owners.history)
        for pod in deaf:
            pod.node.must("nft", DROP)
        cluster.owners.wait(lambda: bool(split(cluster, began)), PATIENCE)  # noqa: B023
        first = split(cluster, began)[0]
        found = [pod.wait_for_word("two owners", since=since) for pod in pods]
        print(f"{len(deaf)} deaf: told {[f'{event.at - first.at:.2f} s' for event in found]} after: {found[0].text}")
        assert min(event.at for event in found) - first.at < WITHIN
        for pod in deaf:
            pod.node.must("nft", "delete table inet site")
        cluster.wait_for_owners(fleet.owners())
        for pod in pods:
            pod.wait_for_word("on the segment all is well again", since=since)


def split(cluster: Cluster, began: int) -> list[Change]:
    return [change for change in cluster.owners.history[began:] if len(change.owners) > 1]
