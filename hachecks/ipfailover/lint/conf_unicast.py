"""Rules about unicast in a keepalived.conf: who speaks to whom, and from which address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.conf_instances import TRIED, instances
from hachecks.ipfailover.lint.rule import ERROR, WARNING, Found, rule
from hachecks.keepalived.instance import address_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject


@rule(
    "HA230",
    WARNING,
    "unicast without a source address",
    why="Keepalived takes the first address of the interface, and for IPv6 the link-local one. On a node with several "
    "addresses, or with a VIP on it, that is one that no peer expects, and both nodes are master.",
    cure="write unicast_src_ip and the node's own address",
    evidence="truenas/middleware#19530, acassen/keepalived#1122 and #2651",
)
def no_source(subject: Subject) -> Iterator[Found]:
    """Instances with peers, and no address of their own."""
    for one in instances(subject):
        if one.peers and not one.line("unicast_src_ip"):
            yield Found(one.place(one.line("unicast_peer")), "it has peers, and no unicast_src_ip")


@rule(
    "HA231",
    WARNING,
    "a node among its own peers",
    why="The node hears its own adverts, with its own priority and address, and complains of each of them, every "
    "second. What else is wrong is lost in that log.",
    cure="leave the node's own address out of unicast_peer",
    evidence="tried: equal priority advert received from remote host with our IP address",
)
def own_peer(subject: Subject) -> Iterator[Found]:
    """Instances whose source is one of their peers."""
    for one in instances(subject):
        source = address_of(one.value("unicast_src_ip"))
        block = one.line("unicast_peer")
        for peer in (block.nodes or ()) if block and source else ():
            if address_of(peer.words[0]) == source:
                yield Found(one.place(peer), f"{source} is its own address")


@rule(
    "HA232",
    ERROR,
    "unicast without peers is multicast",
    why="With an empty unicast_peer, or unicast_src_ip alone, Keepalived falls back to multicast. The nodes that "
    "speak unicast do not hear it, nor it them, and both serve the VIP.",
    cure="name the peers, and write unicast_fault_no_peer, so that a node without peers serves nothing",
    evidence=TRIED + ": Defaulting to multicast",
)
def no_peers(subject: Subject) -> Iterator[Found]:
    """Instances with a word on unicast, and no peer."""
    for one in instances(subject):
        line = one.line("unicast_peer") or one.line("unicast_src_ip")
        if line and not one.read.unicast:
            yield Found(one.place(line), "it names no peer, and speaks multicast")


RULES = (no_source, own_peer, no_peers)
