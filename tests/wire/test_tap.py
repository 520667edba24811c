"""One socket hears the adverts of real Keepalived on every interface, and who answers, and nothing else reaches it."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.failover.bridge import SETUP, plug
from tests.failover.namespace import namespace, wait_until
from tests.ipfailover.cluster import NODE_SETUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.failover.namespace import Namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces")

HEARING, STRANGER = (str(Path(__file__).with_name(name)) for name in ("hearing.py", "stranger.py"))
ROOT = str(Path(__file__).parents[2])
INSTANCE = """
vrrp_instance {name} {{
    state BACKUP
    interface eth0
    virtual_router_id {id}
    priority {priority}
    version {version}
    advert_int {interval}
    virtual_ipaddress {{
        {vip}
    }}
    {more}
}}
"""
UNICAST = "unicast_src_ip {own}\n unicast_peer {{\n {peer}\n }}"


def conf() -> str:
    """Both versions, both families, to the group and to one peer."""
    plain = {"interval": "1", "more": "", "priority": 100}
    password = "authentication {\n auth_type PASS\n auth_pass secret\n }"
    to_peer = UNICAST.format(own="10.78.0.2", peer="10.78.0.1")
    to_peer_6 = UNICAST.format(own="fd78::2", peer="fd78::1")
    return "global_defs {\n vrrp_garp_master_repeat 1\n}\n" + "".join(
        INSTANCE.format(**{**plain, **one})
        for one in (
            {"name": "old", "id": 1, "version": 2, "vip": "10.78.1.1/32", "more": password},
            {"name": "new", "id": 2, "version": 3, "vip": "10.78.1.2/32", "interval": "0.1", "priority": 254},
            {"name": "six", "id": 3, "version": 3, "vip": "fd78::1:3/128", "interval": "0.25"},
            {"name": "peer", "id": 4, "version": 3, "vip": "10.78.1.4/32", "more": to_peer},
            {"name": "peer6", "id": 5, "version": 3, "vip": "fd78::1:5/128", "more": to_peer_6},
        )
    )


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Two nodes on a segment, of which the second has Keepalived."""
    with namespace(SETUP) as switch, namespace() as one, namespace(NODE_SETUP) as other:
        plug(one, switch, "one", "10.78.0.1/16", "fd78::1/64", "fe80::1/64")
        plug(other, switch, "other", "10.78.0.2/16", "fd78::2/64", "fe80::2/64")
        other.path("/run/keepalived.conf").write_text(conf())
        other.start("keepalived", "-n", "-l", "-f", "/run/keepalived.conf", "-p", "/run/pid", "-r", "/run/vrrp.pid")
        yield one, other


@contextmanager
def hearing(node: Namespace, *asked: str, interpreter: str = sys.executable) -> Iterator[list[dict[str, Any]]]:
    """What is heard in the meantime."""
    heard: list[dict[str, Any]] = []
    trouble: list[str] = []

    def take(line: str) -> None:
        try:
            heard.append(json.loads(line))
        except ValueError:
            trouble.append(line)

    process = node.start("env", f"PYTHONPATH={ROOT}", interpreter, HEARING, *asked, heard=take)
    try:
        wait_until(f"it hears {trouble}", lambda: bool(heard))
        yield heard
    finally:
        process.end()


def mac_of(node: Namespace, interface: str = "eth0") -> str:
    return str(json.loads(node.must("ip", "-json", "link", "show", interface))[0]["address"])


