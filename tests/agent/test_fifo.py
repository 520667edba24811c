"""Keepalived tells of each transition by its script and by its FIFO, and whoever is told hears of it once, in order."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli import ROOT
from tests.failover.namespace import LONELY_NODE, PATIENCE, Namespace, namespace, wait_until
from tests.failover.requirements import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.failover, pytest.mark.executable]

COUNT = 20
GLOBAL = "global_defs {\n    router_id hachecks\n    vrrp_notify_fifo /run/fifo\n}\n"
INSTANCE = """
vrrp_instance VI_{number} {{
    interface eth0
    virtual_router_id {number}
    priority 254
    advert_int 0.1
    version 3
    notify "sh /etc/keepalive/hacheck notify"
    virtual_ipaddress {{
        10.88.1.{number}/32 dev eth0
    }}
}}
"""
CONFIG = '[notifier.told]\nnotifier = "log"\nfile = "/run/told"\nrate = "1ms"\n'
LINE = re.compile(r"INSTANCE (\w+) .*?(MASTER|BACKUP|FAULT|STOP)(?: \(was (\w+)\))?")


@pytest.fixture
def node() -> Iterator[Namespace]:
    lack = missing()
    if lack:
        pytest.skip(lack)
    with namespace(LONELY_NODE) as inside:
        shutil.copy(ROOT / "dist/hacheck", inside.path("/etc/keepalive/hacheck"))
        inside.path("/etc/keepalive/hacheck.toml").write_text(CONFIG)
        instances = "".join(INSTANCE.format(number=number) for number in range(1, COUNT + 1))
        inside.path("/run/keepalived.conf").write_text(GLOBAL + instances)
        yield inside


def told(node: Namespace) -> dict[str, list[tuple[str | None, str]]]:
    """What was told of each instance: the state before, and the state."""
    file = node.path("/run/told")
    found: dict[str, list[tuple[str | None, str]]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        match = LINE.search(line)
        assert match, line
        found.setdefault(match[1], []).append((match[3], match[2]))
    return found


def all_are(node: Namespace, state: str) -> bool:
    now = told(node)
    return len(now) == COUNT and all(changes[-1][1] == state for changes in now.values())


def test_each_transition_is_told_once_and_in_order(node: Namespace) -> None:
    said: list[str] = []
    words = [
        "agent",
        "--listen",
        "127.0.0.1:10112",
        "--fifo",
        "/run/fifo",
        "--keepalived-config",
        "/run/keepalived.conf",
    ]
    node.start("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "hachecks", *words, heard=said.append)
    wait_until(f"it delivers: {said}", node.path("/run/hacheck/delivering").exists)
    keepalived = node.start("keepalived", "-n", "-f", "/run/keepalived.conf")
    wait_until("all are MASTER", lambda: all_are(node, "MASTER"))
    for command, state in (("down", "FAULT"), ("up", "MASTER")):
        node.must("ip", "link", "set", "eth1", command)
        wait_until(f"all are {state}", lambda: all_are(node, state))  # noqa: B023
    keepalived.terminate()
    keepalived.end(within=PATIENCE)
    wait_until("all are told to have stopped", lambda: all_are(node, "STOP"))
    for name, changes in told(node).items():
        assert [before for before, _ in changes] == [None, *(state for _, state in changes[:-1])], (name, changes)
        assert not [change for change in changes if change[0] == change[1]], (name, changes)
        assert [state for _, state in changes if state != "BACKUP"] == ["MASTER", "FAULT", "MASTER", "STOP"], changes
    records = node.path("/run/hacheck/journal").read_bytes().count(b"\x1e")
    assert records > 1.5 * sum(map(len, told(node).values())), "both ways have recorded"
    assert "INSTANCE" not in "".join(said)
