"""Three nodes with real Keepalived and an agent each: one page tells of all, and of a split within two seconds."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import missing as browser_missing
from tests.failover.bridge import plug
from tests.failover.namespace import PATIENCE, wait_until
from tests.failover.requirements import EXECUTABLE, missing
from tests.ipfailover.cluster import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ipfailover.cluster import Cluster, Node

pytestmark = [pytest.mark.failover, pytest.mark.executable, pytest.mark.serial]

VIPS = ("10.78.1.1", "10.78.1.2")
PORT = 10112
TOLD_WITHIN = 2.0
"""Seconds after a second node has taken a VIP: nodes are asked each second, and this one at once; so is the page."""
INSTANCE = """vrrp_instance VI_{number} {{
  state BACKUP
  interface eth0
  virtual_router_id {number}
  priority {priority}
  advert_int 0.1
  virtual_ipaddress {{
    {vip}/32
  }}
  notify "sh {executable} notify"
}}
"""
GLOBAL = "global_defs {\n  script_user root\n  vrrp_version 3\n}\n"
WELL, SPLIT = "All 2 VIPs are served once", "All 2 VIPs are served twice"


def configuration(rank: int) -> str:
    """Each VIP is on its own first node."""
    return GLOBAL + "".join(
        INSTANCE.format(number=number, priority=254 - (rank + number) % 3, vip=vip, executable=EXECUTABLE)
        for number, vip in enumerate(VIPS, 1)
    )


class Observed:
    """A node with an agent, which the others reach by an eth1 on a segment that no VRRP goes over."""

    def __init__(self, node: Node, urls: list[str]) -> None:
        self.node = node
        self.lines: list[str] = []
        node.path("/run/hacheck").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "hachecks", "agent", "--listen", f":{PORT}", "--node-name", node.name]
        command += ["--keepalived-config", "/run/configurations/main/keepalived.conf", "--config", "/run/hacheck.toml"]
        node.path("/run/hacheck.toml").write_text('[check.web]\nprobe = "file"\npath = "/dev/null"\n')
        self.process = node.start(*command, *(w for url in urls for w in ("--peer", url)), heard=self.lines.append)

    @property
    def group(self) -> dict[str, Any]:
        asked = ["curl", "--silent", "--max-time", "2", f"http://127.0.0.1:{PORT}/api/status"]
        found = json.loads(self.node.run(*asked).stdout or "{}").get("group")
        return dict(found or {"headline": "", "well": False, "nodes": []})

    def until(
        self, what: str, headline: str, well: bool | None = None, silent: tuple[str, ...] | None = None
    ) -> dict[str, Any]:
        """Wait until the group is like that; `silent` is why each node that is silent is so."""
        seen = [self.group]

        def told() -> bool:
            seen.append(self.group)
            why = sorted(one["trouble"] for one in seen[-1]["nodes"] if one["trouble"])
            return bool(
                seen[-1]["headline"] == headline
                and well in (None, seen[-1]["well"])
                and (silent is None or why == sorted(silent))
            )

        try:
            wait_until(f"{self.node.name}: {what}", told)
        except TimeoutError as error:
            raise AssertionError(f"{error}: {json.dumps(seen[-1], indent=1)}\n" + "\n".join(self.lines)) from None
        return seen[-1]

    def owners(self) -> dict[str, list[str]]:
        return {vip["vip"]: vip["present_on"] for vip in self.group["vips"]}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    lack = missing() or browser_missing()
    if lack:
        pytest.fail(lack) if os.environ.get("CI") else pytest.skip(lack)
    with nodes(3) as found:
        found.switch.must("ip", "link", "add", "bridge1", "type", "bridge")
        found.switch.must("ip", "link", "set", "bridge1", "up")
        for number, node in enumerate(found.nodes.values(), 1):
            plug(node.inside, found.switch, f"m-{node.name}", f"10.79.0.{number}/24", name="eth1", bridge="bridge1")
        yield found


@contextmanager
def watched(node: Node, directory: Path, *headlines: str) -> Iterator[list[dict[str, Any]]]:
    """What a browser on a node sees of its agent's page."""
    seen: list[dict[str, Any]] = []
    script = str(Path(__file__).with_name("watch_group.py"))
    command = [sys.executable, script, str(directory), f"http://127.0.0.1:{PORT}/", *headlines]
    process = node.start(*command, heard=lambda line: seen.append(json.loads(line)))
    try:
        yield seen
    finally:
        process.end()


