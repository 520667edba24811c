"""The ledger of ids: which instance a VIP has, with its virtual router id and its nodes, for as long as it is served.

It is a small JSON file. What it holds decides over what the variables would number anew: adding, removing or
reordering VIPs changes no other's id, and the id of a removed VIP rests until the change is on every node.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.ids import LARGEST_ID, Numbered, free_ids, no_room, stock_numbers
from hachecks.ipfailover.vips import parse_address
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from typing import Any

FORMAT = "hachecks_ipfailover_ledger"
VERSION = 1


class Entry(NamedTuple):
    """An instance: its number, id and VIPs, the VIPs that left it and rest, and its best nodes, the master first."""

    number: int
    id: int
    vips: tuple[str, ...]
    resting: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


class Kept(NamedTuple):
    """What is kept of a configuration: its interface, empty where none is named, and its instances."""

    interface: str
    entries: tuple[Entry, ...]


Ledger = dict[str, Kept]
"""What is kept, by the name of the configuration."""


def released(kept: Kept) -> Kept:
    """The same when every node has it: nothing rests any more."""
    return kept._replace(entries=tuple(one._replace(resting=()) for one in kept.entries if one.vips))


def numbered(
    kept: Kept, vips: Sequence[str], groups: int, offset: int, excluded: Collection[int], taken: Mapping[int, str]
) -> tuple[Entry, ...]:
    """The instances for these VIPs, those that only rest among them; raises `Invalid`.

    `taken` are ids of other configurations on the same interface, with their names.
    """
    if not kept.entries:
        fresh = tuple(Entry(*one) for one in stock_numbers(vips, groups, offset, excluded))
        _refuse_taken(fresh, taken)
        return fresh
    entries = _moved_from(excluded, [_left(one, set(vips)) for one in kept.entries], offset, taken)
    known = {vip for one in entries for vip in one.vips}
    for vip in vips:
        if vip not in known:
            _add(entries, vip, groups, offset, excluded, taken)
    _refuse_taken(tuple(entries), taken)
    return tuple(sorted(entries, key=lambda one: one.number))


def _left(entry: Entry, wanted: set[str]) -> Entry:
    """The entry with what is wanted of it; what left it while it rests comes back as it was."""
    vips = [vip for vip in entry.vips if vip in wanted] + [vip for vip in entry.resting if vip in wanted]
    resting = [vip for vip in (*entry.resting, *entry.vips) if vip not in wanted]
    return entry._replace(vips=tuple(vips), resting=tuple(resting))


def _moved_from(excluded: Collection[int], entries: list[Entry], offset: int, taken: Mapping[int, str]) -> list[Entry]:
    """The entries, of which those whose id is excluded since have another: somebody else has it on the segment."""
    for place, one in enumerate(entries):
        if one.id in excluded and one.vips:
            entries[place] = one._replace(id=_next_id(entries, offset, excluded, taken))
    return [one for one in entries if one.id not in excluded]


def _add(
    entries: list[Entry], vip: str, groups: int, offset: int, excluded: Collection[int], taken: Mapping[int, str]
) -> None:
    """Give a new VIP an instance of its own, or with groups the smallest once there are enough of them."""
    live = [place for place, one in enumerate(entries) if one.vips]
    if groups and len(live) >= groups:
        place = min(live, key=lambda one: (len(entries[one].vips), entries[one].id))
        entries[place] = entries[place]._replace(vips=(*entries[place].vips, vip))
        return
    numbers = {one.number for one in entries}
    number = next(number for number in range(1, len(numbers) + 2) if number not in numbers)
    entries.append(Entry(number, _next_id(entries, offset, excluded, taken), (vip,)))


def _next_id(entries: Sequence[Entry], offset: int, excluded: Collection[int], taken: Mapping[int, str]) -> int:
    used = {one.id for one in entries}
    number = next(free_ids(offset, excluded, taken, used), None)
    if number is None:
        resting = sum(not one.vips for one in entries)
        free = f"; ids that rest, {resting}, are freed by --rolled-out once every node has this plan" if resting else ""
        live = sum(bool(one.vips) for one in entries)
        raise Invalid(f"{no_room(live + 1, live, offset)}{free}")
    return number


def _refuse_taken(entries: Sequence[Entry], taken: Mapping[int, str]) -> None:
    for one in entries:
        if one.vips and one.id in taken:
            raise Invalid(
                f"id {one.id} of {one.vips[0]} is the configuration {taken[one.id]}'s on the same interface; "
                "give this one another OPENSHIFT_HA_VRRP_ID_OFFSET"
            )


def numbers_of(entries: Sequence[Entry]) -> Iterator[Numbered]:
    """The instances that serve a VIP."""
    return (Numbered(one.number, one.id, one.vips) for one in entries if one.vips)


def write(ledger: Ledger) -> str:
    """The text of a ledger: a line for each instance, in an order that does not change by itself."""
    parts = []
    for name, kept in sorted(ledger.items()):
        lines = [json.dumps(_written(one)) for one in kept.entries]
        inner = ",\n   ".join(lines)
        parts.append(
            f'  {json.dumps(name)}: {{"interface": {json.dumps(kept.interface)}, "instances": [\n   {inner}]}}'
        )
    return f'{{"{FORMAT}": {VERSION}, "configurations": {{\n' + ",\n".join(parts) + "\n}}\n"


def _written(entry: Entry) -> dict[str, Any]:
    whole = {"number": entry.number, "id": entry.id, "vips": entry.vips}
    if entry.resting:
        whole["resting"] = entry.resting
    if entry.nodes:
        whole["nodes"] = entry.nodes
    return whole


def read(text: str, place: str) -> Ledger:
    """The ledger of a text; raises `Invalid` for what no ledger can hold."""
    try:
        document = json.loads(text)
        if document[FORMAT] != VERSION:
            raise Invalid(f"{place}: it is a ledger of version {document[FORMAT]!r}, expected {VERSION}")
        return {str(name): _kept(table, f"{place}: {name}") for name, table in document["configurations"].items()}
    except Invalid:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Invalid(f"{place}: this is no ledger of hacheck ipfailover; name the right file") from None


def _kept(table: Mapping[str, Any], place: str) -> Kept:
    entries = tuple(_entry(one) for one in table["instances"])
    names = [vip for one in entries for vip in (*one.vips, *one.resting)]
    for what, all_of in (
        ("number", [one.number for one in entries]),
        ("id", [one.id for one in entries]),
        ("VIP", names),
    ):
        ((most, times),) = Counter(all_of).most_common(1) or ((None, 0),)
        if times > 1:
            raise Invalid(f"{place}: the {what} {most} is in it twice")
    wrong = next((one for one in entries if not (1 <= one.id <= LARGEST_ID and one.number >= 1)), None)
    if wrong:
        raise Invalid(f"{place}: id {wrong.id} or number {wrong.number} is out of range, limit {LARGEST_ID}")
    return Kept(_text(table["interface"]), entries)


def _entry(table: Mapping[str, Any]) -> Entry:
    vips, resting = (tuple(str(parse_address(one)) for one in table.get(key, ())) for key in ("vips", "resting"))
    nodes = tuple(_text(one) for one in table.get("nodes", ()))
    number, identifier = table["number"], table["id"]
    if not (type(number) is int and type(identifier) is int):
        raise TypeError
    return Entry(number, identifier, vips, resting, nodes)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
