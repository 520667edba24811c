"""Rules about items of the list of VIPs of which the stock image makes nothing, or something else than was meant."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from hachecks.ipfailover import vips
from hachecks.ipfailover.lint.rule import ERROR, Found, rule
from hachecks.ipfailover.lint.stock_image import configurations, found, image, in_words, simulated, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.lint.subject import Subject
    from hachecks.keepalived.openshift import Item

VIPS = "OPENSHIFT_HA_VIRTUAL_IPS"
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


RULES = (slash, blanks, deleted, ranges, ipv6_ranges, no_address)
