"""Nodes as configmaps/agent.env has them: the agent beside Keepalived, which is told by a track file.

Everything is the example's own: `hacheck ipfailover render` writes the keepalived.conf of each node from it, and
configmaps/hacheck-agent.toml is the hacheck.toml.  Only the VIPs and the interface are those of these nodes.

    with agent_nodes(3) as cluster:
        cluster.nodes[0].agent.kill()
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .cluster import VIP, Cluster, Node, several_nodes
from .namespace import wait_until
from .requirements import EXECUTABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .namespace import Process

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "configmaps" / "agent.env"
CHECKS = ROOT / "configmaps" / "hacheck-agent.toml"
GUARD = "sh /etc/keepalive/hacheck run router"
TRACK_FILE = "/run/hacheck/track/router"
WATCHED = 'hachecks_watch_connections{check="router"} 1'
HACHECK = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "hachecks")
ASKING = (0.005, 0.2)
"""Every 5 ms, and nobody waits longer than 200 ms: a hang does not stop the series."""


class Agent:
    """`hacheck agent` on a node, as a service that is started and ends."""

    def __init__(self, node: Node, options: Sequence[str] = ()) -> None:
        self.node = node
        self.options = tuple(options)
        self.told: list[str] = []
        self.process: Process | None = None

    def start(self) -> None:
        """Start it."""
        argv = (*HACHECK, "agent", "--listen", "127.0.0.1:10112", "--node-name", self.node.name, *self.options)
        self.process = self.node.start(*argv, "--keepalived-config", "/run/keepalived.conf", heard=self.told.append)

    def kill(self) -> None:
        """SIGKILL."""
        if self.process:
            self.process.end()

    def hang(self) -> None:
        """SIGSTOP."""
        if self.process:
            self.process.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        if self.process:
            self.process.signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM, and wait for its end."""
        if self.process:
            self.process.terminate()
            self.process.end(within=5.0)

    @property
    def published(self) -> str:
        """What the track file says; nothing where it is not there."""
        path = self.node.path(TRACK_FILE)
        return path.read_text().strip() if path.exists() else ""

    @property
    def watches(self) -> bool:
        """Whether it holds a connection whose end it would notice at once: none is opened right after one has ended."""
        metrics = self.node.run("curl", "--silent", "--max-time", "1", "http://127.0.0.1:10112/metrics").stdout
        return WATCHED in metrics.splitlines()

    @property
    def guard_passes(self) -> bool:
        """Whether Keepalived's own check passes."""
        return self.node.check(GUARD).returncode == 0


class AgentCluster(Cluster):
    """Nodes with the agent, each by its node's name."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.nodes, cluster.service, cluster.timeline)
        self.agents = {node.name: Agent(node) for node in self.nodes}

    def wait_until_well(self, node: Node, what: str, well: Callable[[Agent], bool]) -> None:
        """See it be true of the agent of a node."""
        agent = self.agents[node.name]
        wait_until(f"{node.name}: {what}; {agent.told}", lambda: well(agent))

    def wait_until_served(self, node: Node | None = None) -> Node:
        """See exactly one node have the VIP, serve the client, and all others be ready to take over; returns it."""
        began = time.monotonic()
        holders: list[Node] = []

        def is_one() -> bool:
            holders[:] = [one for one in self.nodes if one.has_vip]
            return len(holders) == 1

        wait_until("one node has the VIP", is_one)
        (master,) = holders
        if node and master is not node:
            raise AssertionError(f"{master.name} has the VIP, and not {node.name}\n{self.timeline.told()}")
        self.wait_for_answers(master, since=began)
        return master


@contextmanager
def agent_nodes(
    count: int = 3, *, asking: Sequence[float] = ASKING, vips: str = VIP, fifo: str = ""
) -> Iterator[AgentCluster]:
    """So many nodes on which the agent and Keepalived run, when one serves; `fifo` is where Keepalived says it too."""
    files = {"hacheck": EXECUTABLE.read_bytes(), "hacheck.toml": CHECKS.read_bytes()}
    with several_nodes(count, files, asking=asking) as plain:
        cluster = AgentCluster(plain)
        for agent in cluster.agents.values():
            agent.node.path(TRACK_FILE).parent.mkdir(parents=True)
            if fifo:
                os.mkfifo(agent.node.path(fifo))
            agent.start()
        try:
            for node in cluster.nodes:
                cluster.wait_until_well(node, "its guard passes", lambda agent: agent.guard_passes)
                node.run_keepalived(rendered(node.name, vips, fifo))
            for node in cluster.nodes:
                cluster.wait_until_well(node, "Keepalived may take a VIP", lambda agent: agent.published == "0")
            cluster.wait_until_served()
            yield cluster
        finally:
            cluster.end_keepalived()


def rendered(node: str, vips: str = VIP, fifo: str = "") -> str:
    """The keepalived.conf of a node, as the example has it."""
    words = ("ipfailover", "render", "--env-file", str(EXAMPLE), "--node", node)
    done = subprocess.run(
        [*HACHECK, *words, "--virtual-ips", vips, "--interface", "eth0"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.replace("global_defs {", f"global_defs {{\n    vrrp_notify_fifo {fifo}") if fifo else done.stdout
