"""What proves the rows of the README's table on the pod: its rights, its end, its probes, and what it leaves behind."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cli import ROOT
from tests.failover.namespace import namespace, wait_until
from tests.failover.requirements import missing_command
from tests.ipfailover.linting import Given
from tests.readme_table import row, shown_by

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.failover.namespace import Namespace, Process

DOCUMENTED = (ROOT / "tests" / "ipfailover-deployment.yaml").read_text()
"""The Deployment of OpenShift's documentation."""
# What the stock image's monitor.sh does with its processes: openshift/images, lib/failover-functions.sh.
MONITOR = """
keepalived -n -l -f "$1" -p /run/k.pid -r /run/v.pid >/dev/null 2>&1 &
keepalived=$!
trap 'kill -TERM $keepalived; ip address del 10.0.0.100/32 dev eth0; exit 0' TERM
wait
"""
SETUP = """
mount -t tmpfs tmpfs /run
ip link add eth0 type veth peer name other
ip address add 10.0.0.1/24 dev eth0
ip link set eth0 up
ip link set other up
"""
CONF = """\
vrrp_instance one {
    interface eth0
    virtual_router_id 9
    priority 200
    version 3
    advert_int 0.1
    notify "/usr/bin/sh /run/notify.sh"
    virtual_ipaddress {
        10.0.0.100
    }
}
"""
NOTIFY = "echo begun $3 >>/run/told\nsleep 0.5\necho ended $3 >>/run/told\n"


@contextmanager
def stock_pod(conf: str = CONF, monitor: str = MONITOR) -> Iterator[tuple[Namespace, Process, Path]]:
    """A node on which Keepalived runs as in the stock image, and what its notify script has written."""
    need("ip", "keepalived", "nsenter", "setpriv", "unshare")
    with namespace(SETUP) as node:
        node.path("/run/keepalived.conf").write_text(conf)
        node.path("/run/notify.sh").write_text(NOTIFY)
        words = ("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", monitor, "monitor", "/run/keepalived.conf")
        yield node, node.start(*words), node.path("/run/told")


def need(*commands: str) -> None:
    """Leave a test out where this machine lacks a command, but for CI."""
    lack = missing_command(*commands)
    if lack and os.environ.get("CI"):
        pytest.fail(lack)
    elif lack:
        pytest.skip(lack)


def has_vip(node: Namespace) -> bool:
    return "10.0.0.100" in node.must("ip", "address", "show", "dev", "eth0")


def codes(text: str = DOCUMENTED, stock: str = "") -> set[str]:
    return Given((text,), stock=stock).codes()


@row("the end of a pod", "VIPs first, then every `STOP` is told", "`STOP` scripts are killed with the container")
def _end() -> None:
    shown_by("ipfailover/test_pod_stop.py::test_every_stop_is_told_and_every_vip_is_gone")
    assert "ended STOP" not in said_until_the_end(MONITOR)
    assert "ended STOP" in said_until_the_end(MONITOR.replace("; ip address", "; wait $keepalived; ip address"))


def said_until_the_end(monitor: str) -> str:
    """What a notify script of half a second has told when the container is gone, which was sent a TERM."""
    with stock_pod(monitor=monitor) as (node, process, told):
        wait_until("it is master", lambda: told.exists() and "ended MASTER" in told.read_text())
        (first,) = node.must("pgrep", "-P", str(process.pid_inside)).split()
        node.must("kill", first)
        wait_until("the container is gone", lambda: not process.running)
        assert node.run("pgrep", "-x", "keepalived").returncode == 1
        return told.read_text()


@row("VIPs of a Keepalived that was killed", "taken off before the next one starts", "stay, beside the new owner's")
def _left() -> None:
    shown_by("ipfailover/test_pod_life.py::test_a_keepalived_that_is_killed_with_all_its_processes_is_started_again")
    with stock_pod() as (node, process, _):
        wait_until("it has the VIP", lambda: has_vip(node))
        # All at once: the second of its processes would take the VIPs off in peace.
        node.run("sh", "-c", "all=$(pgrep -x keepalived); kill -STOP $all; kill -KILL $all")
        wait_until("the container is gone", lambda: not process.running)
        assert has_vip(node)
        assert process.code == 0