def test_a_split_is_told_on_one_page_within_two_seconds(cluster: Cluster, tmp_path: Path) -> None:
    urls = [f"http://10.79.0.{number}:{PORT}/" for number in (1, 2, 3)]
    all_nodes = list(cluster.nodes.values())
    agents = [Observed(node, urls) for node in all_nodes]
    cluster.start({node.name: {"main": configuration(rank)} for rank, node in enumerate(all_nodes)})
    home = {"10.78.1.1": "node-3", "10.78.1.2": "node-2"}
    cluster.wait_for_owners(home)
    for agent in agents:
        agent.until("all is well", WELL, well=True)
        assert agent.owners() == {vip: [node] for vip, node in home.items()}
    words = [word for url in urls for word in ("--url", url)]
    status = [sys.executable, "-m", "hachecks", "status", *words]
    done = all_nodes[0].run(*status)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"3 nodes: {WELL}")
    with watched(all_nodes[0], tmp_path, WELL, SPLIT, WELL) as seen:
        wait_until("the page shows that all is well", lambda: bool(seen))
        assert seen[0].get("seen") == WELL, seen
        for node in all_nodes:
            node.part()
        cluster.wait_for_each(VIPS, lambda owners: len(owners) > 1)
        began = time.monotonic()
        told: dict[str, float] = {}
        while len(told) < 3:
            assert time.monotonic() < began + PATIENCE, told
            for agent in agents:
                if agent.node.name not in told and agent.group["headline"] == SPLIT:
                    told[agent.node.name] = time.monotonic() - began
        wait_until("the page shows the split", lambda: len(seen) > 1)
        assert seen[1].get("seen") == SPLIT, seen
        print(f"told after {told}; on the page after {seen[1]['at'] - began:.2f} s", file=sys.stderr)
        assert max(told.values()) < TOLD_WITHIN, told
        assert seen[1]["at"] - began < TOLD_WITHIN, seen
        assert seen[1]["title"] == "✗ 2 · node-1"
        done = all_nodes[0].run(*status)
        assert done.returncode == 1
        assert "! 10.78.1.1 is served 3 times: by node-1, node-2 and node-3" in done.stdout.splitlines()
        wait_until("the page is judged", lambda: len(seen) > 2)
        assert seen[2]["violations"] == []
        assert "10.78.1.1 is served 3 times: by node-1, node-2 and node-3" in seen[2]["wrong"]
        for node in all_nodes:
            node.join()
        cluster.wait_for_owners(home)
        wait_until("the page shows that all is well again", lambda: len(seen) > 4)
        assert seen[3].get("seen") == WELL, seen
        assert seen[4] == {"seen": "all", "errors": [], "once": True}
    for agent in agents:
        agent.until("all is well again", WELL, well=True)
    agents[0].process.end()
    found = agents[1].until("a node is silent", WELL, well=False, silent=("connection refused",))
    assert found["but"] == ["1 of 3 nodes is silent"]
    cluster.switch.must("ip", "link", "set", "m-node-3", "down")
    found = agents[1].until("nothing is invented", "Not known: whether 1 of 2 VIPs is served")
    silent = {one["node"]: one["trouble"] for one in found["nodes"]}
    assert silent.pop("node-3") in ("no answer within 800 ms", "no route to host")  # the latter after three seconds
    assert silent == {"node-1": "connection refused", "node-2": ""}
    assert not any("Traceback" in line for agent in agents for line in agent.lines)
