"""Rules about VIPs that the stock image loses, or serves in place of those that were meant."""

from __future__ import annotations

import ipaddress
import re
from itertools import groupby
from typing import TYPE_CHECKING

from hachecks.ipfailover import vips
from hachecks.ipfailover.lint.rule import ERROR, WARNING, Found, rule
from hachecks.ipfailover.lint.stock_image import configurations, found, image, in_words, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.keepalived.openshift import Item

VIPS, GROUPS = "OPENSHIFT_HA_VIRTUAL_IPS", "OPENSHIFT_HA_VIP_GROUPS"
GENERATOR = "openshift/images, ipfailover/keepalived/lib/utils.sh, expand_ip_ranges; tried with the generator itself"
SLASH, BLANK, DELETED, RANGE, RANGE6, ADDRESS = KINDS = ("slash", "blank", "deleted", "range", "range6", "address")
LONGEST_CURE = 160
"""Characters of a list that is written out as a cure."""


def taken(addresses: Sequence[str]) -> tuple[str, ...]:
    """Those of the generated addresses that Keepalived takes, in canonical form."""
    # inet_pton takes no zero in front of a number, of which early versions of Python make nothing.
    good = [text for text in addresses if ":" in text or not re.search(r"(?:^|\.)0[0-9]", text)]
    return tuple(str(ipaddress.ip_address(text)) for text in good if ":" in text or _is_ipv4(text))


def _is_ipv4(text: str) -> bool:
    return all(int(part) <= 255 for part in text.split("."))


def meant(item: Item) -> tuple[str, ...] | None:
    """What an item means as hachecks reads it; None where it is refused."""
    try:
        return tuple(map(str, vips.parse(item.written).addresses))
    except ValueError:
        return None


def kind(item: Item) -> str:
    """What an item has that the stock image takes wrongly."""
    written = item.written.strip()
    if "/" in written:
        return SLASH
    if re.search(r"\s", written):
        return BLANK
    if written != item.left or "\\" in written:
        return DELETED
    if "-" in written:
        return RANGE6 if ":" in written else RANGE
    return ADDRESS


def spelled(addresses: Sequence[str]) -> str:
    """VIPs as every version of the stock image takes them: ranges within the last part, and of IPv6 none."""
    runs = []
    for _, run in groupby(enumerate(addresses), lambda one: _run(*one)):
        members = [address for _, address in run]
        last = members[-1].rpartition(".")[2]
        runs.append(members[0] if len(members) == 1 else f"{members[0]}-{last}")
    return ",".join(runs)


def _run(index: int, address: str) -> object:
    """The same for those addresses that a range can have."""
    if ":" in address:
        return index
    base, _, last = address.rpartition(".")
    return base, int(last) - index


def _of_kind(subject: Subject, wanted: str) -> Iterator[Found]:
    """Items of a kind of which the stock image makes something else than was meant."""
    for one in configurations(subject):
        for item in (item for item in simulated(one).items if kind(item) == wanted):
            addresses, expected = taken(item.addresses), meant(item)
            whole = len(addresses) == len(item.addresses)
            if whole and addresses == expected:
                continue
            instead = f", instead of {in_words(expected)}" if expected else ""
            some = "" if whole else f", of which Keepalived takes {in_words(addresses)}"
            cure = spelled(expected) if expected else ""
            yield found(
                one,
                VIPS,
                f"{image(one)} makes {in_words(item.addresses)} of {item.written.strip()!r}{some}{instead}",
                f"write {cure}" if cure and len(cure) <= LONGEST_CURE else "",
            )


@rule(
    "HA010",
    ERROR,
    "a prefix length whose slash the stock image deletes",
    why="The stock image knows no blocks. It deletes the slash and reads on: 10.1.1.1/24 becomes the VIP 10.1.1.124, "
    "an address that may be somebody else's, and 10.1.1.10/24 vanishes.",
    cure="write single addresses, or FIRST-LAST within the last part",
    evidence=GENERATOR,
)
def slash(subject: Subject) -> Iterator[Found]:
    """Items with a slash."""
    return _of_kind(subject, SLASH)


