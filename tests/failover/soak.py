"""Random kills of agent, server and Keepalived on three nodes, and what must hold whenever it is quiet: `make soak`.

    python tests/failover/soak.py [--kills 1000] [--seed N]

A round is a burst of kills (SIGKILL, SIGTERM, or SIGSTOP and SIGCONT a while later) of services that a supervisor
starts again; some rounds leave the servers of one or two nodes broken. Then it is quiet, and within 5 s each VIP has to
be on exactly one node, which is healthy, and the track files have to say what is true. `invariants` has all of it.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    # Run as a file, Python looks for modules beside it and not where the packages are.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.failover.agents import Agent, agent_nodes
from tests.failover.invariants import Broken, Fifos, Invariants
from tests.failover.namespace import wait_until
from tests.failover.requirements import missing
from tests.failover.supervised import Supervised, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.failover.agents import AgentCluster
    from tests.failover.web import Web

VIPS = ("10.77.0.100", "10.77.0.101", "10.77.0.102")
FIFO = "/run/keepalived.fifo"
BURST = (3, 12)
GAP = 0.4
LONGEST_STOP = 1.5
LEAVES_BROKEN, LEAVES_AWAY = 0.5, 0.25
"""The share of rounds in which servers stay broken, and in which an agent stays away."""
SURVIVOR = "node-c"
"""The node whose agent is stopped but never ended: what leaks is seen in it."""
QUIET, QUIET_WITHOUT_AGENT = 5.0, 8.0
"""Seconds in which everything is right again. The guard waits for two answers, which are 2 s from each other."""
PATIENCE = 30.0


class Soak:
    """A cluster, its supervised services, and the dice."""

    def __init__(self, cluster: AgentCluster, fifos: Fifos, seed: int, say: Callable[[str], None]) -> None:
        self.cluster = cluster
        self.dice = random.Random(seed)
        self.say = say
        self.kills = 0
        self.counts: dict[str, int] = {}
        self.took: list[float] = []
        self.took_away: list[float] = []
        self.agents = {node.name: self._agent(cluster.agents[node.name]) for node in cluster.nodes}
        self.webs = {node.name: self._service(node.name, "nginx") for node in cluster.nodes}
        self.keepaliveds = {node.name: self._service(node.name, "keepalived") for node in cluster.nodes}
        self.supervisor = Supervisor([*self.agents.values(), *self.webs.values(), *self.keepaliveds.values()])
        self.invariants = Invariants(cluster, VIPS, fifos, self.agents[SURVIVOR])

    @staticmethod
    def _agent(agent: Agent) -> Supervised:
        return Supervised(f"agent on {agent.node.name}", lambda: agent.process, agent.start)

    def _service(self, name: str, what: str) -> Supervised:
        node = next(node for node in self.cluster.nodes if node.name == name)
        if what == "nginx":
            return Supervised(f"nginx on {name}", lambda: node.web.process, node.web.restart)
        return Supervised(
            f"keepalived on {name}",
            lambda: node.keepalived,
            lambda: node.run_keepalived(node.path("/run/keepalived.conf").read_text()),
        )

    def run(self, kills: int) -> None:
        """Kill so often, and look after each burst; raises `Broken`."""
        began = time.monotonic()
        rounds = 0
        while self.kills < kills:
            rounds += 1
            self.burst(min(self.dice.randint(*BURST), kills - self.kills))
            away = self.leave_away()
            broken = self.leave_broken()
            self.settle(broken, away)
            self.mend(broken, away)
            if rounds % 10 == 0:
                self.say(f"{self.kills} kills in {rounds} rounds, {time.monotonic() - began:.0f} s")
        self.settle({}, [])
        self.supervisor.end()
        self.invariants.check_history()
        self.invariants.check_the_end()

    def burst(self, count: int) -> None:
        """So many kills."""
        for _ in range(count):
            time.sleep(self.dice.random() * GAP)
            service = self.dice.choice(self.supervisor.services)
            ways: list[tuple[str, Callable[[], object]]] = [
                ("SIGSTOP", partial(service.stop, self.dice.random() * LONGEST_STOP))
            ]
            if service is not self.agents[SURVIVOR]:
                ways += [("SIGKILL", service.kill), ("SIGTERM", service.terminate)]
            way, act = self.dice.choice(ways)
            if service in self.keepaliveds.values():
                self.invariants.will_end_keepalived(service.name.split()[-1], way)
            self.supervisor.do(act)
            self.kills += 1
            what = f"{way} {service.name.split()[0]}"
            self.counts[what] = self.counts.get(what, 0) + 1
            self.cluster.timeline.add(service.name.split()[-1], "soak", what)

    def leave_away(self) -> list[str]:
        """End the agent of a node for good, in a quarter of the rounds; returns of which."""
        if self.dice.random() >= LEAVES_AWAY:
            return []
        name = self.dice.choice([name for name in self.agents if name != SURVIVOR])
        self.cluster.timeline.add(name, "soak", "the agent stays away")
        self.agents[name].held = True
        self.supervisor.do(self.agents[name].kill)
        return [name]

    def leave_broken(self) -> dict[str, str]:
        """Break the servers of one or two nodes for good, in half of the rounds; returns which and how."""
        if self.dice.random() >= LEAVES_BROKEN:
            return {}
        names = self.dice.sample(sorted(self.webs), self.dice.randint(1, 2))
        broken = {name: self.dice.choice(("kill", "hang", "500")) for name in names}
        wait_until("all services run", lambda: self.supervisor.all_run, PATIENCE)
        for name, way in broken.items():
            self.cluster.timeline.add(name, "soak", f"stays broken: {way}")
            self.supervisor.do(partial(self._break, name, way))
        return broken

    def _break(self, name: str, way: str) -> None:
        service = self.webs[name]
        if way == "500":
            self._web(name).answer_500()
            return
        service.held = True
        if way == "kill":
            service.process.end()
        else:
            service.stop(0.0)

    def settle(self, broken: dict[str, str], away: list[str]) -> None:
        """Wait until it is quiet, and then see everything hold in time."""
        wait_until(f"all services run; {self.supervisor.complaint}", lambda: self.supervisor.all_run, PATIENCE)
        healthy = [name for name in self.webs if name not in broken]
        took = self.invariants.check_quiet(healthy, QUIET_WITHOUT_AGENT if away else QUIET)
        (self.took_away if away else self.took).append(took)

    def mend(self, broken: dict[str, str], away: list[str]) -> None:
        """Repair the servers, and let the agent come back."""
        for name in away:
            self.agents[name].held = False
        for name in broken:
            self._web(name).works()
            self.webs[name].held = False
        wait_until("all services run", lambda: self.supervisor.all_run, PATIENCE)

    def _web(self, name: str) -> Web:
        return next(node.web for node in self.cluster.nodes if node.name == name)

    def told(self) -> str:
        """The figures."""
        kinds = ", ".join(f"{count} × {what}" for what, count in sorted(self.counts.items()))
        return (
            f"{self.kills} kills: {kinds}\n"
            f"{len(self.took)} rounds with all agents, quiet after {median_and_worst(self.took)}; "
            f"{len(self.took_away)} without one, after {median_and_worst(self.took_away)}\n"
            f"{self.invariants.told()}"
        )


def median_and_worst(seconds: list[float]) -> str:
    """Of a series."""
    in_order = sorted(seconds) or [0.0]
    return f"{in_order[len(in_order) // 2]:.2f} s (median), {in_order[-1]:.2f} s at worst"


@contextmanager
def soaking(seed: int, say: Callable[[str], None] = print) -> Iterator[Soak]:
    """Three nodes with three VIPs."""
    with agent_nodes(3, vips=",".join(VIPS), fifo=FIFO) as cluster, Fifos(cluster, FIFO) as fifos:
        yield Soak(cluster, fifos, seed, say)


def main() -> int:
    """Run it, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(2), "big"))
    options = parser.parse_args()
    lack = missing()
    if lack:
        print(f"soak: {lack}")
        return 1
    print(f"{options.kills} kills, seed {options.seed}", flush=True)
    with soaking(options.seed, partial(print, flush=True)) as soak:
        try:
            soak.run(options.kills)
        except (Broken, TimeoutError) as broken:
            print(f"soak: after {soak.kills} kills, seed {options.seed}: {broken}")
            return 1
        print(soak.told())
    return 0


if __name__ == "__main__":
    sys.exit(main())
