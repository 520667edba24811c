"""Rules about VIPs that the stock image serves twice, not at all, or not as it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.lint.rule import ERROR, WARNING, Found, rule
from hachecks.ipfailover.lint.stock_image import configurations, found, image, in_words, simulated
from hachecks.ipfailover.lint.stock_vips import VIPS, taken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.lint.subject import Subject

GROUPS = "OPENSHIFT_HA_VIP_GROUPS"


@rule(
    "HA016",
    ERROR,
    "a VIP that is named twice, and has two instances",
    why="The stock image does not look for duplicates: each gets an instance and an id of its own. Two nodes can be "
    "master of one address, and the instance that steps back takes it from the one that stays.",
    cure="name it once; ranges may overlap",
    evidence="tried: two instances with two ids and the same VIP",
)
def duplicates(subject: Subject) -> Iterator[Found]:
    """VIPs that come from several items, or twice from one."""
    for one in configurations(subject):
        owners: dict[str, list[str]] = {}
        for instance in simulated(one).instances:
            for vip in taken(instance.written):
                owners.setdefault(vip, []).append(str(instance.id))
        for vip, ids in owners.items():
            if len(ids) > 1:
                several = f"in instances with the ids {' and '.join(ids)}" if len(set(ids)) > 1 else "twice in a group"
                yield found(one, VIPS, f"{image(one)} has {vip} {several}")


@rule(
    "HA017",
    ERROR,
    "VIPs of a family that their instance does not have",
    why="An instance of Keepalived has one family: that of its unicast peers, or else of its first VIP. The stock "
    "image puts both into one group, and the VIPs of the other family are passed over.",
    cure="make a configuration for each family, or as many groups as there are VIPs",
    evidence="tried with Keepalived: it passes over the VIPs of the other family, and goes on",
)
def families(subject: Subject) -> Iterator[Found]:
    """VIPs that are written and not served for their family."""
    for one in configurations(subject):
        result = simulated(one)
        for instance in result.instances if not result.ends else ():
            lost = [vip for vip in taken(instance.written) if vip not in instance.vips]
            if lost:
                variable = GROUPS if instance.vips else VIPS
                whose = "its other VIPs" if instance.vips else "the peers"
                what = f"{image(one)} does not serve {in_words(lost)}, since {instance.name} has the family of {whose}"
                yield found(one, variable, what)


@rule(
    "HA018",
    ERROR,
    "no VIP is left at all, and the pod stays",
    why="Where nothing comes of the list, or of the offset, keepalived.conf has no instance. Keepalived stays, and so "
    "does the pod: its liveness probe looks for the process alone.",
    cure="mend what the other findings name",
    evidence="tried: Keepalived warns that it has no configuration to run, and its process stays",
)
def nothing(subject: Subject) -> Iterator[Found]:
    """Configurations of which the stock image serves nothing, without an end of Keepalived."""
    for one in configurations(subject):
        result = simulated(one)
        if one.text(VIPS) and result.known and not (result.ends or result.served):
            yield found(one, VIPS, f"{image(one)} serves no VIP, and its pod runs")


@rule(
    "HA019",
    WARNING,
    "IPv6, of which the stock image knows little",
    why="An IPv6 VIP is served. But where Keepalived is killed before it took the VIP away, the pod does not either, "
    "since it names ADDRESS/32; only 224.0.0.18 is let through the firewall, not ff02::12; and VRRP 3 has no password. "
    "A node without an IPv4 address has the priority 255 for every VIP, as all such nodes have, and is checked at "
    "127.0.0.1.",
    cure="serve IPv6 with hacheck ipfailover render, or take the VIPs away and open the firewall yourself",
    evidence="openshift/images, ipfailover/keepalived/lib/failover-functions.sh, cleanup; config-generators.sh",
)
def ipv6(subject: Subject) -> Iterator[Found]:
    """Configurations with an IPv6 VIP."""
    for one in configurations(subject, told=True):
        served = [vip for vip in simulated(one).served if ":" in vip]
        if served:
            what = f"{image(one)} does not take {in_words(served)} away when it ends, and lets no advert of IPv6 in"
            yield found(one, VIPS, what)


RULES = (duplicates, families, nothing, ipv6)
