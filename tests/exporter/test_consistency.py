"""What is not as it should be is said in words that name it."""

from __future__ import annotations

import pytest

from hachecks.exporter.consistency import expected, mismatch, shared_vips, unspoken
from hachecks.exporter.view import Instance
from hachecks.keepalived.configuration import VirtualAddress, VrrpInstance, family_of, read_text

ADDRESS = "10.0.0.100"


@pytest.mark.parametrize(
    ("state", "runs", "wanted"),
    [
        ("MASTER", True, True),
        ("MASTER", None, True),
        ("BACKUP", True, False),
        ("FAULT", True, False),
        ("STOP", False, False),
        ("UNKNOWN", True, None),
        ("UNKNOWN", None, None),
        ("UNKNOWN", False, False),
    ],
)
def test_a_vip_is_expected_where_its_instance_is_master(state: str, runs: bool | None, wanted: bool | None) -> None:
    assert expected(state, runs) is wanted


@pytest.mark.parametrize(
    ("state", "runs", "there", "said"),
    [
        ("MASTER", True, ["eth0"], ""),
        ("BACKUP", True, [], ""),
        ("MASTER", True, [], "Keepalived says MASTER, but 10.0.0.100 is on no interface"),
        ("BACKUP", True, ["eth0"], "Keepalived says BACKUP, but 10.0.0.100 is on eth0"),
        ("FAULT", None, ["eth0", "vrrp.51"], "Keepalived says FAULT, but 10.0.0.100 is on eth0 and vrrp.51"),
        ("UNKNOWN", False, ["eth0"], "Keepalived does not run, but 10.0.0.100 is still on eth0"),
        ("STOP", False, ["eth0"], "Keepalived does not run, but 10.0.0.100 is still on eth0"),
    ],
)
def test_a_contradiction_is_said_in_one_sentence(state: str, runs: bool | None, there: list[str], said: str) -> None:
    assert mismatch(ADDRESS, state, runs, there, bool(expected(state, runs))) == said


def configured(name: str, vrid: int, address: str, interface: str = "eth0") -> VrrpInstance:
    addresses = (VirtualAddress(address, 32, interface, False),)
    return VrrpInstance(name, interface, vrid, 100, False, addresses, (), family_of(addresses))


def instance(name: str, state: str) -> Instance:
    return Instance(name, "eth0", 51, "ipv4", 100, state, None, None, "", {}, 0.0, ())


def test_who_has_heard_nothing_learns_how_to_hear() -> None:
    (said,) = unspoken([instance("VI_1", "UNKNOWN"), instance("VI_2", "MASTER")], True)
    assert said.startswith("Keepalived has said nothing of VI_1 yet: ")
    assert 'notify "sh /etc/keepalive/hacheck notify"' in said


def test_a_dead_keepalived_is_not_blamed_for_its_silence() -> None:
    assert list(unspoken([instance("VI_1", "UNKNOWN")], False)) == []


def test_many_are_not_all_named() -> None:
    (said,) = unspoken([instance(f"VI_{number}", "UNKNOWN") for number in range(255)], True)
    assert "VI_0, VI_1, VI_2 and 252 more" in said


def test_an_id_that_is_used_twice_is_a_finding_of_the_configuration_and_told_once() -> None:
    block = "vrrp_instance {} {{\n  interface eth0\n  virtual_router_id 51\n  virtual_ipaddress {{\n  {}\n  }}\n}}\n"
    text = block.format("VI_1", "10.0.0.1") + block.format("VI_2", "10.0.0.2")
    found = read_text(text, "keepalived.conf")
    assert len([one for one in found.findings if "virtual_router_id 51 on eth0" in one]) == 1
    assert list(shared_vips(found.instances)) == []


def test_a_vip_of_two_instances_is_told() -> None:
    (said,) = shared_vips([configured("VI_1", 51, ADDRESS), configured("VI_2", 52, ADDRESS)])
    assert said == "10.0.0.100 is a VIP of VI_1 and VI_2: leave it to one of them"
