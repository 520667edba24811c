"""Two pods on one node that would serve the same ids: the second one waits for the end of the first, and says so."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from hachecks import pod_report
from hachecks.ipfailover.pod.socket_owners import socket_owners
from tests.failover.namespace import wait_until
from tests.ipfailover.given import variables
from tests.ipfailover.one_pod import ENVIRONMENT, RUN, TOML, VARIABLES, one_pod
from tests.ipfailover.pods import CONFIG, Pod
from tests.own_network import own_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.pod_report import PodReport
    from tests.ipfailover.one_pod import OnePod

WAITS = "served by another hacheck ipfailover run of this node"
HOLD = """
import os, socket, sys, time
held = []
for name in sys.argv[2:]:
    os.seteuid(int(sys.argv[1]))
    held.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    held[-1].bind("\\0" + name)
print("holds", flush=True)
time.sleep(1000)
"""


def second(one: OnePod, given: Mapping[str, str] | None = None, port: int = 10113) -> Pod:
    """Another pod on the node, of the same configuration but for what is given."""
    pod = Pod(
        one.node,
        f"pod-{port}",
        (*RUN, "--preflight", "off"),
        {**ENVIRONMENT, "HACHECK_AGENT_LISTEN": f"127.0.0.1:{port}"},
        ("net_admin", "net_raw", "setgid"),
    )
    change(pod, {**one.given, **(given or {})})
    return pod


def change(pod: Pod, given: Mapping[str, str]) -> None:
    """Have these variables in its volume."""
    text = "".join(f"{name}={value}\n" for name, value in variables(**given).items())
    pod.replace({VARIABLES: text, "hacheck.toml": TOML})


def report(pod: Pod) -> PodReport | None:
    """What a pod says of itself."""
    return pod_report.read(str(pod.state))


def phase(pod: Pod) -> str:
    """Where it is, as it says."""
    found = report(pod)
    return found.phase if found else ""


def told(pod: Pod, word: str) -> bool:
    """Whether it tells of that now."""
    found = report(pod)
    return found is not None and any(word in text for text in found.findings)


def runs(pod: Pod) -> bool:
    """Whether its Keepalived does, as it says."""
    return phase(pod) == pod_report.RUNNING


def reloads(pod: Pod) -> int:
    """How often its Keepalived has read another file, as it says."""
    found = report(pod)
    return found.reloads if found else 0


def looked_at(pod: Pod) -> float:
    """When it has looked last; 0 before it has."""
    found = report(pod)
    return found.at if found else 0.0


def looks_on(pod: Pod, times: int = 3) -> None:
    """See it look a few times more."""
    for _ in range(times):
        before = looked_at(pod)
        wait_until("it looks again", lambda before=before: looked_at(pod) != before)  # type: ignore[misc]


@contextmanager
def held(one: OnePod, user: int, *names: str) -> Iterator[None]:
    """Somebody of this user has these names among the sockets of the node."""
    said: list[str] = []
    process = one.node.start(sys.executable, "-c", HOLD, str(user), *names, heard=said.append)
    try:
        wait_until("the names are held", lambda: "holds" in said)
        yield
    finally:
        process.signal(signal.SIGKILL)
        process.end(5)


def test_the_pod_that_comes_second_waits_says_so_once_and_begins_when_the_first_has_ended() -> None:
    with one_pod() as one:
        one.start()
        first = one.keepalived()
        pod = second(one)
        pod.start()
        pod.wait_for_word(WAITS)
        looks_on(pod)
        assert not pod.processes("keepalived -n")
        assert one.keepalived() == first
        assert pod.log.count(WAITS) == 1
        assert "ids 11, 12 and 13 on eth0" in pod.log
        assert phase(pod) == pod_report.PREFLIGHT
        assert told(pod, WAITS)
        one.wait_for_vips()

        assert one.pod.stop() == 0
        wait_until("the second one runs", lambda: runs(pod))
        one.wait_for_vips()
        wait_until("nothing is said any more", lambda: not told(pod, WAITS))
        assert pod.stop() == 0
        one.wait_for_none()


def test_a_first_one_that_was_killed_keeps_nobody_waiting() -> None:
    with one_pod() as one:
        one.start()
        pod = second(one)
        pod.start()
        pod.wait_for_word(WAITS)
        one.pod.kill()
        wait_until("the second one runs", lambda: runs(pod))
        one.wait_for_vips()
        assert pod.stop() == 0


def test_the_container_that_was_killed_begins_again_beside_one_that_waits_and_only_one_of_them_runs() -> None:
    with one_pod() as one:
        one.start()
        pods = [second(one, port=port) for port in (10113, 10114)]
        for pod in pods:
            pod.start()
            pod.wait_for_word(WAITS)
        one.pod.kill()
        wait_until("one of them runs", lambda: any(map(runs, pods)))
        for pod in pods:
            looks_on(pod)
        assert sorted(map(runs, pods)) == [False, True]
        assert sum(len(pod.processes("keepalived -n")) > 0 for pod in pods) == 1


def test_other_ids_do_not_hinder_each_other_and_a_reload_gets_no_id_that_another_pod_serves() -> None:
    with one_pod() as one:
        one.start()
        given = {**one.given, "CONFIG_NAME": "two", "VIRTUAL_IPS": "10.78.1.11", "VRRP_ID_OFFSET": "20"}
        pod = second(one, given)
        pod.start()
        wait_until("both run", lambda: runs(pod))
        # Two more of them would have the ids of the first ones of the other.
        change(
            pod, {**given, "VRRP_ID_OFFSET": "12", "VIRTUAL_IPS": "10.78.1.11-12", "CHANGE_AT": "2026-01-01T00:00:00Z"}
        )
        pod.wait_for_word(WAITS)
        assert "the id 13 on eth0" in pod.log
        wait_until("it is refused", lambda: told(pod, "what was in force stays"))
        one.wait_for_vips([*one.vips, "10.78.1.11"])
        one.change(VIRTUAL_IPS="10.78.1.1-2")
        one.cluster.wait_for_owners(dict.fromkeys([*one.vips, "10.78.1.11", "10.78.1.12"], "node-1"))
        wait_until("it has reloaded", lambda: reloads(pod) == 1)
        # What it had before is free for others.
        with held(one, 0, "hacheck-ipfailover-id/eth0/ipv4/21"):
            pass


def test_who_is_not_root_keeps_nobody_from_serving_and_is_named() -> None:
    with one_pod() as one:
        names = [f"hacheck-ipfailover-id/eth0/ipv4/{number}" for number in (11, 12, 13)]
        with held(one, 65534, *names, f"{names[2]}/1", f"{names[2]}/2", f"{names[2]}/3"):
            one.start()
            one.pod.wait_for_word("the user 65534, who is not root, has @hacheck-ipfailover-id/eth0/ipv4/11, ")
            pod = second(one)
            pod.start()
            pod.wait_for_word(WAITS)
            assert "ids 11 and 12 on eth0" in pod.log
            looks_on(pod)
            assert not pod.processes("keepalived -n")


def test_who_is_root_is_waited_for() -> None:
    with one_pod() as one:
        with held(one, 0, "hacheck-ipfailover-id/eth0/ipv4/12"):
            one.pod.start()
            one.pod.wait_for_word(WAITS)
            assert "the id 12 on eth0" in one.pod.log
            answer = one.pod.run(*RUN, "--check-once")
            assert (answer.returncode, WAITS in answer.stderr) == (1, True)
        one.wait_for_vips()


STOCK = """
vrrp_instance stock {
    state BACKUP
    interface eth0
    virtual_router_id 81
    priority 100
    advert_int 1
    virtual_ipaddress {
        10.78.1.2/32
    }
}
"""


def test_a_keepalived_that_is_none_of_ours_and_cannot_be_seen_is_waited_for_while_it_is_master() -> None:
    with one_pod("--preflight", "strict") as one:
        stock = Pod(one.node, "stock", ("keepalived", "-n", "-l", "-f", f"{CONFIG}/keepalived.conf"))
        stock.replace({"keepalived.conf": STOCK})
        stock.start()
        one.wait_for_vips(["10.78.1.2"])
        one.pod.start()
        one.pod.wait_for_word("10.78.1.2 is advertised from this node by another Keepalived, such as one in a pod")
        looks_on(one.pod)
        assert not one.keepalived()
        assert one.cluster.owners.are({"10.78.1.1": None, "10.78.1.2": "node-1"})
        stock.stop()
        one.wait_for_vips()
        one.wait_for_report("nothing is wrong", lambda report: not report.findings)
        assert one.pod.stop() == 0


@pytest.mark.parametrize("name", ["plain", "with\nline", "with\0nul", "x" * 107, "\udcff\udcfe"])
def test_the_kernel_says_whose_a_name_is_whatever_is_in_it(name: str) -> None:
    with own_network(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        assert name not in socket_owners()
        one.bind(b"\0" + os.fsencode(name))
        assert socket_owners()[name] == os.geteuid()
        one.close()
        assert name not in socket_owners()


def test_many_names_are_told_whole() -> None:
    with own_network(), ExitStack() as held_ones:
        names = {f"{number}/{'x' * 90}" for number in range(400)}
        for name in names:
            one = held_ones.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            one.bind(f"\0{name}")
        assert names <= set(socket_owners())
