"""The exporter's addresses are the node's, at once and after whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.failover.namespace import Namespace, namespace, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SETUP = """
ip link add eth0 type veth peer name eth1
ip link set eth0 up
ip link set eth1 up
ip link add link eth0 name vrrp.51 type macvlan mode bridge
ip link set vrrp.51 up
"""
WATCH = """
import asyncio, json, sys, time
from hachecks.exporter.addresses import Addresses
from hachecks.exporter.source import SourceHealth

async def main():
    source = SourceHealth("netlink", lambda line: print(json.dumps({"told": line}), flush=True))
    addresses = Addresses(source)
    following = asyncio.ensure_future(addresses.follow())
    version = -1
    while not following.done():
        if source.version != version:
            version = source.version
            present = addresses.present()
            on = {one: present.interfaces_with(one, *sys.argv[1:]) for one in present.links}
            print(json.dumps({"at": time.monotonic(), "up": source.up, "on": on}), flush=True)
        await asyncio.sleep(0.002)
    following.result()

asyncio.run(main())
"""

pytestmark = pytest.mark.failover


class Watcher:
    """What the exporter's addresses were, as they changed."""

    def __init__(self, node: Namespace, *configured: str) -> None:
        self.seen: list[dict[str, Any]] = []
        self.looked_at = 0
        self.process = node.start(sys.executable, "-c", WATCH, *configured, heard=self._heard)
        wait_until("the addresses are read", lambda: any(one.get("up") for one in self.seen))

    def _heard(self, line: str) -> None:
        self.seen.append(json.loads(line))

    @property
    def on(self) -> dict[str, list[str]]:
        return dict(self.seen[-1]["on"])

    @property
    def starved(self) -> float:
        """Seconds in which it could have run, and others had the processor."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9

    def until(self, address: str, interfaces: list[str]) -> float:
        """When the address came to be on just these interfaces, on the monotonic clock, however soon it went on."""

        def has_come() -> bool:
            while self.looked_at < len(self.seen):
                if self.seen[self.looked_at].get("on", {}).get(address, []) == interfaces:
                    return True
                self.looked_at += 1
            return False

        wait_until(f"{address} is on {interfaces}", has_come)
        return float(self.seen[self.looked_at]["at"])


@contextmanager
def watched(*configured: str) -> Iterator[tuple[Namespace, Watcher]]:
    if os.geteuid() != 0:
        pytest.fail("run it as root") if os.environ.get("CI") else pytest.skip("network namespaces need root")
    with namespace(SETUP) as node:
        yield node, Watcher(node, *configured)


def ip(node: Namespace, words: str) -> None:
    node.must("ip", *words.split())


@pytest.mark.serial
def test_an_address_that_comes_and_goes_is_seen_within_50_ms() -> None:
    with watched() as (node, watcher):
        for verb, interfaces in (("add", ["eth0"]), ("del", []), ("add", ["eth0"])):
            starved, before = watcher.starved, time.monotonic()
            ip(node, f"address {verb} 10.9.0.1/32 dev eth0")
            done = time.monotonic()
            at = watcher.until("10.9.0.1", interfaces)
            # `ip` itself takes a few milliseconds, and the kernel tells while it runs.
            assert before < at < done + 0.05 + watcher.starved - starved


def test_ipv6_and_macvlan_and_several_interfaces_are_told_apart() -> None:
    with watched() as (node, watcher):
        ip(node, "address add 2001:db8::a/128 dev vrrp.51 nodad")
        watcher.until("2001:db8::a", ["vrrp.51"])
        ip(node, "address add 2001:db8::a/128 dev eth1 nodad")
        watcher.until("2001:db8::a", ["eth1", "vrrp.51"])
        ip(node, "link delete vrrp.51")
        watcher.until("2001:db8::a", ["eth1"])


def test_a_peer_address_is_not_taken_for_ours() -> None:
    with watched() as (node, watcher):
        ip(node, "address add 10.9.0.1 peer 10.9.0.2/32 dev eth0")
        watcher.until("10.9.0.1", ["eth0"])
        assert "10.9.0.2" not in watcher.on


def test_the_loopback_of_a_real_server_does_not_count() -> None:
    with watched() as (node, watcher):
        ip(node, "address add 10.9.0.1/32 dev lo")
        wait_until("it is seen", lambda: "10.9.0.1" in watcher.on)
        assert watcher.on["10.9.0.1"] == []


def test_the_loopback_counts_where_it_is_configured() -> None:
    with watched("lo") as (node, watcher):
        ip(node, "address add 10.9.0.1/32 dev lo")
        watcher.until("10.9.0.1", ["lo"])


def test_an_ipv6_address_that_another_host_has_does_not_count() -> None:
    with watched() as (node, watcher), namespace() as other:
        # By a process id of the machine, which exists as such outside of the process namespace only.
        move = ["nsenter", f"--net=/proc/{node.pid}/ns/net", "ip", "link", "set", "eth1", "netns", str(other.pid)]
        subprocess.run(move, check=True, timeout=10)
        ip(other, "link set eth1 up")
        ip(other, "address add 2001:db8::d/64 dev eth1 nodad")
        node.path("/proc/sys/net/ipv6/conf/eth0/accept_dad").write_text("1")
        ip(node, "address add 2001:db8::d/64 dev eth0")
        watcher.until("2001:db8::d", ["eth0"])
        show = ["ip", "-6", "address", "show", "dev", "eth0"]
        wait_until("the duplicate is found", lambda: "dadfailed" in node.must(*show))
        watcher.until("2001:db8::d", [])


def test_a_renamed_interface_has_its_new_name() -> None:
    with watched() as (node, watcher):
        ip(node, "address add 10.9.0.1/32 dev vrrp.51")
        watcher.until("10.9.0.1", ["vrrp.51"])
        ip(node, "link set vrrp.51 down")
        ip(node, "link set vrrp.51 name other")
        watcher.until("10.9.0.1", ["other"])


def test_255_addresses_that_come_at_once_are_all_there() -> None:
    with watched() as (node, watcher):
        commands = "".join(f"address add 10.9.1.{number}/32 dev eth0\n" for number in range(1, 256))
        node.path("/tmp/batch").write_text(commands)
        node.must("ip", "-batch", "/tmp/batch")
        wait_until("all are there", lambda: sum(one.startswith("10.9.1.") for one in watcher.on) == 255)


def test_addresses_are_seen_without_root() -> None:
    with watched() as (node, _):
        ip(node, "address add 10.9.0.1/32 dev eth0")
        command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", sys.executable, "-c", WATCH]
        seen: list[str] = []
        process = node.start(*command, heard=seen.append)
        try:
            wait_until("it is seen", lambda: any("10.9.0.1" in line for line in seen))
        finally:
            process.end()
    assert not [line for line in seen if "told" in line]
