"""What the stock image makes of variables: every case here is what its own generator wrote, and Keepalived did."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from hachecks.ipfailover.stock.node import StockNode
from hachecks.ipfailover.stock.simulation import Simulation, preemption, simulate
from hachecks.ipfailover.variable import version
from tests.ipfailover.given import any_environments, environments, many, variables
from tests.keepalived_dump import addresses_in, blocks, dump_of, fact

if TYPE_CHECKING:
    from pathlib import Path

NODE = StockNode("10.9.0.11", ("eth0", "eth1"), "eno1")


def stock(at: str = "4.14", _node: StockNode | None = NODE, /, **short: str) -> Simulation:
    return simulate(variables(**{"VIRTUAL_IPS": "10.0.0.1-3", **short}), version(at), _node)


def ids(found: Simulation) -> list[int]:
    return [one.id for one in found.instances]


def priorities(found: Simulation) -> list[tuple[int, int] | None]:
    return [one.priority for one in found.instances]


@pytest.mark.parametrize(
    ("at", "first"), [("3.11", 1), ("4.10", 1), ("4.19", 1), ("4.20", 11), ("4.23", 11), ("5.1", 11)]
)
def test_ids_begin_after_the_offset_of_the_version(at: str, first: int) -> None:
    assert ids(stock(at)) == [first, first + 1, first + 2]
    assert ids(stock(at, VRRP_ID_OFFSET="")) == [first, first + 1, first + 2]


@pytest.mark.parametrize(
    ("at", "excluded", "expected"),
    [
        pytest.param("4.10", "2", [1, 2, 3], id="not-yet"),
        pytest.param("4.11", "2", [1, 3, 4], id="shifts-all-that-follow"),
        pytest.param("5.1", " 11\n13 ", [12, 14, 15], id="blanks-and-line-ends-part"),
        pytest.param("4.11", "1,2", [1, 2, 3], id="commas-do-not"),
        pytest.param("4.11", "02", [1, 2, 3], id="a-zero-in-front"),
    ],
)
def test_ids_are_excluded_since_4_11(at: str, excluded: str, expected: list[int]) -> None:
    assert ids(stock(at, HA_EXCLUDED_VRRP_IDS=excluded)) == expected


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("010", [9, 10, 11]),
        ("abc", [1, 2, 3]),
        ("0x10", [17, 18, 19]),
        (" 7 ", [8, 9, 10]),
        ("-1", [0, 1, 2]),
        ("253", [254, 255, 256]),
    ],
)
def test_the_offset_is_reckoned_with_as_bash_does(offset: str, expected: list[int]) -> None:
    assert ids(stock(VRRP_ID_OFFSET=offset)) == expected


@pytest.mark.parametrize("offset", ["08", "1.5", "5 3", "12abc", "$(id)"])
def test_an_error_in_the_sum_leaves_no_instance_and_keepalived_running(offset: str) -> None:
    found = stock(VRRP_ID_OFFSET=offset)
    assert (found.known, found.instances, found.ends, found.served) == (True, (), "", ())
    assert found.text.endswith("interval 2\n}\n\n")


@pytest.mark.parametrize(
    ("text", "runs"), [("a[$(touch /tmp/x)]", True), ("a[`id`]", True), ("a[1]", False), ("2+3", False)]
)
@pytest.mark.parametrize("name", ["VRRP_ID_OFFSET", "REPLICA_COUNT", "VIP_GROUPS"])
def test_what_bash_would_run_or_work_out_is_told_and_never_done(name: str, text: str, runs: bool) -> None:
    found = stock(**{name: text})
    number = found.numbers[f"OPENSHIFT_HA_{name}"]
    assert (found.known, number.value, number.runs, found.instances, found.text) == (False, None, runs, (), "")


def test_an_id_above_255_ends_keepalived_and_every_vip_is_lost() -> None:
    found = stock("4.20", VIRTUAL_IPS="10.0.0.1-254")
    assert (ids(found)[0], ids(found)[-1]) == (11, 264)
    assert "serves no instance at all" in found.ends
    assert found.served == ()
    assert not stock("4.20", VIRTUAL_IPS="10.0.0.1-245").ends
    assert not stock("4.20", VIRTUAL_IPS="10.0.0.1-254", VIP_GROUPS="245").ends


@pytest.mark.parametrize(
    ("groups", "sizes"),
    [
        ("3", [3, 2, 2]),
        ("9", [1] * 7),
        ("", [1] * 7),
        ("-2", [1] * 7),
        ("08", [1] * 7),
        ("010", [1] * 7),
        ("abc", [1] * 7),
    ],
)
def test_groups_are_split_as_bash_divides(groups: str, sizes: list[int]) -> None:
    found = stock(VIRTUAL_IPS="10.0.0.1-7", VIP_GROUPS=groups)
    assert [len(one.written) for one in found.instances] == sizes


@pytest.mark.parametrize(
    ("text", "served"),
    [
        ("10.1.1.1/24", ["10.1.1.124"]),
        ("10.1.1.10/24", []),
        ("3.3.3.3-4  4.4.4.4", ["3.3.3.3", "3.3.3.4"]),
        ("10.1.1.250-10.1.2.5", []),
        ("10.1.1.1-10.1.9.2", ["10.1.1.1", "10.1.1.2"]),
        ("10.2.2.254-257", ["10.2.2.254", "10.2.2.255"]),
        ("10.0.0.1,10.0.0.1,010.0.0.2", ["10.0.0.1"]),
        ("2001:DB8::1-3,2001:DB8::F", ["2001:db8::f"]),
        ("www.example.test", []),
    ],
)
def test_vips_are_lost_without_a_word(text: str, served: list[str]) -> None:
    assert list(stock(VIRTUAL_IPS=text, NETWORK_INTERFACE="eth0").served) == served


def test_a_group_of_both_families_serves_that_of_its_first_vip() -> None:
    found = stock(VIRTUAL_IPS="10.0.0.1,fd00::1", VIP_GROUPS="1")
    assert found.instances[0].written == ("10.0.0.1", "fd00::1")
    assert found.served == ("10.0.0.1",)


@pytest.mark.parametrize(
    ("address", "replicas", "at", "words", "expected"),
    [
        pytest.param("10.9.0.12", "3", "4.14", "", [(243, 243), (13, 13), (243, 243), (13, 13)], id="flip-flop"),
        pytest.param("10.9.0.12", "3", "4.18", "nopreempt", [(243, 243)] * 4, id="no-flip-flop"),
        pytest.param("10.9.0.12", "3", "4.17", "nopreempt", [(243, 243), (13, 13)] * 2, id="not-yet"),
        pytest.param("10.9.0.12", "3", "4.18", "nopreempt ", [(243, 243), (13, 13)] * 2, id="a-blank-is-enough"),
        pytest.param("10.9.0.10", "3", "4.14", "", [(10, 41), (245, 245), (10, 41), (11, 11)], id="by-chance"),
        pytest.param("10.9.0.138", "3", "4.14", "", [(10, 41), (245, 245), (10, 41), (11, 11)], id="modulo-128"),
        pytest.param("10.9.0.128", "3", "4.14", "", [(255, 255), (1, 1)] * 2, id="owner-of-the-address"),
        pytest.param("10.9.0.64", "2", "4.14", "", [(191, 191), (65, 65)] * 2, id="slot-64"),
        pytest.param("10.9.0.65", "2", "4.14", "", [(1, 32), (190, 190), (1, 32), (66, 66)], id="slot-65"),
        pytest.param("10.9.0.64", "5", "4.14", "", [(1, 100)] * 4, id="0-is-100-to-keepalived"),
        pytest.param("", "3", "4.14", "", [(255, 255), (1, 1)] * 2, id="without-an-ipv4-address"),
        pytest.param("10.9.0.10", "08", "4.14", "", [(245, 245), (11, 11)] * 2, id="08-replicas-are-one"),
    ],
)
def test_priorities_come_of_the_nodes_last_octet(
    address: str, replicas: str, at: str, words: str, expected: list[tuple[int, int]]
) -> None:
    node = StockNode(address, ("eth0",))
    found = stock(at, node, VIRTUAL_IPS="10.0.0.1-4", REPLICA_COUNT=replicas, PREEMPTION=words)
    assert priorities(found) == expected


@pytest.mark.parametrize(
    ("wanted", "at", "interfaces", "expected"),
    [
        ("eth0", "4.14", ("eth0", "eth1"), "eth0"),
        ("nope", "4.14", ("eth0", "eth1", "ens3"), "eth1"),
        ("nope", "4.10", ("eth0", "ens3"), "eno1"),
        ("nope", "4.11", ("eth0", "ens3"), "ens3"),
        ("", "4.14", ("eth0",), "eno1"),
        ("nope eth0", "4.14", ("eth0", "eth1"), "eth0"),
    ],
)
def test_an_interface_that_is_not_there_is_silently_another(
    wanted: str, at: str, interfaces: tuple[str, ...], expected: str
) -> None:
    assert stock(at, StockNode("10.9.0.11", interfaces, "eno1"), NETWORK_INTERFACE=wanted).interface == expected


def test_without_an_interface_keepalived_ends() -> None:
    assert "interface lacks its value; Keepalived ends" in stock("4.14", StockNode("", ())).ends


def test_where_no_node_is_known_its_priorities_and_states_are_not() -> None:
    found = stock("4.14", None, NETWORK_INTERFACE="br-ex")
    assert {(one.priority, one.master) for one in found.instances} == {(None, None)}
    assert (found.interface, found.check, found.ends) == ("br-ex", "/bin/bash -c '</dev/tcp/NODE/80'", "")


@pytest.mark.parametrize(
    ("short", "command"),
    [
        ({}, "/bin/bash -c '</dev/tcp/10.9.0.11/80'"),
        ({"MONITOR_PORT": "tcp/8080"}, "/bin/bash -c '</dev/tcp/10.9.0.11/8080'"),
        ({"MONITOR_PORT": "-1"}, "/bin/bash -c '</dev/tcp/10.9.0.11/1'"),
        ({"MONITOR_PORT": "x"}, "/bin/bash -c '</dev/tcp/10.9.0.11/80'"),
        ({"MONITOR_PORT": "0"}, "true"),
        ({"MONITOR_PORT": "0", "CHECK_SCRIPT": "/etc/keepalive/check.sh a"}, "/etc/keepalive/check.sh a"),
    ],
)
def test_the_default_check_asks_a_port_of_the_node(short: dict[str, str], command: str) -> None:
    assert stock(**short).check == command


def test_a_quote_in_a_command_ends_the_text_there() -> None:
    found = stock(CHECK_SCRIPT='sh -c "exit 0"')
    assert 'script "sh -c "exit 0""' in found.text


@pytest.mark.parametrize(
    ("text", "peers"),
    [
        ("", ()),
        ("10.9.0.1,10.9.0.2", ("10.9.0.1", "10.9.0.2")),
        ("a, b,", ("a", " b")),
        (",", ("",)),
        ("a b", ("a b",)),
    ],
)
def test_peers_are_what_stands_between_commas_whatever_use_unicast_says(text: str, peers: tuple[str, ...]) -> None:
    assert stock(UNICAST_PEERS=text, USE_UNICAST="false").peers == peers
    assert ("unicast_peer" in stock(UNICAST_PEERS=text, USE_UNICAST="true").text) == bool(text)


def test_the_name_is_the_password_cut_at_eight() -> None:
    assert stock(CONFIG_NAME="ipf-ha-router").password == stock(CONFIG_NAME="ipf-ha-rabbit").password == "ipf-ha-r"


@pytest.mark.parametrize(
    ("name", "first"), [("ipf-ha.1", "ipf_ha1_VIP_1"), ("x y{", "xy_VIP_1"), ("-n", "_VIP_1"), ("ü", "_VIP_1")]
)
def test_names_are_scrubbed(name: str, first: str) -> None:
    assert stock(CONFIG_NAME=name).instances[0].name == first


@pytest.mark.parametrize(
    ("line", "of_master", "of_others"),
    [
        ("preempt_delay 300", "preempt", "preempt_delay 300"),
        ("nopreempt", "preempt", "nopreempt"),
        ("preempt 300", "preempt", "preempt"),
        ("preempt_nodelay 300", "preempt", "preempt"),
        ("preempt_delay 3000", "preempt", "preempt"),
        ("preempt_delay 300s", "preempt", "preempt"),
    ],
)
def test_what_counts_of_preemption(line: str, of_master: str, of_others: str) -> None:
    assert preemption(line, master=True) == of_master
    assert preemption(line, master=False) == of_others


def test_the_cut_points_of_the_text() -> None:
    assert "max_auto_priority" not in stock("4.15").text
    assert "max_auto_priority    99\n" in stock("4.16").text
    single = StockNode("10.9.0.12", ("eth0",))
    assert [
        stock(at, single, REPLICA_COUNT="3", PREEMPTION="nopreempt").instances[0].master for at in ("4.17", "4.18")
    ] == [
        True,
        False,
    ]


KEEPALIVED = [
    pytest.param({"VIRTUAL_IPS": "10.0.0.1-3,fd00::1,10.0.0.256"}, id="single"),
    pytest.param({"VIRTUAL_IPS": "10.0.0.1-3,fd00::1,10.0.0.1", "VIP_GROUPS": "2"}, id="groups"),
    pytest.param({"UNICAST_PEERS": "10.9.0.1, 10.9.0.2,"}, id="unicast"),
    pytest.param({"PREEMPTION": "nopreempt", "REPLICA_COUNT": "2"}, id="nopreempt"),
    pytest.param({"PREEMPTION": "preempt_nodelay 300", "CONFIG_NAME": "ipf-ha-router"}, id="nodelay"),
    pytest.param({"PREEMPTION": "preempt 300", "NOTIFY_SCRIPT": "/bin/true", "REPLICA_COUNT": "2"}, id="preempt-300"),
    pytest.param({"PREEMPTION": "preempt_delay 300s", "REPLICA_COUNT": "2"}, id="no-seconds"),
    pytest.param({"PREEMPTION": "preempt_delay", "REPLICA_COUNT": "2"}, id="no-number-ends-it"),
    pytest.param({"VRRP_ID_OFFSET": "253"}, id="ids-above-255"),
    pytest.param({"VRRP_ID_OFFSET": "08"}, id="no-instance"),
    pytest.param({"REPLICA_COUNT": "5"}, id="chance"),
]


@pytest.mark.parametrize("short", KEEPALIVED)
@pytest.mark.parametrize("at", ["4.14", "5.1"])
def test_keepalived_makes_of_the_text_what_is_said(short: dict[str, str], at: str, tmp_path: Path) -> None:
    found = stock(at, StockNode("10.9.0.11", ("eth0",)), NETWORK_INTERFACE="eth0", **short)
    (tmp_path / "keepalived.conf").write_text(found.text)
    dump = dump_of(tmp_path)
    assert (dump is None) == bool(found.ends)
    if dump is None:
        return
    theirs = blocks(dump, "Instance")
    assert list(theirs) == ([one.name for one in found.instances] if dump else [])
    for one in found.instances:
        block = theirs[one.name]
        assert int(fact(block, "Virtual Router ID")) == one.id
        assert tuple(address for address, _, _ in addresses_in(block, r"Virtual IP \(")) == one.vips
        assert one.priority is not None
        assert one.priority[0] <= int(fact(block, "Priority")) <= one.priority[1]
        assert _preemption(block) == one.preemption
        assert ("Using unicast" in block) == any(peer.strip() for peer in found.peers)


def _preemption(block: str) -> str:
    """What a dump says of preemption, in the words of a configuration."""
    if fact(block, "Preempt") == "disabled":
        return "nopreempt"
    delay = re.search(r"Preempt delay = ([0-9]+)", block)
    return f"preempt_delay {delay[1]}" if delay and int(delay[1]) else "preempt"


@many
@given(environments | any_environments)
def test_any_environment_is_survived_on_every_version(environ: dict[str, str]) -> None:
    for at in ((3, 11), (4, 12), (4, 18), (5, 1)):
        found = simulate(environ, at, NODE)
        assert bool(found.text) == found.known
        assert {vip for one in found.instances for vip in one.vips} >= set(found.served)
