"""One virtual_router_id may serve two instances of a network if they are of two families; each VMAC has one name."""

from __future__ import annotations

import pytest

from hachecks.keepalived.configuration import Configuration, read_text

BLOCK = """vrrp_instance {name} {{
  interface {interface}
  {vmac}
  virtual_router_id 51
  priority 100
  {peers}
  virtual_ipaddress {{
    {vip}
  }}
}}
"""


def configured(*instances: tuple[str, str, str], vmac: str = "", peers: str = "") -> Configuration:
    """Instances of these names, interfaces and VIPs."""
    blocks = (BLOCK.format(name=name, interface=interface, vip=vip, vmac=vmac, peers=peers)
              for name, interface, vip in instances)  # fmt: skip
    return read_text("".join(blocks), "keepalived.conf")


def conflicts(found: Configuration) -> list[str]:
    return [one for one in found.findings if "virtual_router_id 51" in one]


@pytest.mark.parametrize("peers", ["", "unicast_peer {\n10.0.0.9\n}"])
def test_two_instances_of_one_family_and_network_conflict(peers: str) -> None:
    (said,) = conflicts(configured(("A", "eth0", "10.0.0.1"), ("B", "eth0", "10.0.0.2"), peers=peers))
    assert "it has virtual_router_id 51 on eth0, as A has" in said


def test_those_of_two_families_or_networks_do_not() -> None:
    assert conflicts(configured(("A", "eth0", "10.0.0.1"), ("B", "eth0", "2001:db8::1"))) == []
    assert conflicts(configured(("A", "eth0", "10.0.0.1"), ("B", "eth1", "10.0.0.2"))) == []


def test_vmacs_of_one_id_have_names_of_their_own() -> None:
    found = configured(
        ("A", "eth0", "10.0.0.1"), ("B", "eth0", "2001:db8::1"), ("C", "eth1", "10.0.0.2"), vmac="use_vmac"
    )
    assert [vip.interface for one in found.instances for vip in one.addresses] == ["vrrp.51", "vrrp6.51", "vrrp1.51"]
