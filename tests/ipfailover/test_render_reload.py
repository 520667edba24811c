"""A running Keepalived takes what is rendered in place of any other file, by a reload, and runs on."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from hachecks.ipfailover.stock.node import StockNode
from hachecks.ipfailover.stock.simulation import simulate
from hachecks.ipfailover.variable import version
from tests.failover.namespace import namespace, wait_until
from tests.failover.requirements import missing_command
from tests.ipfailover.given import variables
from tests.ipfailover.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.failover.namespace import Namespace

LACKING = missing_command("ip", "keepalived", "nsenter", "setpriv", "unshare")
pytestmark = pytest.mark.skipif(LACKING is not None, reason=LACKING or "")

SETUP = """
mount -t tmpfs tmpfs /run
ip link add eth0 type veth peer name other
ip link set eth0 up
ip link set other up
ip addr add 10.9.0.1/24 dev eth0
"""
STOCK = {"VIRTUAL_IPS": "10.0.0.1", "NETWORK_INTERFACE": "eth0", "MONITOR_PORT": "0"}


@pytest.fixture
def machine() -> Iterator[Namespace]:
    """A machine with an eth0."""
    with namespace(SETUP) as inside:
        yield inside


def of_stock() -> str:
    """A file of the stock image, with which Keepalived finds fault."""
    return simulate(variables(**STOCK), version("4.19"), StockNode("10.9.0.1", ("eth0",), "eth0")).text


def test_a_vip_that_gets_an_id_in_use_is_lost_by_a_reload_which_is_why_migrate_refuses_it(
    machine: Namespace, tmp_path: Path
) -> None:
    conf, said = tmp_path / "keepalived.conf", list[str]()
    first, second = (
        render({"VIRTUAL_IPS": vips, "MONITOR_PORT": "0"}) for vips in ("10.9.0.8,10.9.0.9", "10.9.0.9,10.9.0.8")
    )
    conf.write_text(first)
    process = machine.start(
        "keepalived", "-n", "-l", "-D", "-f", str(conf), "-p", "/run/pid", "-r", "/run/vrrp", heard=said.append
    )

    def is_there(vip: str) -> bool:
        return f" {vip}/" in machine.must("ip", "-4", "-o", "address", "show", "dev", "eth0")

    wait_until("it has both", lambda: is_there("10.9.0.8") and is_there("10.9.0.9"))
    conf.write_text(second)
    process.tell(signal.SIGHUP)
    wait_until("one has gone", lambda: any("10.9.0.9/32 dev eth0, no longer exist" in line for line in said))
    wait_until("the other is there", lambda: is_there("10.9.0.8"))
    assert not is_there("10.9.0.9"), "this Keepalived exchanges ids, and migrate need not refuse that"


@pytest.mark.parametrize("first", ["stock", "plain", "with lines"])
def test_keepalived_runs_on_after_each_reload(machine: Namespace, tmp_path: Path, first: str) -> None:
    plain, more = render({"MONITOR_PORT": "0"}), render({"MONITOR_PORT": "0", "VERBATIM": "no_accept"})
    texts = {"stock": of_stock(), "plain": plain, "with lines": more}
    conf = tmp_path / "keepalived.conf"
    said: list[str] = []
    conf.write_text(texts[first])
    words = ("-n", "-l", "-f", str(conf), "-p", "/run/pid", "-r", "/run/vrrp")
    process = machine.start("keepalived", *words, heard=said.append)
    wait_until("it has started", lambda: any("Startup complete" in line for line in said))
    for number, text in enumerate((plain, more, plain, more), 1):
        conf.write_text(text)
        process.tell(signal.SIGHUP)
        wait_until("it has reloaded", lambda: sum("Reload complete" in line for line in said) == number)  # noqa: B023
    assert process.running
    assert [line for line in said if "exited" in line or "orrupt" in line] == []
