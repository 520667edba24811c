"""How does a failover look?  The same three faults under OpenShift's own check, our forked one, and the agent."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from .agents import ASKING, GUARD, AgentCluster, agent_nodes
from .cluster import VIP, Cluster, Node, several_nodes, state_of
from .measure import STOCK
from .namespace import wait_until
from .requirements import EXECUTABLE, missing
from .screen import BOLD, DIM, RED, Screen
from .web import BREAKAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORKED = "sh /etc/keepalive/hacheck http http://{address}/"
HAPPENS = {"kill": "is killed", "hang": "hangs", "500": "answers 500"}

# OpenShift's takes 2.8 s at worst when nginx is killed, and 5.4 s when it hangs and 200 requests a second fill the
# queue; coming back to a node that preempts takes 5 s. That nothing happens is shown for as long as people look.
LIMIT = 12.0
NEVER = 4.0
INFINITE = float("inf")
LAST = list(BREAKAGES)[-1]

WHY = (
    "OpenShift's check connects to the port, which a service that hangs accepts while its queue has room, and one that",
    "answers 500 for ever. Both forked checks wait for their turn, at most 2 s, and then for the other node's: 0.93 s.",
    "The agent looks ten times a second, and when a connection ends; VRRP 3 and priorities near 255 take 1 to 16 ms.",
)


class DidNotHappen(Exception):  # noqa: N818 - it says what it is
    """What the demo is there to show did not happen in time."""


class Part(NamedTuple):
    """A way to look after a service: its name in the table, its check, what is said of it, what it never notices."""

    called: str
    check: str
    text: str
    passes: frozenset[str] = frozenset()


PARTS = (
    Part("OpenShift's own check", STOCK, "OpenShift's own check, a connection to the port by bash", frozenset({"500"})),
    Part("hacheck, forked", FORKED, f"hacheck in its place: {FORKED.format(address='NODE')}"),
    Part("hacheck agent", GUARD, f"hacheck agent beside Keepalived, with {GUARD} as the guard"),
)


def main() -> int:
    # `make demo | head` ends like any other command; what it started ends with it.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    screen = Screen()
    lack = missing()
    if lack:
        screen.say(f"demo: {lack}")
        return 1
    try:
        demonstrate(screen)
    except (DidNotHappen, AssertionError, TimeoutError) as disappointment:
        screen.say(f"\ndemo: {str(disappointment).splitlines()[0]}", RED)
        return 1
    except KeyboardInterrupt:
        screen.say("\ndemo: interrupted, nothing is left behind")
        return 130
    return 0


def demonstrate(screen: Screen) -> None:
    """Show all parts, and then the table."""
    screen.say(f"Real Keepalived and nginx on nodes of their own; a client asks the VIP, {VIP}, every 5 ms.", BOLD)
    outages: dict[str, list[float]] = {}
    stock, forked, agent = PARTS
    with several_nodes(2, {"hacheck": EXECUTABLE.read_bytes()}, asking=ASKING) as cluster:
        for part in (stock, forked):
            introduce(screen, part)
            with cluster.keepalived(part.check):
                outages[part.called] = [show(cluster, part, breakage, screen) for breakage in BREAKAGES]
    introduce(screen, agent)
    with agent_nodes(asking=ASKING) as agents:
        outages[agent.called] = [show(agents, agent, breakage, screen) for breakage in BREAKAGES]
    summarise(outages, screen)


def introduce(screen: Screen, part: Part) -> None:
    """Say what comes."""
    screen.say(f"\n{PARTS.index(part) + 1}  {part.text}", BOLD)


def show(cluster: Cluster, part: Part, breakage: str, screen: Screen) -> float:
    """Break the service of the node that has the VIP, and repair it; returns the seconds without a good answer."""
    broken = cluster.master
    if isinstance(cluster, AgentCluster):
        cluster.wait_until_well(broken, "watched", lambda agent: agent.watches)
    screen.say(f"   nginx on {broken.name}, which has the VIP, {HAPPENS[breakage]}", BOLD)
    began = time.monotonic()
    BREAKAGES[breakage](broken.web)
    looker = threading.Thread(target=look, args=(cluster, broken, part))
    looker.start()
    served = watch(cluster, screen, broken, began, NEVER if breakage in part.passes else LIMIT)
    looker.join()
    if served == (breakage in part.passes):
        what = "did take over" if served else "took over in time"
        raise DidNotHappen(f"{'another' if served else 'no other'} node {what} after nginx on {broken.name} failed")
    outage = cluster.service.outage(since=began) if served else INFINITE
    if not served:
        screen.say(f"   nobody notices, and nothing happens within {NEVER:g} s, or ever", BOLD)
    if breakage != LAST:
        repair(cluster, broken)
    return outage


def look(cluster: Cluster, broken: Node, part: Part) -> None:
    """Run the check as a person would: under Keepalived its line goes to /dev/null."""
    if isinstance(cluster, AgentCluster):
        agent = cluster.agents[broken.name]
        wait_until(f"the agent of {broken.name} tells Keepalived", lambda: agent.published == "1", LIMIT, every=0.001)
        cluster.timeline.add(broken.name, "agent", "track file: 1")
    done = broken.check(part.check)
    said = (done.stdout or done.stderr).strip().splitlines() or ["says nothing"]
    cluster.timeline.add(broken.name, "check", said[0] if "FAIL" in said[0] else f"exit status {done.returncode}")


def watch(cluster: Cluster, screen: Screen, broken: Node, began: float, within: float) -> bool:
    """Show what happens until another node serves the client, and the check was run; returns whether both were."""
    awaited = {"FAULT", "check", "client"}
    for event in cluster.timeline.follow(since=began, within=within):
        text = state_of(event) if event.source == "keepalived" else event.text
        if not text:
            continue
        screen.event(event.at - began, event.node, event.source, text)
        if event.node == broken.name:
            awaited -= {text, event.source}
        elif event.node == "client" and "answers" in text and not text.startswith(broken.name):
            awaited.discard("client")
        if not awaited:
            return True
    return False


def repair(cluster: Cluster, broken: Node) -> None:
    """Repair the service, and give Keepalived the time to move the VIP back if that is what it wants."""
    began = time.monotonic()
    broken.web.repair()
    if isinstance(cluster, AgentCluster):
        cluster.wait_until_well(broken, "well again", lambda agent: agent.published == "0" and agent.guard_passes)
    else:
        cluster.wait_for_answers(broken, since=began)


def summarise(outages: Mapping[str, Sequence[float]], screen: Screen) -> None:
    """How long the client was without service, in a table."""
    screen.say(f"\n{'client without service':<24}" + "".join(f"{part.called:>23}" for part in PARTS), BOLD)
    for breakage, row in zip(BREAKAGES, zip(*outages.values())):
        told = (f"{'until it is repaired':>23}" if seconds == INFINITE else f"{seconds:>21.2f} s" for seconds in row)
        screen.say(f"{f'nginx {HAPPENS[breakage]}':<24}{''.join(told)}")
    screen.say()
    for line in WHY:
        screen.say(line, DIM)
