"""VIPs that a killed Keepalived has left are taken off before another starts, and nothing else is."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from hachecks.ipfailover.pod import leftovers
from tests.cli import ROOT
from tests.failover.bridge import SETUP, plug
from tests.failover.namespace import namespace, wait_until
from tests.failover.requirements import missing_command
from tests.ipfailover.cluster import nodes
from tests.ipfailover.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.failover.namespace import Namespace
    from tests.ipfailover.cluster import Node

pytestmark = [
    pytest.mark.failover,
    pytest.mark.skipif(
        bool(missing_command("ip", "keepalived", "nsenter", "setpriv", "unshare")), reason="needs Keepalived as root"
    ),
]

REMOVE = """
import json, sys
from hachecks.ipfailover.pod import leftovers
word, directory, interface, *vips = sys.argv[1:]
if word == "remember":
    leftovers.remember(directory, vips, interface)
    print("[]")
else:
    print(json.dumps(leftovers.remove(vips, interface, directory)))
"""
VIPS = ("10.78.1.1", "10.78.1.2", "10.78.1.3", "fd78::1:1")


@pytest.fixture
def node() -> Iterator[Namespace]:
    """A node on a segment with nobody else."""
    with namespace(SETUP) as switch, namespace("mount -t tmpfs tmpfs /run") as found:
        plug(found, switch, "port", "10.78.0.1/16", "fd78::1/64")
        yield found


def call(node: Namespace | Node, *words: str) -> list[str]:
    found: list[str] = json.loads(node.must("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", REMOVE, *words))
    return found


def remove(node: Namespace | Node, *vips: str, directory: str = "", interface: str = "eth0") -> list[str]:
    return call(node, "remove", directory, interface, *vips)


def addresses(node: Namespace | Node, interface: str = "eth0") -> set[str]:
    """The addresses of an interface with their lengths, but for those that the kernel makes."""
    (link,) = json.loads(node.must("ip", "-json", "address", "show", "dev", interface))
    return {f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one["scope"] != "link"}


def add(node: Namespace, *those: str, interface: str = "eth0") -> None:
    for one in those:
        node.must("ip", "address", "add", one, "dev", interface, *(["nodad"] if ":" in one else []))


OWN = {"10.78.0.1/16", "fd78::1/64"}


def test_vips_of_each_length_are_taken_off_and_nothing_else(node: Namespace) -> None:
    add(node, "10.78.1.1/32", "10.78.1.2/16", "10.79.1.3/24", "10.78.1.9/32", "fd78::1:1/64", "fd78::1:9/128")
    add(node, "10.78.1.3/32", interface="lo")
    said = remove(node, *VIPS)
    assert said == [
        "10.78.1.1/32, 10.78.1.2/16 and fd78::1:1/64 were left on eth0 by a Keepalived that was killed, and were "
        "removed"
    ]
    assert addresses(node) == {*OWN, "10.79.1.3/24", "10.78.1.9/32", "fd78::1:9/128"}
    assert "10.78.1.3/32" in addresses(node, "lo")
    assert remove(node, *VIPS) == []


def test_an_address_that_others_hang_from_or_that_is_the_nodes_only_one_stays(node: Namespace) -> None:
    add(node, "10.90.1.1/24", "10.90.1.2/24")
    said = remove(node, "10.90.1.1")
    assert said == [
        "10.90.1.1/24 stays on eth0: other addresses of its subnet would go with it; take it off, or out of the VIPs"
    ]
    node.must("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth2")
    add(node, "10.91.0.1/24", interface="eth1")
    (line,) = remove(node, "10.91.0.1", interface="eth1")
    assert line.startswith("10.91.0.1/24 stays on eth1: it is the only one there of its family")
    assert addresses(node) == {*OWN, "10.90.1.1/24", "10.90.1.2/24"}


def test_vips_that_left_the_configuration_are_taken_off_as_well_with_a_state_directory(node: Namespace) -> None:
    directory = "/run/state"
    node.must("mkdir", "-m", "0755", directory)
    call(node, "remember", directory, "eth0", "10.78.1.1", "10.78.1.2")
    call(node, "remember", directory, "eth0", "10.78.1.2")
    add(node, "10.78.1.1/32", "10.78.1.2/32", "10.78.1.3/32")
    assert len(remove(node, "10.78.1.2", directory=directory)) == 1
    assert addresses(node) == {*OWN, "10.78.1.3/32"}
    # What is served no more, and was taken off, is forgotten: it may be anybody's then.
    assert remove(node, "10.78.1.2", directory=directory) == []
    add(node, "10.78.1.1/32")
    assert remove(node, "10.78.1.2", directory=directory) == []
    assert "10.78.1.1/32" in addresses(node)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"eth0": 7}', '{"eth0": ["10.78.0.1", "x"]}', '{"eth0": ["127.0.0.1"]}', "[" * 100_000, "\xff"],
    ids=["empty", "a list", "a number", "a word", "the loopback", "deep", "no text"],
)
def test_a_file_of_nonsense_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / leftovers.NAME).write_text(text)
    leftovers.remember(str(tmp_path), ["10.78.1.1"], "eth0")
    assert json.loads((tmp_path / leftovers.NAME).read_text()) == {"eth0": ["10.78.1.1"]}


def test_a_file_that_others_may_write_is_none(node: Namespace) -> None:
    node.must("mkdir", "-m", "0755", "/run/state")
    file: Path = node.path("/run/state/vips.json")
    file.write_text('{"eth0": ["10.78.1.9"]}')
    file.chmod(0o666)
    add(node, "10.78.1.9/32")
    assert remove(node, "10.78.1.1", directory="/run/state") == []
    assert "10.78.1.9/32" in addresses(node)


def test_an_interface_that_is_not_there_has_none(node: Namespace) -> None:
    assert remove(node, *VIPS, interface="eth9") == []


def test_without_net_admin_it_is_told(node: Namespace) -> None:
    add(node, "10.78.1.1/32")
    no_right = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", "env", f"PYTHONPATH={ROOT}")
    said = json.loads(node.must(*no_right, sys.executable, "-c", REMOVE, "remove", "", "eth0", "10.78.1.1"))
    assert said == ["10.78.1.1/32 cannot be removed from eth0: Operation not permitted; it has two owners soon"]


def test_a_keepalived_that_serves_vips_keeps_them_and_another_does_not() -> None:
    with nodes(1) as cluster:
        (node,) = cluster.nodes.values()
        fast = {"VRRP_VERSION": "3", "ADVERT_INT": "0.1"}
        found = served(
            {"CONFIG_NAME": "one", "VIRTUAL_IPS": "10.78.1.1-4", "VIP_GROUPS": "2", "NODES": "node-1", **fast}
        )
        node.configure(found.files_of(node))
        node.start_keepalived()
        cluster.wait_for_each(found.ids, lambda owners: len(owners) == 1)
        (line,) = remove(node, "10.78.1.1", "10.78.1.2", "10.78.1.3", "10.78.1.4")
        assert "stay on this node: a Keepalived runs here (process " in line
        assert {f"10.78.1.{number}/32" for number in range(1, 5)} <= addresses(node)
        # Of another configuration on the same node, whose Keepalived was killed.
        node.must("ip", "address", "add", "10.78.2.1/32", "dev", "eth0")
        assert remove(node, "10.78.2.1") == [
            "10.78.2.1/32 was left on eth0 by a Keepalived that was killed, and was removed"
        ]
        node.kill_keepalived()
        wait_until("its sockets are gone", lambda: "0070" not in node.must("cat", "/proc/net/raw"))
        said = remove(node, *found.ids)
        assert said == [
            "10.78.1.1/32, 10.78.1.2/32, 10.78.1.3/32 and 1 more were left on eth0 by a Keepalived that was killed, "
            "and were removed"
        ]
        assert addresses(node) == {"10.78.0.1/16", "fd78::1/64"}
