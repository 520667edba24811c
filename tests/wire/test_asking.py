"""Who has an address is asked on the segment, and answers count that are another node's."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING

import pytest

from hachecks.wire import addresses
from hachecks.wire.frames import link_address
from tests.failover.bridge import SETUP, plug
from tests.failover.namespace import namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.failover.namespace import Namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces")

ASK = """
import json, sys, time
from hachecks.wire import addresses
from hachecks.wire.asking import Asker
asker = Asker({address: sys.argv[1] for address in sys.argv[3:]})
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until and len(asker.heard) < len(asker.interfaces):
    asker.ask(asker.interfaces)
    asker.hear(0.05)
print(json.dumps([asker.heard, asker.trouble, sorted(addresses.here())]))
"""


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Two nodes on a segment."""
    with namespace(SETUP) as switch, namespace() as one, namespace() as other:
        plug(one, switch, "one", "10.78.0.1/16", "fd78::1/64")
        plug(other, switch, "other", "10.78.0.2/16", "10.78.1.2/32", "fd78::2/64", "fd78::1:2/128")
        for node in (one, other):
            node.must("sh", "-c", "until ip -6 address show dev eth0 | grep -q 'fe80.*link'; do sleep 0.05; done")
            node.must("sh", "-c", "while ip -6 address show dev eth0 | grep -q tentative; do sleep 0.05; done")
        yield one, other


def asked(
    node: Namespace, seconds: float, *asked_for: str, interface: str = "eth0"
) -> tuple[dict[str, str], str, list[str]]:
    heard, trouble, here = json.loads(node.must(sys.executable, "-c", ASK, interface, str(seconds), *asked_for))
    return heard, trouble, here


def test_another_node_answers_for_its_addresses_of_both_families(pair: tuple[Namespace, Namespace]) -> None:
    one, other = pair
    mac = json.loads(other.must("ip", "-json", "link", "show", "eth0"))[0]["address"]
    theirs = ["10.78.0.2", "10.78.1.2", "fd78::2", "fd78::1:2"]
    heard, trouble, here = asked(one, 30, *theirs)
    assert heard == dict.fromkeys(theirs, mac)
    assert trouble == ""
    assert {"10.78.0.1", "fd78::1", "127.0.0.1", "::1"} <= set(here)
    assert not set(theirs) & set(here)


def test_nobody_answers_for_what_nobody_has_nor_do_we_for_our_own(pair: tuple[Namespace, Namespace]) -> None:
    heard, trouble, _ = asked(pair[0], 0.5, "10.78.0.1", "fd78::1", "10.78.9.9", "fd78::9:9")
    assert heard == {}
    assert trouble == ""


def test_an_interface_that_is_not_there_is_told(pair: tuple[Namespace, Namespace]) -> None:
    heard, trouble, _ = asked(pair[0], 0.2, "10.78.0.2", interface="eth9")
    assert heard == {}
    assert trouble.startswith("eth9: ")


def test_an_answer_that_is_cut_off_or_false_counts_as_none(pair: tuple[Namespace, Namespace]) -> None:
    one, other = pair
    forge = """
import socket, struct
out = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
whole = struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 2, bytes(6), socket.inet_aton("10.78.9.9"), bytes(6), bytes(4))
for packet in (whole[:20], b"", whole[:4] + b"\\x08\\x04" + whole[6:], b"\\0" * 1400):
    for _ in range(200):
        out.sendto(packet, ("eth0", 0x0806, 0, 1, b"\\xff" * 6))
"""
    process = other.start(sys.executable, "-c", forge)
    heard, _, _ = asked(one, 1, "10.78.9.9")
    process.end(30)
    assert heard == {}


def test_an_address_is_asked_for_where_the_nodes_meet(pair: tuple[Namespace, Namespace]) -> None:
    one, _ = pair
    virtual = ("name", "vrrp.51", "address", "00:00:5e:00:01:33", "type", "macvlan")
    one.must("ip", "link", "add", "link", "eth0", *virtual)
    try:
        script = "import sys; from hachecks.wire.asking import interface_for; "
        script += "print(*(interface_for(own, 'eth0') for own in sys.argv[1:]))"
        assert one.must(sys.executable, "-c", script, "lo", "eth0", "vrrp.51", "eth9", "").split() == [
            *("lo", "eth0", "eth0", "eth0", "eth0")
        ]
    finally:
        one.must("ip", "link", "del", "vrrp.51")


@pytest.mark.parametrize(
    ("options", "mac"),
    [
        pytest.param(b"\x02\x01abcdef", b"abcdef", id="target"),
        pytest.param(b"\x0e\x01------\x02\x01abcdef", b"abcdef", id="after-another"),
        pytest.param(b"\x02\x00abcdef", b"", id="no-length"),
        pytest.param(b"\x02\x01abc", b"", id="cut-off"),
        pytest.param(b"", b"", id="none"),
        pytest.param(b"\xff" * 64, b"", id="noise"),
    ],
)
def test_the_options_of_an_advertisement_are_read_within_their_bounds(options: bytes, mac: bytes) -> None:
    assert link_address(options) == mac


def test_our_own_addresses_are_those_that_the_kernel_has() -> None:
    here = addresses.here()
    assert "127.0.0.1" in here
    assert all(socket.inet_pton(socket.AF_INET6 if ":" in one else socket.AF_INET, one) for one in here)
    assert struct.calcsize("=IHHII") == 16
