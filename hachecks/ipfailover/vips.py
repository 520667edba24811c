"""VIP lists: single addresses, ranges and CIDR blocks of both families, as OPENSHIFT_HA_VIRTUAL_IPS has them."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple, Union

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import TypeAlias

Address: TypeAlias = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

LIMIT = 1024
"""VIPs in one list: VRRP has 255 ids, and groups put several VIPs behind each."""
ITEM = re.compile(r"[^,\s-]+(?:\s*-\s*[^,\s-]+)*|[^,\s]+")
"""An item: commas, blanks and line ends part them, but no blank beside the hyphen of a range does."""
LAST_IPV4 = re.compile("[0-9]{1,3}", re.ASCII)
LAST_IPV6 = re.compile("[0-9a-fA-F]{1,4}", re.ASCII)


class Vips(NamedTuple):
    """The addresses in their order, what a reader should know of them, and in which item of the list each is."""

    addresses: tuple[Address, ...]
    notes: tuple[str, ...]
    items: tuple[int, ...] = ()


def parse(text: str) -> Vips:
    """The addresses of `10.0.0.1, 10.0.0.4-6, 10.1.0.0/28, fd00::a-c`; raises `ValueError` naming the item."""
    found: dict[Address, str] = {}
    items: list[int] = []
    notes: list[str] = []
    for number, match in enumerate(ITEM.finditer(text), 1):
        item = match[0]
        place = f"item {number}, {item!r}"
        try:
            first, last, note = _bounds(re.sub(r"\s", "", item))
            count = int(last) - int(first) + 1
            if len(found) + count > LIMIT:
                raise ValueError(f"this makes {len(found) + count} VIPs, limit {LIMIT}; split the list")
            for address in _between(first, last):
                if address in found:
                    raise ValueError(f"{address} is already in {found[address]}; name it once")
                found[address] = place
                items.append(number)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        if note:
            notes.append(f"{place}: {note}")
    return Vips(tuple(found), tuple(notes), tuple(items))


def sort_key(address: Address) -> tuple[int, int]:
    """By family, then by number: an order that does not depend on how the list is written."""
    return address.version, int(address)


def parse_address(text: str) -> Address:
    """One address that can be a VIP; raises `ValueError`."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no address; expected A.B.C.D or an IPv6 address") from None
    if isinstance(address, ipaddress.IPv6Address):
        # Both are addresses of another kind to Python, which 3.9 began to read.
        if "%" in text:
            raise ValueError(f"{text} names an interface; write the address alone")
        if address.ipv4_mapped:
            raise ValueError(f"{text} is an IPv4 address within IPv6; write {address.ipv4_mapped}")
    _refuse_unusable(address)
    return address


def _refuse_unusable(address: Address) -> None:
    kinds = {
        "the unspecified address": address.is_unspecified,
        "a loopback address": address.is_loopback,
        "a multicast address": address.is_multicast,
        "a broadcast address": address == ipaddress.IPv4Address("255.255.255.255"),
        "an address of no network": address.version == 4 and int(address) < 1 << 24,
    }
    for kind, is_one in kinds.items():
        if is_one:
            raise ValueError(f"{address} is {kind}, which no VIP can be")


def _bounds(item: str) -> tuple[Address, Address, str]:
    """The first and last address of an item, and what was left out of it."""
    if "/" in item:
        return _block(item)
    start, hyphen, end = item.partition("-")
    if not start or (hyphen and not end) or "-" in end:
        raise ValueError("expected one address, FIRST-LAST, or a CIDR block")
    first = parse_address(start)
    last = _last(first, end) if hyphen else first
    if first.version != last.version:
        raise ValueError(f"{first} and {last} are of different families")
    if last < first:  # type: ignore[operator]  # of one family
        raise ValueError(f"{last} comes before {first}; write {last}-{first}")
    _refuse_between(first, last)
    return first, last, ""


def _last(first: Address, text: str) -> Address:
    """The end of a range: an address, or the last part of one, as the stock image reads it."""
    if first.version == 4 and LAST_IPV4.fullmatch(text):
        if int(text) > 255 or (text[0] == "0" and len(text) > 1):
            raise ValueError(f"the last part {text} is not 0 to 255")
        return ipaddress.IPv4Address(int(first) >> 8 << 8 | int(text))
    if first.version == 6 and LAST_IPV6.fullmatch(text):
        return ipaddress.IPv6Address(int(first) >> 16 << 16 | int(text, 16))
    return parse_address(text)


def _refuse_between(first: Address, last: Address) -> None:
    """Refuse what has addresses between two usable ones that are not, as 223.255.255.255-240.0.0.0 has."""
    for network in UNUSABLE:
        if network.version == first.version and first < network[0] <= last:  # type: ignore[operator]
            raise ValueError(f"{network}, which no VIP can be in, is in it")


UNUSABLE = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "224.0.0.0/4", "ff00::/8", "::ffff:0:0/96")))


def _block(item: str) -> tuple[Address, Address, str]:
    """The usable addresses of a CIDR block: without network and broadcast address, or IPv6's subnet router."""
    address, _, length = item.partition("/")
    parse_address(address)
    if not re.fullmatch("[0-9]{1,3}", length, re.ASCII):
        raise ValueError(f"{length!r} is no prefix length; a range is written FIRST-LAST")
    try:
        network = ipaddress.ip_network(item)
    except ValueError:
        try:
            whole = ipaddress.ip_network(item, strict=False)
        except ValueError:
            raise ValueError(f"/{length} is no prefix length of {address}") from None
        # The stock image deletes the slash: 10.1.1.1/24 is the VIP 10.1.1.124 to it.
        raise ValueError(f"write {address} for this one VIP, or {whole} for the whole block") from None
    first, last = network[0], network[-1]
    _refuse_unusable(last)
    _refuse_between(first, last)
    if network.num_addresses <= 2:
        return first, last, ""
    if network.version == 6:
        return network[1], last, f"{first}, which all routers of the subnet have, is left out"
    return network[1], network[-2], f"the network address {first} and the broadcast address {last} are left out"


def _between(first: Address, last: Address) -> Iterator[Address]:
    kind = type(first)
    return (kind(number) for number in range(int(first), int(last) + 1))
