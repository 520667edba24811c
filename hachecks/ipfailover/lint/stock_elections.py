"""Rules about elections of the stock image: who is master, who hears whom, and what a failure takes along."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.rule import NOTE, WARNING, Found, rule
from hachecks.ipfailover.lint.stock_image import configurations, environ, found, image, runs, simulated
from hachecks.ipfailover.lint.stock_text import WORDS
from hachecks.ipfailover.stock.node import StockNode
from hachecks.ipfailover.stock.simulation import IMMEDIATE, preemption
from hachecks.ipfailover.stock.simulation import priorities as stock_priorities

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.ipfailover.lint.subject import Configuration, Subject

INTERFACE, PEERS, UNICAST = "OPENSHIFT_HA_NETWORK_INTERFACE", "OPENSHIFT_HA_UNICAST_PEERS", "OPENSHIFT_HA_USE_UNICAST"
PREEMPTION, CHECK = "OPENSHIFT_HA_PREEMPTION", "OPENSHIFT_HA_CHECK_SCRIPT"
DEFAULT = "preempt_delay 300"
MOST_NODES = 64
"""Nodes that are looked at."""


@rule(
    "HA040",
    WARNING,
    "an interface that the stock image guesses",
    why="Where the interface is not named, or is not there, the first of enp0s3, enp0s8, eth1 and, since 4.11, ens3 "
    "is taken, or else that of the default route, without a word. eth0, which documentation names, is none of them, "
    "and nodes may differ.",
    cure=f"set {INTERFACE} to a name that is there on every node, such as br-ex on OVN-Kubernetes",
    evidence="openshift/images, ipfailover/keepalived/lib/utils.sh, get_network_device; bz2062126",
)
def interface(subject: Subject) -> Iterator[Found]:
    """Configurations that name no interface."""
    for one in configurations(subject, told=True):
        if not one.text(INTERFACE):
            yield found(one, INTERFACE, f"{image(one)} looks for an interface, on each node by itself")


@rule(
    "HA041",
    WARNING,
    "a variable about unicast that the stock image does not read",
    why=f"{UNICAST} is read nowhere. Unicast is used where {PEERS} is set, and multicast where it is not, whatever is "
    "said of it, and a network that lets no multicast through has a master on every node.",
    cure=f"set {PEERS} for unicast, and leave it out for multicast",
    evidence="openshift/images: no script reads it; tried with true and false",
)
def use_unicast(subject: Subject) -> Iterator[Found]:
    """Configurations that say one thing of unicast and do another."""
    for one in configurations(subject):
        if one.text(UNICAST) and one.settings.use_unicast != bool(one.text(PEERS)):
            used = "unicast" if one.text(PEERS) else "multicast"
            yield found(one, UNICAST, f"{image(one)} uses {used} all the same")


@rule(
    "HA042",
    WARNING,
    "a node among its own peers",
    why="All pods have one list, so each node is among its own peers, and sends to itself. Keepalived complains of "
    "adverts with its own address, and without unicast_src_ip it takes the first address of the interface for its own.",
    cure="hacheck ipfailover render writes each node's list without itself, and its own address as the source",
    evidence="tried: equal priority advert received from remote host with our IP address, each second",
)
def own_address(subject: Subject) -> Iterator[Found]:
    """Configurations with peers, which all nodes share."""
    for one in configurations(subject, told=True):
        peers = [peer for peer in simulated(one).peers if peer.strip()]
        if peers and one.is_understood(PEERS):
            what = f"{image(one)} has all of {', '.join(map(str.strip, peers[:3]))} on each node, its own among them"
            yield found(one, PEERS, what)


@rule(
    "HA043",
    WARNING,
    "peers that are parted by blanks",
    why="Only commas part peers. What stands between two of them is one line of keepalived.conf, of which Keepalived "
    "reads the first address; the nodes behind the others hear nothing, and are master of everything.",
    cure="part the addresses by commas",
    evidence="openshift/images, ipfailover/keepalived/lib/config-generators.sh, generate_mucast_options",
)
def joined_peers(subject: Subject) -> Iterator[Found]:
    """Peers of which several are in one line."""
    for one in configurations(subject):
        for peer in simulated(one).peers:
            first, *more = peer.split() or [""]
            if more:
                yield found(one, PEERS, f"{image(one)} makes one peer of {peer.strip()!r}, {first}")


@rule(
    "HA044",
    WARNING,
    "nodes whose priorities are the same, or leave one without a VIP",
    why="A node's priorities come of the last octet of its address modulo 128, of the replicas, and of chance. Nodes "
    "whose octets are equal so win or lose every VIP together, an octet of 0 or 128 makes 255, the priority of the "
    "address's owner, and a node can be left without any VIP for ever.",
    cure="hacheck ipfailover plan spreads VIPs over the nodes that are named",
    evidence="openshift/images, ipfailover/keepalived/lib/config-generators.sh; worked out for all octets",
)
def priorities(subject: Subject) -> Iterator[Found]:
    """Nodes that are given by their addresses."""
    for one in configurations(subject, told=True):
        addresses = [node for node in one.settings.nodes or one.settings.unicast_peers if node.count(".") == 3]
        nodes = {text: StockNode(text) for text in addresses[:MOST_NODES] if text.replace(".", "").isdigit()}
        variable = "OPENSHIFT_HA_NODES" if one.settings.nodes else PEERS
        for first, second in combinations(nodes, 2):
            if nodes[first].slot == nodes[second].slot:
                what = f"{first} and {second} have the same priorities, all those of {nodes[first].slot}"
                yield found(one, variable, f"{image(one)}: {what}")
        for address, node in nodes.items():
            if not node.slot:
                what = f"{address} has the priority 255, which is that of who owns the address"
                yield found(one, variable, f"{image(one)}: {what}")
        for address in _without(one, nodes):
            yield found(one, variable, f"{image(one)}: {address} never has a VIP while the others are there")


def _without(one: Configuration, nodes: Mapping[str, StockNode]) -> list[str]:
    """The nodes that have no VIP, whatever chance decides, though there are as many as nodes."""
    count = len(simulated(one).instances)
    if not 2 <= len(nodes) <= count:
        return []
    variables, stock = dict(environ(one)), one.settings.stock
    may_win = set()
    for ranks in zip(*(stock_priorities(variables, stock, node, count) for node in nodes.values())):
        floor = max(least for least, _ in ranks)
        may_win |= {text for text, (_, greatest) in zip(nodes, ranks) if greatest >= floor}
    return [text for text in nodes if text not in may_win]


@rule(
    "HA045",
    NOTE,
    "one port that all VIPs depend on",
    why="Without a script, one port of the node's own address is asked, never one of a VIP, and once is enough. "
    "When it fails once, every VIP leaves the node, and where it is wrong on every node, no VIP is served anywhere.",
    cure="set OPENSHIFT_HA_CHECK_SCRIPT, and give services that fail apart configurations of their own",
    evidence="tried: a service that listens on the VIP alone never lets the node have it; origin#12509, origin#15394",
)
def one_check(subject: Subject) -> Iterator[Found]:
    """Configurations of several VIPs with the default check."""
    for one in configurations(subject, told=True):
        result = simulated(one)
        if len(result.served) > 1 and result.check != "true" and not one.text(CHECK):
            what = f"{image(one)} has all {len(result.served)} VIPs depend on one check: {result.check}"
            yield found(one, CHECK, what)


@rule(
    "HA046",
    WARNING,
    "preemption otherwise than it says",
    why="Instances of the stock image that should be master have the state MASTER, with which Keepalived clears "
    "nopreempt and preempt_delay: a node that comes back takes its VIPs at once, whatever is written. preempt 300 and "
    "preempt_nodelay 300, which documentation shows, are no delay either. Since 4.18 nopreempt, and exactly that, "
    "leaves the state out.",
    cure="write nopreempt and use 4.18 or later, or preempt, which says what happens",
    evidence="openshift/images#197, OCPBUGS-33629, origin#21188; tried with Keepalived",
)
def preempted(subject: Subject) -> Iterator[Found]:
    """Words on preemption of which something else comes."""
    for one in configurations(subject):
        line = one.text(PREEMPTION) or DEFAULT
        raw = one.given[PREEMPTION].text if one.text(PREEMPTION) else DEFAULT
        backs_up = raw == "nopreempt" and one.settings.stock >= (4, 18)
        of_master, of_others = preemption(raw, master=not backs_up), preemption(raw, master=False)
        said = " ".join(line.split())
        if said == of_master or not WORDS.fullmatch(line):
            continue
        if one.text(PREEMPTION) or runs(one):
            rest = f", and {of_others} on the others" if of_others != of_master else ""
            at_once = "at once" if of_master == IMMEDIATE else of_master
            what = f"{said!r}: with {image(one)} a node that should be master takes its VIPs {at_once}{rest}"
            yield found(one, PREEMPTION, what)


RULES = (interface, use_unicast, own_address, joined_peers, priorities, one_check, preempted)