@rule(
    "HA011",
    ERROR,
    "VIPs parted by blanks, which the stock image joins",
    why="Whatever the documentation of the generator says, blanks do not part VIPs: they are deleted, and what stood "
    "on both sides becomes one item, which is no address and is left out, or another range.",
    cure="part VIPs by commas",
    evidence=GENERATOR,
)
def blanks(subject: Subject) -> Iterator[Found]:
    """Items with a blank within."""
    return _of_kind(subject, BLANK)


@rule(
    "HA012",
    ERROR,
    "characters that the stock image deletes, or stumbles over",
    why="All but hexadecimal digits, colons, points, commas, hyphens and backslashes is deleted, and what is left is "
    "read as an address: it may be one that nobody meant, or none.",
    cure="write addresses and ranges only, parted by commas",
    evidence=GENERATOR,
)
def deleted(subject: Subject) -> Iterator[Found]:
    """Items with characters that no list of VIPs is made of."""
    return _of_kind(subject, DELETED)


@rule(
    "HA013",
    ERROR,
    "a range that the stock image reads otherwise, or not at all",
    why="Of the end of a range only the last part counts: 10.1.1.250-10.1.2.5 is nothing, 10.1.1.1-10.1.9.2 is two "
    "VIPs, a reversed range is nothing, and 10.2.2.254-257 has addresses that there are not, which take ids.",
    cure="write FIRST-LAST within the last part, 255 at most, and a range for each network of 256",
    evidence=GENERATOR,
)
def ranges(subject: Subject) -> Iterator[Found]:
    """Ranges of IPv4."""
    return _of_kind(subject, RANGE)


@rule(
    "HA014",
    ERROR,
    "a range of IPv6, of which the stock image makes nothing",
    why="The generator works it out with bc, which is not in the image, and all VIPs of the range are left out. Where "
    "bc is, small hexadecimal digits are variables to it, and most are 0.",
    cure="write each address",
    evidence=f"{GENERATOR}; bc is none of the packages in its Dockerfile",
)
def ipv6_ranges(subject: Subject) -> Iterator[Found]:
    """Ranges of IPv6."""
    return _of_kind(subject, RANGE6)


@rule(
    "HA015",
    ERROR,
    "a VIP that is no address, and is left out or taken wrongly",
    why="Host names, numbers above 255 and the like vanish without a word. What looks like an address is not looked "
    "at again: Keepalived passes over 010.0.0.1, and takes a loopback address for a VIP.",
    cure="write an address that can be a VIP",
    evidence=GENERATOR,
)
def no_address(subject: Subject) -> Iterator[Found]:
    """Single items that are no VIP, or not to Keepalived."""
    return _of_kind(subject, ADDRESS)


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
    why="An IPv6 VIP is served. But the pod takes ADDRESS/32 away when it ends, so that the VIP stays on the node; "
    "only 224.0.0.18 is let through the firewall, not ff02::12; and VRRP 3 has no password. A node without an IPv4 "
    "address has the priority 255 for every VIP, as all such nodes have, and is checked at 127.0.0.1.",
    cure="serve IPv6 with hacheck ipfailover render, or take the VIPs away and open the firewall yourself",
    evidence="openshift/images, ipfailover/keepalived/lib/failover-functions.sh, cleanup; config-generators.sh",
)
def ipv6(subject: Subject) -> Iterator[Found]:
    """Configurations with an IPv6 VIP."""
    for one in configurations(subject, told=True):
        served = [vip for vip in simulated(one).served if ":" in vip]
        if served:
            what = f"{image(one)} leaves {in_words(served)} on the node when it ends, and lets no advert of IPv6 in"
            yield found(one, VIPS, what)


RULES = (slash, blanks, deleted, ranges, ipv6_ranges, no_address, duplicates, families, nothing, ipv6)
