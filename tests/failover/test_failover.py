"""Does Keepalived, configured as OpenShift does it, move the VIP when our check says so?"""

from __future__ import annotations

import time

import pytest

from .cluster import Cluster, state_of
from .requirements import EXECUTABLE
from .web import BREAKAGES

pytestmark = pytest.mark.failover

HTTP = "sh /etc/keepalive/hacheck http http://{address}/"
TCP = "sh /etc/keepalive/hacheck tcp {address}:80"
BARE = HTTP.removeprefix("sh ")
SECURE = ("enable_script_security", "script_user root")

# Three runs of the check at OpenShift's interval of 2 s, and one second more.
LONG_ENOUGH = 7.0


def break_and_watch(cluster: Cluster, breakage: str = "kill") -> None:
    """Break the web service of the node that has the VIP, and see the other node take over from it."""
    began = time.monotonic()
    BREAKAGES[breakage](cluster.a.web)
    cluster.wait_for_failover(cluster.a, since=began)


@pytest.mark.parametrize(
    ("check", "breakage"),
    [
        pytest.param(HTTP, "kill", id="http-kill"),
        pytest.param(HTTP, "hang", id="http-hang"),
        pytest.param(HTTP, "500", id="http-500"),
        pytest.param(TCP, "kill", id="tcp-kill"),
    ],
)
def test_broken_service_moves_the_vip(cluster: Cluster, check: str, breakage: str) -> None:
    with cluster.keepalived(check):
        break_and_watch(cluster, breakage)


def test_repaired_master_takes_the_vip_back_in_spite_of_preempt_delay(cluster: Cluster) -> None:
    with cluster.keepalived(HTTP):
        break_and_watch(cluster)
        repaired = time.monotonic()
        cluster.a.web.repair()
        cluster.wait_for_vip(cluster.a, since=repaired)
        cluster.wait_for_service(cluster.a, since=repaired)


def test_check_survives_an_edit_of_its_configmap(cluster: Cluster) -> None:
    with cluster.keepalived(HTTP):
        cluster.a.configmap.replace({"hacheck": EXECUTABLE.read_bytes(), "notes": b"edited\n"})
        break_and_watch(cluster)


def test_edited_check_counts_from_its_next_run_on(cluster: Cluster) -> None:
    with cluster.keepalived(HTTP):
        edited = time.monotonic()
        cluster.a.configmap.replace({"hacheck": b"exit 1\n"})
        cluster.wait_for_vip(cluster.b, since=edited)


def test_bare_path_moves_the_vip_while_nobody_edits_the_configmap(cluster: Cluster) -> None:
    with cluster.keepalived(BARE):
        break_and_watch(cluster)


def test_bare_path_passes_for_ever_after_an_edit_of_the_configmap(cluster: Cluster) -> None:
    with cluster.keepalived(BARE):
        edited = time.monotonic()
        cluster.a.configmap.replace({"hacheck": EXECUTABLE.read_bytes()})
        cluster.a.web.kill()
        assert cluster.a.check(BARE).returncode == 1
        after = list(cluster.timeline.follow(since=edited, within=LONG_ENOUGH))
        assert [state_of(event) for event in after if state_of(event)] == []
        assert cluster.master is cluster.a


def test_script_security_accepts_the_check(cluster: Cluster) -> None:
    with cluster.keepalived(HTTP, global_defs=SECURE):
        break_and_watch(cluster)


def test_script_security_disables_a_bare_path(cluster: Cluster) -> None:
    started = time.monotonic()
    with cluster.keepalived(BARE, global_defs=SECURE):
        assert "Disabling track script chk_ipfailover due to insecure" in cluster.timeline.told(started)


def test_check_needs_no_executable_bit(cluster: Cluster) -> None:
    for node in cluster.nodes:
        node.configmap.replace({"hacheck": EXECUTABLE.read_bytes()}, mode=0o644)
    with cluster.keepalived(HTTP):
        break_and_watch(cluster)


def test_check_runs_from_a_read_only_volume(cluster: Cluster) -> None:
    refused = cluster.a.run("touch", "/etc/keepalive/hacheck")
    assert "Read-only file system" in refused.stderr
    with cluster.keepalived(HTTP):
        break_and_watch(cluster)
