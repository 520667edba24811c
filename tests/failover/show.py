"""How does a failover look?  Breaks the service of the MASTER three times and tells what everybody sees of it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .cluster import VIP, Cluster, Node, state_of, two_nodes
from .requirements import EXECUTABLE, missing
from .web import BREAKAGES

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECK = "sh /etc/keepalive/hacheck http http://{address}/"
HAPPENS = {"kill": "is killed", "hang": "hangs", "500": "answers 500"}

WHY = (
    "Until FAULT: at most 2 s until the check runs (`interval 2`), and its --timeout of 1.5 s when nginx hangs.",
    "Until the VIP moves: 0.93 s, for node-b's priority of 18 ((256 - 18) / 256 s).",
)

# A failover takes 4 s at worst with OpenShift's defaults; coming back to a node that preempts takes 5 s.
FAILOVER_LIMIT = 15.0
RETURN_LIMIT = 8.0

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
COLOURS = {
    "FAULT": RED,
    "FAIL": RED,
    "UNKNOWN": RED,
    "no good": RED,
    "MASTER": GREEN,
    "PASS": GREEN,
    "BACKUP": YELLOW,
    "node-": GREEN,
}

# A node (or the client), and what was seen of it: a state, the VIP, its check, who answers.
Landmark = tuple[str, str]
Seen = dict[Landmark, float]


class DidNotHappen(Exception):  # noqa: N818 - it says what it is
    """What the demo is there to show did not happen in time."""


@dataclass(frozen=True)
class Failover:
    """A row of the table: what was done to which node, and the seconds from then until something was seen."""

    broken: str
    breakage: str
    detected: float
    moved: float
    outage: float


class Screen:
    """Prints; in colour if that is a terminal and nobody objects (https://no-color.org)."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def say(self, text: str = "", colour: str = "") -> None:
        print(self.paint(text, colour), flush=True)

    def paint(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colour and colour else text

    def event(self, seconds: float, who: str, source: str, text: str) -> None:
        colour = next((colour for start, colour in COLOURS.items() if text.startswith(start)), "")
        when = self.paint(f"{seconds:7.2f} s", DIM)
        self.say(f"{when}  {who:<7} {source:<11} {self.paint(text, colour)}")


def main() -> int:
    # `make demo | head` ends like any other command; what it started ends with it.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    screen = Screen()
    lack = missing()
    if lack:
        screen.say(f"demo: {lack}")
        return 1
    try:
        with two_nodes({"hacheck": EXECUTABLE.read_bytes()}) as cluster:
            demonstrate(cluster, screen)
    except (DidNotHappen, AssertionError) as disappointment:
        screen.say(f"\ndemo: {str(disappointment).splitlines()[0]}", RED)
        return 1
    except KeyboardInterrupt:
        screen.say("\ndemo: interrupted, nothing is left behind")
        return 130
    return 0


def demonstrate(cluster: Cluster, screen: Screen) -> None:
    introduce(cluster, screen)
    done = []
    with cluster.keepalived(CHECK):
        for number, breakage in enumerate(BREAKAGES, 1):
            broken = cluster.master
            screen.say()
            screen.say(f"{number}  nginx on {broken.name}, which has the VIP, {HAPPENS[breakage]}", BOLD)
            done.append(fail_over(cluster, broken, breakage, screen))
            if number < len(BREAKAGES):
                repair(cluster, broken, screen)
    summarise(done, screen)


def introduce(cluster: Cluster, screen: Screen) -> None:
    version = cluster.a.run("keepalived", "--version").stderr.split()[1].lstrip("v")
    screen.say(f"Keepalived {version} on two nodes, configured as OpenShift configures it; nginx on both.", BOLD)
    screen.say(f"VIP    {VIP}, asked by a client every 50 ms")
    screen.say(f"check  {CHECK.format(address='NODE')}, every 2 s")


def fail_over(cluster: Cluster, broken: Node, breakage: str, screen: Screen) -> Failover:
    """Break the node's service and show what follows until the client is served by the other one."""
    heir = cluster.other(broken).name
    fault, moved, served = (broken.name, "FAULT"), (heir, "VIP added"), ("client", f"{heir} answers")
    began = time.monotonic()
    BREAKAGES[breakage](broken.web)
    ask_aside(cluster)
    awaited = {(broken.name, "check"), (heir, "check"), fault, moved, served}
    seen = watch(cluster, screen, awaited, began, FAILOVER_LIMIT)
    if not awaited <= seen.keys():
        raise DidNotHappen(f"{heir} did not take over within {FAILOVER_LIMIT:g} s after nginx on {broken.name} failed")
    return Failover(broken.name, breakage, seen[fault], seen[moved], cluster.service.outage(since=began))


def repair(cluster: Cluster, broken: Node, screen: Screen) -> None:
    """Repair the node's service, and give Keepalived the time to move the VIP back if that is what it wants."""
    screen.say(f"   nginx on {broken.name} is repaired", BOLD)
    began = time.monotonic()
    broken.web.repair()
    good, back = (broken.name, "BACKUP"), (cluster.other(broken).name, "VIP removed")
    seen = watch(cluster, screen, {good, back, ("client", f"{broken.name} answers")}, began, RETURN_LIMIT)
    if good not in seen:
        raise DidNotHappen(f"{broken.name} did not leave FAULT within {RETURN_LIMIT:g} s after nginx was repaired")


def ask_aside(cluster: Cluster) -> None:
    """Run the check on each node as a person would: under Keepalived its line goes to /dev/null."""
    for node in cluster.nodes:
        threading.Thread(target=tell_check, args=(cluster, node)).start()


def tell_check(cluster: Cluster, node: Node) -> None:
    done = node.check(CHECK)
    cluster.timeline.add(node.name, "check", (done.stdout or done.stderr).strip())


def watch(cluster: Cluster, screen: Screen, awaited: set[Landmark], began: float, within: float) -> Seen:
    """Show what happens until everything `awaited` did; returns the seconds after which each thing did first."""
    seen: Seen = {}
    for event in cluster.timeline.follow(since=began, within=within):
        text = state_of(event) if event.source == "keepalived" else event.text
        if not text:
            continue
        screen.event(event.at - began, event.node, event.source, text)
        what = "check" if event.source == "check" else text.partition(",")[0]
        seen.setdefault((event.node, what), event.at - began)
        if awaited <= seen.keys():
            break
    return seen


def summarise(done: Iterable[Failover], screen: Screen) -> None:
    screen.say()
    screen.say(f"{'nginx':<22}{'FAULT after':>13}{'VIP moved after':>18}{'client without service':>25}", BOLD)
    for row in done:
        what = f"{HAPPENS[row.breakage].removeprefix('is ')} on {row.broken}"
        screen.say(f"{what:<22}{row.detected:>11.2f} s{row.moved:>16.2f} s{row.outage:>23.2f} s")
    screen.say()
    for line in WHY:
        screen.say(line, DIM)
