"""Rules about several configurations that are on the same nodes, or on the same network."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.platform_ids import platform_ids
from hachecks.ipfailover.lint.rule import ERROR, WARNING, Found, rule
from hachecks.ipfailover.lint.speakers import speakers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.speakers import Speaker
    from hachecks.ipfailover.lint.subject import Configuration, Subject

NAME, PEERS, VIPS = "OPENSHIFT_HA_CONFIG_NAME", "OPENSHIFT_HA_UNICAST_PEERS", "OPENSHIFT_HA_VIRTUAL_IPS"
OFFSET = "OPENSHIFT_HA_VRRP_ID_OFFSET"
FIRST_PORT = 63000
"""The port of the node that oc adm ipfailover declared, with the offset added."""


def pairs(subject: Subject) -> Iterator[tuple[Configuration, Configuration]]:
    """Each two configurations of variables."""
    return combinations(subject.configurations, 2)


@rule(
    "HA301",
    ERROR,
    "one VIP in two configurations",
    why="Each configuration elects a node of its own for the VIP, and the two do not know of each other: the address "
    "is on two nodes, and clients reach one or the other.",
    cure="leave the VIP to one of them",
    evidence="origin#6775, bz1300298: upstream never checks it",
)
def shared_vip(subject: Subject) -> Iterator[Found]:
    """VIPs that configurations of different names have."""
    owners: dict[str, str] = {}
    for one in speakers(subject):
        for vip in one.vips if not one.is_written else ():
            owner = owners.setdefault(vip, one.owner)
            if owner != one.owner:
                yield Found(one.place, f"{vip} is in {owner} too")


@rule(
    "HA302",
    ERROR,
    "one virtual router id for different VIPs",
    why="On one network an id stands for one set of VIPs. Two that share it take each other's adverts for their own: "
    "the one with the lower priority gives up its VIPs, or both complain without end.",
    cure="set OPENSHIFT_HA_VRRP_ID_OFFSET of one so that their ids do not meet",
    evidence="images#104, installer#2966; origin#6775",
)
def shared_id(subject: Subject) -> Iterator[Found]:
    """Ids that two configurations have on one network, for VIPs that have nothing in common."""
    firsts: dict[int, dict[str, Speaker]] = {}
    for one in speakers(subject):
        others = firsts.setdefault(one.id, {})
        for owner, other in others.items():
            if owner != one.owner and one.hears(other) and not set(one.vips) & set(other.vips):
                on = f" on {one.interface}" if one.interface and other.interface else ""
                yield Found(one.place, f"{one.vips[0]} has the id {one.id}{on}, as {other.vips[0]} of {owner} has")
                break
        others.setdefault(one.owner, one)


@rule(
    "HA305",
    WARNING,
    "one password for two configurations",
    why="The password in adverts is the first 8 characters of the configuration's name. Where two names begin alike, "
    "nothing keeps the adverts of one out of the other when their ids meet.",
    cure=f"let the names differ in their first 8 characters, in {NAME}",
    evidence="openshift/images, ipfailover/keepalived/lib/config-generators.sh: auth_pass",
)
def shared_password(subject: Subject) -> Iterator[Found]:
    """Names of configurations that begin alike."""
    for first, second in pairs(subject):
        names = first.settings.config_name, second.settings.config_name
        if any(one.settings.auth_pass_file or one.settings.vrrp_version == 3 for one in (first, second)):
            continue
        if names[0] != names[1] and names[0][:8] == names[1][:8]:
            yield Found(second.where(NAME), f"its password is {names[1][:8]}, as that of {names[0]}")


@rule(
    "HA306",
    WARNING,
    "lists of peers that differ",
    why="Configurations that share nodes usually have the same ones. A node that is missing in one list hears nobody "
    "there, and takes all VIPs of that configuration.",
    cure=f"write the same nodes in {PEERS} of both, unless they are meant for different nodes",
    evidence="machine-config-operator#3342",
)
def peers_differ(subject: Subject) -> Iterator[Found]:
    """Lists that have some addresses in common and others not."""
    for first, second in pairs(subject):
        one, other = set(first.settings.unicast_peers), set(second.settings.unicast_peers)
        if one & other and one != other:
            strange = ", ".join(sorted(one ^ other))
            yield Found(second.where(PEERS), f"{strange}: in one list, and not in that of {first.settings.config_name}")


@rule(
    "HA307",
    WARNING,
    "two configurations of one name",
    why="Instances are named after their configuration, so those of two cannot be told apart in messages and metrics, "
    "and a ledger has one place for both. Their passwords are one.",
    cure=f"set {NAME} in each",
    evidence="hacheck ipfailover plan refuses it",
)
def shared_name(subject: Subject) -> Iterator[Found]:
    """Names that two configurations with different VIPs have."""
    for first, second in pairs(subject):
        mine, theirs = (set(one.settings.virtual_ips.addresses) for one in (first, second))
        known = all(one.is_understood(VIPS) and not one.partial for one in (first, second))
        if known and first.settings.config_name == second.settings.config_name and not mine & theirs:
            yield Found(second.where(NAME), f"{first.place} is called {second.settings.config_name}, too")


@rule(
    "HA308",
    ERROR,
    "an id that the platform itself has",
    why="On bare metal, vSphere, OpenStack and others OpenShift runs a Keepalived of its own for the API and for "
    "ingress, with ids made of the cluster's name. A VIP with such an id, on the network of the nodes, fights with it.",
    cure="exclude it: HA_EXCLUDED_VRRP_IDS, or another OPENSHIFT_HA_VRRP_ID_OFFSET",
    evidence="baremetal-runtimecfg, pkg/config/node.go; openshift-docs#35316",
)
def platform_id(subject: Subject) -> Iterator[Found]:
    """Ids that a cluster of the name that is told has."""
    known = platform_ids(subject.cluster.name) if subject.cluster.name else {}
    for one in speakers(subject):
        if one.id in known and not one.unicast:
            yield Found(
                one.place, f"{one.vips[0]} has the id {one.id}, which {subject.cluster.name} has for {known[one.id]}"
            )


@rule(
    "HA309",
    ERROR,
    "one VIP in two election domains",
    why="Nodes elect among those that have the same id, on the same interface, and speak multicast or unicast alike. "
    "Where two nodes differ, during a roll-out or for ever, both are master and serve the VIP.",
    cure="keep what they have in common: hacheck ipfailover plan --against shows it; or change all nodes at one "
    "instant, by Recreate",
    evidence="openshift/images#206; Keepalived tells instances apart by id, family, interface and unicast source",
)
def two_domains(subject: Subject) -> Iterator[Found]:
    """VIPs that are carried in different ways, but by configurations of different names, which is another finding."""
    firsts: dict[str, Speaker] = {}
    for one in speakers(subject):
        for vip in one.vips:
            other = firsts.setdefault(vip, one)
            if one.owner == other.owner or one.is_written or other.is_written:
                what = _difference(one, other)
                if what:
                    yield Found(one.place, f"{vip} {what}")


def _difference(one: Speaker, other: Speaker) -> str:
    """What keeps two from hearing each other; empty where nothing does."""
    if one.id != other.id:
        return f"has the id {one.id}, and {other.id} at {other.place.exact}"
    if one.unicast != other.unicast:
        ways = ("multicast", "unicast")
        return f"is elected by {ways[one.unicast]}, and by {ways[other.unicast]} at {other.place.exact}"
    if one.is_written and other.is_written:
        return ""  # what else is to be alike is a finding of its own
    if one.version != other.version:
        return f"is elected by VRRP {one.version}, and by VRRP {other.version} at {other.place.exact}"
    if one.interface != other.interface and one.interface and other.interface:
        return f"is elected on {one.interface}, and on {other.interface} at {other.place.exact}"
    return ""


@rule(
    "HA310",
    ERROR,
    "a VIP that is a node's own address",
    why="The address is on the node whether it is master or not, so that two nodes have it as soon as another one is.",
    cure="choose an address that no node has",
    evidence="RFC 5798, section 5.2.4: only its owner may have it",
)
def node_address(subject: Subject) -> Iterator[Found]:
    """VIPs among the nodes' addresses."""
    for one in subject.configurations:
        nodes = {*one.settings.nodes, *one.settings.unicast_peers}
        for vip in map(str, one.settings.virtual_ips.addresses):
            if vip in nodes:
                yield Found(one.where(VIPS), f"{vip} is an address of a node")


RULES = (
    shared_vip,
    shared_id,
    shared_password,
    peers_differ,
    shared_name,
    platform_id,
    two_domains,
    node_address,
)