@row("a VIP added to what runs", "a reload, of which other VIPs feel nothing", "new pods; until then no VIP is served")
def _reload() -> None:
    shown_by("ipfailover/test_pod_configuration.py::test_vips_come_and_go_by_a_reload_and_no_other_is_touched")
    workload = yaml.safe_load(DOCUMENTED)
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    # Its variables are of the pod's own template, which is another one when they change.
    assert "OPENSHIFT_HA_VIRTUAL_IPS" in [one["name"] for one in container["env"]]
    assert workload["spec"]["strategy"] == {"type": "Recreate"}
    assert "HA114" in codes()


@row(
    "rights",
    "`NET_ADMIN`, `NET_RAW`, `SETGID`, and no others",
    "privileged, with the node's `/`",
)
def _rights() -> None:
    shown_by(
        "test_image.py::test_what_manifests_writes_serves_vips_reloads_and_ends_with_three_capabilities_alone",
        "test_image.py::test_without_a_right_it_ends_and_says_which",
    )
    pod = yaml.safe_load(DOCUMENTED)["spec"]["template"]["spec"]
    assert pod["containers"][0]["securityContext"] == {"privileged": True}
    assert {"path": "/"} in [one.get("hostPath") for one in pod["volumes"]]


@row(
    "the firewall",
    "VRRP is let in and out, and the rules go with the last pod; a drop elsewhere is told",
    "IPv4 alone; the rule stays (to 4.22) or overrides no drop",
)
def _firewall() -> None:
    shown_by(
        "ipfailover/test_firewall.py::test_the_rules_are_as_before_when_it_is_closed",
        "ipfailover/test_firewall.py::test_adverts_of_both_families_pass_in_and_out_from_then_on",
        "ipfailover/test_firewall.py::test_a_drop_in_another_table_is_told_with_its_place_and_cure",
    )
    need("ip", "iptables", "nft", "nsenter", "setpriv", "unshare")
    with namespace() as node:
        rule = ("-d", "224.0.0.18/32", "-j", "ACCEPT")
        node.must("iptables", "-I", "INPUT", "1", *rule)
        # As 4.9 to 4.22 look for their rule before they remove it.
        asked = node.run("iptables", "-C", "INPUT", "1", *rule)
        assert (asked.returncode, "Bad argument `1'" in asked.stderr) == (2, True), asked
    ours = "nft add table inet keepalived; nft add chain inet keepalived input '{ type filter hook input priority 0; }'"
    accept = "nft add rule inet keepalived input ip daddr 127.0.0.1 accept"
    drop = "nft add table ip other; nft add chain ip other input '{ type filter hook input priority 10; policy drop; }'"
    with namespace("; ".join((ours, accept, drop))) as node:
        assert node.run("ping", "-c", "1", "-W", "1", "127.0.0.1").returncode == 1


@row(
    "multicast to unicast, VRRP 2 to 3, other ids",
    "all nodes at one instant, at a price that is told before",
    "two owners while pods are replaced, or none",
)
def _instant() -> None:
    shown_by(
        "ipfailover/test_pods_migrate.py::test_pods_change_at_the_instant_that_migrate_writes",
        "ipfailover/test_cluster_migrate.py::test_at_one_instant_no_vip_has_two_owners_and_the_outage_is_as_promised",
        # The same Keepalived with the same files, whoever wrote them; by Recreate there is nobody meanwhile.
        "ipfailover/test_cluster_migrate.py::test_changed_one_after_another_nodes_have_two_owners",
    )
    assert "HA114" in codes()


@row("liveness and readiness", "checks have run, and VIPs are where they belong", "a process is called keepalived")
def _alive() -> None:
    shown_by("test_image.py::test_what_manifests_writes_serves_vips_reloads_and_ends_with_three_capabilities_alone")
    assert {"HA120", "HA121"} <= codes()
    with stock_pod("global_defs {\n}\n") as (node, process, _):
        wait_until("a process has the name", lambda: node.run("pgrep", "keepalived").returncode == 0)
        assert process.running
        assert not has_vip(node)


@row("metrics", "of VIPs, states, checks, adverts and the pod itself; alerts and a dashboard", "none")
def _metrics() -> None:
    shown_by("test_image.py::test_what_manifests_writes_serves_vips_reloads_and_ends_with_three_capabilities_alone")
    with stock_pod() as (node, _, _):
        wait_until("it has the VIP", lambda: has_vip(node))
        assert not re.findall("^tcp", node.must("ss", "-Hltn"), re.MULTILINE)
        assert node.must("ss", "-Hltn").strip() == ""
