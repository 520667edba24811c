"""How long was the client without service?  The same faults on nodes with the agent, and on OpenShift's."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .agents import ASKING, agent_nodes
from .cluster import several_nodes
from .timeline import NotSeen
from .web import BREAKAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .agents import AgentCluster
    from .cluster import Cluster, Node

# OpenShift's own check. It says /bin/bash, which Keepalived 2.3.0 and newer do not run where /bin is a link.
STOCK = "/usr/bin/bash -c '</dev/tcp/{address}/80'"
STOCK_INTERVAL = 2.0
INTERVAL = 0.1
QUIET = 0.3
"""Seconds after the last change in which Keepalived and its notify scripts come to rest."""
PATIENCE = 20.0


class AgentNodes:
    """Nodes with the agent: whichever serves is broken, and the VIP stays where it goes."""

    def __init__(self, cluster: AgentCluster) -> None:
        self.cluster = cluster

    def outage(self, breakage: str, within: float = PATIENCE) -> float | None:
        """Break the service of the node that has the VIP; returns the seconds without a good answer, and repairs it.

        None where nobody else serves within so many seconds.
        """
        broken = self.cluster.wait_until_served()
        self.cluster.wait_until_well(broken, "watched", lambda agent: agent.watches)
        time.sleep(QUIET + random.random() * INTERVAL)
        found = _outage(self.cluster, broken, breakage, within)
        broken.web.repair()
        self.cluster.wait_until_well(broken, "well again", lambda agent: agent.published == "0" and agent.guard_passes)
        return found


class StockNodes:
    """Two nodes as OpenShift configures them: the first is broken, and takes its VIP back."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def outage(self, breakage: str, within: float = PATIENCE) -> float | None:
        """The same."""
        time.sleep(QUIET + random.random() * STOCK_INTERVAL)
        broken = self.cluster.a
        found = _outage(self.cluster, broken, breakage, within)
        repaired = time.monotonic()
        broken.web.repair()
        self.cluster.wait_for_answers(broken, since=repaired)
        return found


def _outage(cluster: Cluster, broken: Node, breakage: str, within: float) -> float | None:
    began = time.monotonic()
    BREAKAGES[breakage](broken.web)
    try:
        cluster.timeline.wait(
            "another node answers",
            lambda seen: seen.node == "client" and "answers" in seen.text and not seen.text.startswith(broken.name),
            since=began,
            within=within,
        )
    except NotSeen:
        return None
    return cluster.service.outage(since=began)


@contextmanager
def agents() -> Iterator[AgentNodes]:
    """Three nodes with the agent, one of which serves."""
    with agent_nodes(3) as cluster:
        yield AgentNodes(cluster)


@contextmanager
def stock() -> Iterator[StockNodes]:
    """Two nodes as OpenShift configures them, asked as often."""
    with several_nodes(2, {}, asking=ASKING) as cluster, cluster.keepalived(STOCK):
        yield StockNodes(cluster)
