"""Which Service has which VIPs with which ids: a pure function of what is shared, of the Services and the variables.

What is needed now only ever adds: a Service gets addresses, and a VIP an id. What is no longer needed is taken away by
`tidied` alone, which is for when nothing has changed for long: nodes learn of a change at different times, and one that
does not know of a VIP yet must not take from another what that one serves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.follow.addresses import addresses, elsewhere
from hachecks.ipfailover.follow.files import Checked
from hachecks.ipfailover.follow.shared import Shared
from hachecks.ipfailover.ledger import Kept, numbered, released
from hachecks.ipfailover.plan import plan_all, taken
from hachecks.ipfailover.vips import parse, parse_address, sort_key
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hachecks.ipfailover.follow.services import Service
    from hachecks.ipfailover.follow.wishes import Wishes
    from hachecks.ipfailover.ledger import Ledger


class Outcome(NamedTuple):
    """What is to be shared, and a sentence for each Service that does not get what it wants, by its key."""

    shared: Shared
    refused: Mapping[str, str]


def needed(wishes: Wishes, shared: Shared) -> Outcome:
    """What is shared with all that the wishes need; raises `Invalid` where the variables alone cannot be planned."""
    ledger = wishes.begun if shared.ledger is None else shared.ledger
    if not ledger.get(wishes.name, Kept("", ())).entries:
        ledger = _planned(wishes, ledger, ())  # the variables' own have the stock image's numbers, and no other has
    kept = ledger.get(wishes.name, Kept("", ()))
    table, refused = addresses(wishes, shared.allocations.get(wishes.name, {}), ledger)
    theirs = _theirs(wishes, table)
    others = tuple(vip for one in kept.entries for vip in one.vips if vip not in (*wishes.own, *theirs))
    fitting, no_room = _fitting(wishes, ledger, theirs, others)
    for vip, why in no_room.items():
        refused[theirs[vip]] = why
        table = {key: vips for key, vips in table.items() if vip not in vips}
    planned = _planned(wishes, ledger, (*fitting, *others))
    if wishes.name in shared.allocations or table:
        shared = shared._replace(allocations={**shared.allocations, wishes.name: table})
    return Outcome(shared._replace(ledger=_with_nodes_kept(planned, ledger) or shared.ledger), refused)


def tidied(wishes: Wishes, shared: Shared) -> Shared:
    """What is shared without what nobody wants; first its id rests, and when all that is to rest does, it is free."""
    ledger = shared.ledger or {}
    table = shared.allocations.get(wishes.name, {})
    present = {one.key for one in wishes.services if one.is_ours}
    left = {key: vips for key, vips in table.items() if key in present}
    theirs = _theirs(wishes, left)
    planned = _planned(wishes, ledger, tuple(vip for vip in theirs if _is_known(ledger.get(wishes.name), vip)))
    if planned == ledger and wishes.name in planned:
        planned = {**planned, wishes.name: released(planned[wishes.name])}
    allocations = {**shared.allocations, wishes.name: left} if table != left else shared.allocations
    return Shared(planned, allocations)


def served(wishes: Wishes, shared: Shared) -> list[tuple[Checked, Service]]:
    """The VIPs of Services that are in force, for each the Service that it is checked by; in order of addresses.

    A VIP is in force when its id is shared.
    """
    table = shared.allocations.get(wishes.name, {})
    kept = (shared.ledger or {}).get(wishes.name)
    found: dict[str, Service] = {}
    for vip, one in _wanted(wishes, table):
        if _is_known(kept, vip):
            found.setdefault(vip, one)
    return [(Checked(vip, found[vip].check), found[vip]) for vip in sorted(found, key=_by_address)]


def vips_of(service: Service, wishes: Wishes, shared: Shared) -> tuple[str, ...]:
    """The VIPs that a Service of our class has, those alone whose ids are shared."""
    kept = (shared.ledger or {}).get(wishes.name)
    table = shared.allocations.get(wishes.name, {})
    return tuple(vip for vip in table.get(service.key, ()) if _is_known(kept, vip)) if service.is_ours else ()


def _by_address(vip: str) -> tuple[int, int]:
    return sort_key(parse_address(vip))


def _is_known(kept: Kept | None, vip: str) -> bool:
    return kept is not None and any(vip in one.vips for one in kept.entries)


def _theirs(wishes: Wishes, table: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The VIPs of Services, and external addresses, that are to have an id, each with the key of a Service."""
    found: dict[str, str] = {}
    for vip, one in _wanted(wishes, table):
        found.setdefault(vip, one.key)
    return found


def _wanted(wishes: Wishes, table: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Service]]:
    """VIPs with the Services that want them, allocated ones first; those of the variables are none of these."""
    services = wishes.in_order()
    pairs = [(vip, one) for one in services if one.is_ours for vip in table.get(one.key, ())]
    pairs += [(vip, one) for one in services for vip in one.external]
    return (pair for pair in pairs if pair[0] not in wishes.own)


def _fitting(
    wishes: Wishes, ledger: Ledger, theirs: Mapping[str, str], others: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """The VIPs for which there are ids, those that have one already first; and why there are none for the rest."""
    if _fits(wishes, ledger, (*theirs, *others)) is None:
        return list(theirs), {}
    kept = ledger.get(wishes.name)
    fitting: list[str] = []
    no_room: dict[str, str] = {}
    for vip in sorted(theirs, key=lambda vip: not _is_known(kept, vip)):
        why = _fits(wishes, ledger, (*fitting, vip, *others))
        if why is None:
            fitting.append(vip)
        else:
            no_room[vip] = f"{theirs[vip]}: {vip} gets no id: {why}"
    return fitting, no_room


def _fits(wishes: Wishes, ledger: Ledger, more: Iterable[str]) -> str | None:
    """Why these VIPs cannot have ids beside those of the variables; None where they can."""
    settings = wishes.settings
    vips = list(dict.fromkeys((*wishes.own, *more)))
    theirs = elsewhere(wishes, ledger)
    strange = next((vip for vip in vips if vip in theirs), None)
    if strange:
        return f"{strange} is a VIP of another configuration"
    try:
        parse(",".join(vips))  # no more than a list may have
        numbered(
            ledger.get(wishes.name, Kept("", ())),
            vips,
            settings.virtual_ip_groups,
            settings.vrrp_id_offset,
            settings.excluded_vrrp_ids,
            taken(settings, ledger),
        )
    except (Invalid, ValueError) as error:
        return str(error)
    return None


def _planned(wishes: Wishes, ledger: Ledger, more: Sequence[str]) -> Ledger:
    """The ledger after a plan with more VIPs; as it was where there is no VIP at all."""
    text = ",".join(dict.fromkeys((*wishes.own, *more)))
    if not text:
        return ledger
    _, after = plan_all([replace(wishes.settings, virtual_ips=parse(text))], ledger, wishes.spread)
    return after


def _with_nodes_kept(planned: Ledger, before: Ledger) -> Ledger:
    """The ledger with the nodes that it had: two nodes that know of others would change them to and fro."""
    found = {}
    for name, kept in planned.items():
        old = before.get(name)
        nodes = {one.number: one.nodes for one in old.entries} if old else {}
        entries = tuple(one._replace(nodes=nodes.get(one.number) or one.nodes) for one in kept.entries)
        found[name] = Kept((old.interface if old else "") or kept.interface, entries)
    return found
