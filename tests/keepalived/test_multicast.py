"""Who has joined VRRP's group is told of each interface, by the kernel's own word."""

from __future__ import annotations

import json
import os
import sys

import pytest

from hachecks.keepalived.multicast import joined
from tests.failover.namespace import namespace, wait_until

SETUP = """
ip link add eth0 type veth peer name eth1
ip link set eth0 up
ip link set eth1 up
"""
ASK = """
import json, sys
from hachecks.keepalived.multicast import joined
print(json.dumps(list(joined([("eth0", "ipv4"), ("eth0", "ipv6"), ("eth1", "ipv4"), ("eth1", "carp")]))), flush=True)
"""
JOIN = """
import socket, struct, sys, time
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
index = socket.if_nametoindex(sys.argv[1])
if "ipv4" in sys.argv:
    request = struct.pack("4s4si", socket.inet_aton("224.0.0.18"), bytes(4), index)
    one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
if "ipv6" in sys.argv:
    other = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    request = socket.inet_pton(socket.AF_INET6, "ff02::12") + struct.pack("I", index)
    other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
print("joined", flush=True)
time.sleep(60)
"""


def test_nobody_asked_for_is_nobody_told() -> None:
    assert list(joined([])) == []


@pytest.mark.failover
@pytest.mark.parametrize(
    ("families", "both"), [((), False), (("ipv4",), False), (("ipv6",), False), (("ipv4", "ipv6"), True)]
)
def test_an_interface_has_joined_when_it_has_in_each_family(families: tuple[str, ...], both: bool) -> None:
    if os.geteuid() != 0:
        pytest.fail("run it as root") if os.environ.get("CI") else pytest.skip("network namespaces need root")
    with namespace(SETUP) as node:
        heard: list[str] = []
        if families:
            node.start(sys.executable, "-c", JOIN, "eth0", *families, heard=heard.append)
            wait_until("it has joined", lambda: "joined" in heard)
        done = node.run(sys.executable, "-c", ASK)
        assert json.loads(done.stdout) == [["eth0", both], ["eth1", False]], done.stderr
