"""Who looks behind the firewall hears what gets there, and is not taken for Keepalived meanwhile."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.failover.bridge import SETUP, plug
from tests.failover.namespace import namespace, wait_until
from tests.ipfailover.cluster import NODE_SETUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.failover.namespace import Namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces")

ROOT = Path(__file__).parents[2]
CONF = """
vrrp_instance {name} {{
    interface eth0
    virtual_router_id {id}
    priority 254
    version 3
    advert_int 0.1
    virtual_ipaddress {{
        {vip}
    }}
}}
"""
LOOK = """
import socket, struct, time
from hachecks.keepalived.process import KeepalivedProcess
from hachecks.wire.behind import BehindFirewall

# Keepalived, beside which this looks, has joined the groups.
index = socket.if_nametoindex("eth0")
four, six = (socket.socket(family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6))
group = struct.pack("4s4si", socket.inet_aton("224.0.0.18"), bytes(4), index)
four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
group = struct.pack("16si", socket.inet_pton(socket.AF_INET6, "ff02::12"), index)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
behind = BehindFirewall()

def heard(count, seconds):
    found, until = set(), time.monotonic() + seconds
    while time.monotonic() < until and len(found) < count:
        found |= behind.heard()
        time.sleep(0.02)
    return sorted(found)

process = KeepalivedProcess(gone_after=0)
print("shut", heard(1, 0.5), process.look(True).runs, flush=True)
for _ in range(2):
    behind.open()
    print("open", heard(2, 60), flush=True)
    behind.shut()
    behind.heard()
    print("shut", heard(1, 0.5), process.look(True).runs, flush=True)
"""


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Two nodes on a segment, of which the second has Keepalived."""
    with namespace(SETUP) as switch, namespace() as one, namespace(NODE_SETUP) as other:
        plug(one, switch, "one", "10.78.0.1/16", "fd78::1/64", "fe80::1/64")
        plug(other, switch, "other", "10.78.0.2/16", "fd78::2/64", "fe80::2/64")
        four, six = ({"name": "four", "id": 4, "vip": "10.78.1.1"}, {"name": "six", "id": 6, "vip": "fd78::1:6"})
        other.path("/run/keepalived.conf").write_text(CONF.format(**four) + CONF.format(**six))
        other.start("keepalived", "-n", "-l", "-f", "/run/keepalived.conf", "-p", "/run/pid", "-r", "/run/vrrp.pid")
        for vip in ("10.78.1.1", "fd78::1:6"):
            wait_until("it is master", lambda vip=vip: f" {vip}/" in other.must("ip", "address"))  # type: ignore[misc]
        yield one, other


def test_it_hears_while_it_is_open_and_is_never_taken_for_keepalived(pair: tuple[Namespace, Namespace]) -> None:
    one, _ = pair
    said: list[str] = []
    one.start("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", LOOK, heard=said.append)
    wait_until(f"it has looked {said}", lambda: len(said) == 5)
    shut, *others = said
    assert shut == "shut [] False"
    assert others[1::2] == [shut, shut]
    assert all("('10.78.0.2', 4)" in one and "('fe80::2', 6)" in one for one in others[::2]), said
