"""Instances and their virtual router ids as the stock image numbers them: by position, after an offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

LARGEST_ID = 255
"""VRRP has 8 bits for an id, and 0 is none (RFC 5798, section 5.2.3)."""


class Numbered(NamedTuple):
    """An instance: its number, from 1, of which its name is made, its virtual router id, and its VIPs."""

    number: int
    id: int
    vips: tuple[str, ...]


def split(vips: Sequence[str], groups: int) -> Iterator[tuple[str, ...]]:
    """The VIPs of each instance, as upstream splits: 7 in 3 groups are 3, 2 and 2; without groups each has its own."""
    count = min(groups or len(vips), len(vips))
    start = 0
    for number in range(count):
        size = len(vips) // count + (number < len(vips) % count)
        yield tuple(vips[start : start + size])
        start += size


def free_ids(offset: int, *not_free: Collection[int]) -> Iterator[int]:
    """The ids after the offset that are in none of the collections."""
    return (number for number in range(offset + 1, LARGEST_ID + 1) if not any(number in one for one in not_free))


def stock_numbers(vips: Sequence[str], groups: int, offset: int, excluded: Collection[int]) -> tuple[Numbered, ...]:
    """The instances with the numbers the stock image gives them; raises `Invalid` where an id would be above 255.

    An excluded id shifts all that follow, since 4.11.
    """
    members = list(split(vips, groups))
    ids = list(free_ids(offset, excluded))
    if len(ids) < len(members):
        raise Invalid(no_room(len(members), len(ids), offset))
    return tuple(Numbered(number, ids[number - 1], one) for number, one in enumerate(members, 1))


def no_room(wanted: int, room: int, offset: int) -> str:
    """Why there are not enough ids, and the cure."""
    # The stock image goes on above 255, and then Keepalived does not start at all.
    cure = f"set OPENSHIFT_HA_VIP_GROUPS to {room} or less" if room else "exclude fewer ids"
    lower = ", or a lower OPENSHIFT_HA_VRRP_ID_OFFSET" if offset else ""
    return f"{wanted} instances need {wanted} ids, limit {room} above the offset {offset}; {cure}{lower}"