def adverts(heard: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {one["id"]: one for one in list(heard) if one["kind"] == "Advert" and one["priority"]}


def test_adverts_of_keepalived_are_heard_in_both_versions_and_families(pair: tuple[Namespace, Namespace]) -> None:
    one, other = pair
    with hearing(one) as heard:
        wait_until("all are heard", lambda: len(adverts(heard)) == 5)
        found = adverts(heard)
    mac = mac_of(other)
    assert all((advert["interface"], advert["mac"]) == ("eth0", mac) for advert in found.values())
    said = {
        number: [
            *(advert[what] for what in ("source", "destination", "family", "version", "priority")),
            *(advert[what] for what in ("addresses", "advert_interval", "auth_type", "password")),
        ]
        for number, advert in found.items()
    }
    assert said == {
        1: ["10.78.0.2", "224.0.0.18", "ipv4", 2, 100, ["10.78.1.1"], 1.0, 1, "secret"],
        2: ["10.78.0.2", "224.0.0.18", "ipv4", 3, 254, ["10.78.1.2"], 0.1, 0, ""],
        3: ["fe80::2", "ff02::12", "ipv6", 3, 100, ["fd78::1:3"], 0.25, 0, ""],
        4: ["10.78.0.2", "10.78.0.1", "ipv4", 3, 100, ["10.78.1.4"], 1.0, 0, ""],
        5: ["fd78::2", "fd78::1", "ipv6", 3, 100, ["fd78::1:5"], 1.0, 0, ""],
    }


def test_who_has_an_address_answers_on_the_same_socket(pair: tuple[Namespace, Namespace]) -> None:
    one, other = pair
    asked = ["10.78.0.2", "fd78::2", "10.78.1.1", "fd78::1:3"]
    with hearing(one, *(f"{address}@eth0" for address in asked), "10.78.9.9@eth0", "fd78::9:9@eth0") as heard:

        def answered() -> set[str]:
            return {said["address"] for said in list(heard) if said["kind"] == "Answer" and said["asked"]}

        wait_until("all have answered", lambda: answered() >= set(asked))
        assert answered() == set(asked)
    mac = mac_of(other)
    assert {said["mac"] for said in heard if said["kind"] == "Answer"} == {mac}


def test_an_interface_that_cannot_ask_says_why(pair: tuple[Namespace, Namespace]) -> None:
    with hearing(pair[0], "10.78.0.2@eth9", "fd78::2@lo") as heard:
        wait_until("it has asked", lambda: sum(one["kind"] == "trouble" for one in heard) >= 2)
    told = [one["what"] for one in heard if one["kind"] == "trouble"][:2]
    assert told == ["[Errno 19] No such device", "[Errno 99] it has no link-local address of IPv6"]


COUNT = """
import json, socket, struct, time
from hachecks.wire.tap import PACKET_STATISTICS, SOL_PACKET, Tap
tap = Tap()
print("[]", flush=True)
until = time.monotonic() + 60
while time.monotonic() < until:
    for said in tap.hear(0.1):
        if getattr(said, "id", 0) == 7:
            counts = tap._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
            print(json.dumps(struct.unpack("=II", counts)), flush=True)
"""


@pytest.fixture
def strangers() -> Iterator[tuple[Namespace, Namespace]]:
    """Two nodes of their own, of which the first takes in whatever passes by."""
    with namespace(SETUP) as switch, namespace() as one, namespace() as stranger:
        plug(one, switch, "one", "10.79.0.1/24")
        plug(stranger, switch, "stranger", "10.79.0.2/24")
        one.must("ip", "link", "set", "eth0", "promisc", "on")
        yield one, stranger


def say(stranger: Namespace, mode: str) -> None:
    stranger.must("env", f"PYTHONPATH={ROOT}", sys.executable, STRANGER, mode)


def test_nothing_else_reaches_the_socket(strangers: tuple[Namespace, Namespace]) -> None:
    one, stranger = strangers
    counted: list[str] = []
    process = one.start("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", COUNT, heard=counted.append)
    wait_until("the tap is open", lambda: bool(counted))
    say(stranger, "false")
    wait_until("the last packet is heard", lambda: len(counted) > 1)
    process.end()
    # 1600 came before that one; besides it there is what the kernels themselves may advertise.
    got, lost = json.loads(counted[1])
    assert 1 <= got < 20
    assert lost == 0


def test_what_is_of_a_vlan_is_not_of_the_interface_below_it(strangers: tuple[Namespace, Namespace]) -> None:
    one, stranger = strangers
    with hearing(one) as heard:
        say(stranger, "tagged")
        wait_until("the last packets are heard", lambda: set(adverts(heard)) >= {7, 0x34})
    # A tag without a VLAN is a priority, and of the interface itself.
    assert set(adverts(heard)) == {7, 0x34}


FLOODED = """
import json, time
from hachecks.wire.tap import Tap
tap = Tap()
counts, lost = [], 0
until = time.monotonic() + 60
while time.monotonic() < until and (len(counts) < 5 or not lost):
    counts.append(sum(1 for _ in tap.hear(30)))
    time.sleep(0.2)
    lost += tap.lost()
print(json.dumps([counts, lost, len(tap._known)]))
"""


def test_a_segment_that_is_full_ends_the_hearing_and_not_the_process(strangers: tuple[Namespace, Namespace]) -> None:
    one, stranger = strangers
    process = stranger.start("env", f"PYTHONPATH={ROOT}", sys.executable, STRANGER, "flood")
    counts, lost, known = json.loads(one.must("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", FLOODED))
    process.end()
    assert max(counts) <= 1000
    assert lost > 0
    assert known <= 1024


def test_without_the_right_it_says_so() -> None:
    drop = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", "--")
    script = f"import sys; sys.path.insert(0, {ROOT!r}); from hachecks.wire.tap import Tap; Tap()"
    with namespace() as one:
        done = one.run(*drop, sys.executable, "-c", script)
    assert done.stderr.splitlines()[-1] == "PermissionError: [Errno 1] Operation not permitted"
