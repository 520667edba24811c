"""Nodes with real Keepalived and an agent each on one segment, and when each agent says what is wrong there."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.failover.bridge import plug
from tests.failover.namespace import PATIENCE, Namespace, namespace, wait_until
from tests.ipfailover.cluster import NODE_SETUP, Cluster, Node, nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.failover.namespace import Process

ROOT = Path(__file__).parents[2]
HACHECK = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "hachecks")
NAME = "wire"
FILES = ("--state-dir", "/run/hacheck", "--keepalived-config", f"/run/configurations/{NAME}/keepalived.conf")
"""What a command on a node is told of it."""
VIP4, VIP6 = "10.78.1.1", "fd78::1:1"
CONF = """
global_defs {{
    vrrp_notify_fifo /run/fifo
    vrrp_startup_delay 0
    {more_global}
}}
track_file drain_all {{
    file "/run/drains/all"
    weight -41
    init_file 0
}}
vrrp_instance V4 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    version 2
    advert_int 1
    {more}
    track_file {{
        drain_all
    }}
    virtual_ipaddress {{
        10.78.1.1/32
    }}
}}
vrrp_instance V6 {{
    state BACKUP
    interface eth0
    virtual_router_id 52
    priority {priority}
    version 3
    advert_int 0.25
    {more}
    track_file {{
        drain_all
    }}
    virtual_ipaddress {{
        fd78::1:1/128
    }}
}}
"""


class Watching:
    """The agent of a node, and what it has told, each line with its instant of the monotonic clock."""

    def __init__(self, node: Node | Namespace, options: tuple[str, ...] = ()) -> None:
        self.node = node
        self.lines: list[tuple[float, str]] = []
        self.process: Process = node.start(
            *HACHECK, "agent", "--listen", "127.0.0.1:10112", *FILES, "--fifo", "/run/fifo",
            "--config", "/run/hacheck.toml", *options, heard=lambda line: self.lines.append((time.monotonic(), line)),
        )  # fmt: skip

    def told(self) -> list[str]:
        """Sentences about the segment."""
        return [line for _, line in self.lines if line.startswith("hacheck: agent: V")]

    def wait_for(self, *words: str, since: float = 0.0, within: float = PATIENCE) -> float:
        """When it first said all of these words in one line, since an instant."""
        found: list[float] = []

        def said() -> bool:
            found[:] = [at for at, line in self.lines if at >= since and all(word in line for word in words)]
            return bool(found)

        try:
            wait_until(f"it tells {words}", said, within)
        except TimeoutError:
            raise TimeoutError(f"{words}: {[line for _, line in self.lines]}") from None
        return found[0]

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.node.must("curl", "-sS", "http://127.0.0.1:10112/api/status"))
        return found

    def get(self, path: str) -> str:
        return self.node.must("curl", "-sS", f"http://127.0.0.1:10112/{path}")

    def value(self, name: str) -> float:
        """One of its metrics that has no labels."""
        return float(next(line for line in self.get("metrics").splitlines() if line.startswith(f"{name} ")).split()[-1])

    def conflicts(self) -> dict[str, float]:
        """Its metric."""
        begin = "hachecks_vrrp_wire_conflicts{kind="
        rows = [line for line in self.get("metrics").splitlines() if line.startswith(begin)]
        return {row[len(begin) + 1 :].partition('"')[0]: float(row.split()[-1]) for row in rows}


class Segment:
    """The cluster, and its agents by the nodes' names."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.agents: dict[str, Watching] = {}

    @property
    def all_told(self) -> list[str]:
        return [f"{name}: {line}" for name, agent in self.agents.items() for line in agent.told()]

    def owner_since(self, vip: str, node: str) -> float:
        """When a node last came to have a VIP."""
        return [change.at for change in self.cluster.owners.history if change.vip == vip and node in change.owners][-1]


@contextmanager
def segment(count: int = 3, conf: str = CONF, **words: str) -> Iterator[Segment]:
    """So many nodes, of which the first is MASTER of both VIPs, and agents that have learned that."""
    with nodes(count) as cluster:
        found = Segment(cluster)
        files = {}
        for number, node in enumerate(cluster.nodes.values()):
            node.must("mkfifo", "-m", "600", "/run/fifo")
            node.must("mkdir", "-m", "755", "/run/drains")
            text = conf.format(**{"priority": str(250 - number), "more": "", "more_global": "", **words})
            files[node.name] = {NAME: text}
            node.configure(files[node.name])
            found.agents[node.name] = Watching(node)
        for agent in found.agents.values():
            agent.wait_for("serving")
        cluster.start(files)
        cluster.wait_for_owners({VIP4: "node-1", VIP6: "node-1"})
        for name, agent in found.agents.items():
            state = "MASTER" if name == "node-1" else "BACKUP"
            wait_until(f"the agent of {name} knows", partial(knows, agent, state), every=0.2)
        yield found


def knows(agent: Watching, state: str) -> bool:
    """Whether an agent takes all instances for being in this state."""
    return {one["state"] for one in agent.status()["instances"]} == {state}


@contextmanager
def stranger(cluster: Cluster, *addresses: str) -> Iterator[Namespace]:
    """Somebody else on the segment."""
    with namespace(NODE_SETUP) as found:
        plug(found, cluster.switch, "stranger", *addresses)
        yield found
