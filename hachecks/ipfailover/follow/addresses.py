"""The addresses of Services of our class: those that they ask for, or the first free ones of a range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from hachecks.ipfailover.follow.services import Service
    from hachecks.ipfailover.follow.wishes import Wishes
    from hachecks.ipfailover.ledger import Ledger


def addresses(
    wishes: Wishes, had: Mapping[str, tuple[str, ...]], ledger: Ledger
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """The addresses of each Service of our class, those that are gone among them, and who gets none and why."""
    table, refused = dict(had), {}
    present = frozenset(one.key for one in wishes.services if one.is_ours)
    not_free = frozenset(wishes.own) | elsewhere(wishes, ledger)
    external = frozenset(vip for one in wishes.services for vip in one.external)
    for one in wishes.in_order():
        if not one.is_ours:
            continue
        mine = table.pop(one.key, ())
        holders = {vip: key for key, vips in table.items() for vip in vips}
        held = {vip for vip, key in holders.items() if key in present}
        try:
            for vip in one.asked:
                _refuse_asked(vip, wishes, not_free, holders if vip in held else {})
            got = one.asked or tuple(
                _allocated(wishes, one, mine, not_free | external | held, (*holders, *_resting(wishes, ledger)))
            )
        except Invalid as error:
            refused[one.key] = f"{one.key}: {error}"
            continue
        gone = {holders[vip] for vip in got if vip in holders}
        table = {key: vips for key, vips in table.items() if key not in gone}
        table[one.key] = got
    return table, refused


def elsewhere(wishes: Wishes, ledger: Ledger) -> frozenset[str]:
    """The VIPs of other configurations."""
    return frozenset(
        vip for name, kept in ledger.items() if name != wishes.name for one in kept.entries for vip in one.vips
    )


def _resting(wishes: Wishes, ledger: Ledger) -> Iterator[str]:
    kept = ledger.get(wishes.name)
    return (vip for one in (kept.entries if kept else ()) for vip in one.resting)


def _refuse_asked(vip: str, wishes: Wishes, not_free: Collection[str], holders: Mapping[str, str]) -> None:
    """Raise `Invalid` where a Service cannot have an address that it asks for."""
    if vip in not_free:
        raise Invalid(f"{vip} is a VIP of OPENSHIFT_HA_VIRTUAL_IPS; ask for another one")
    if vip not in wishes.room:
        raise Invalid(f"{vip} is in no --service-range; ask for another one, or for none")
    if vip in holders:
        raise Invalid(f"{vip} is the VIP of {holders[vip]}; ask for another one, or for none")


def _allocated(
    wishes: Wishes, service: Service, mine: Collection[str], not_free: Collection[str], last: Collection[str]
) -> Iterator[str]:
    """The address it has, or the first free one, of each family; raises `Invalid` where there is none of any.

    `last` are addresses that rest, or that a Service had which is gone: they may still be served somewhere.
    """
    found = 0
    for family in service.families:
        room = (vip for vip in wishes.room if (":" in vip) == (family == 6))
        free = [vip for vip in room if vip not in not_free]
        best = min(free, key=lambda vip: (vip not in mine, vip in last), default=None)
        if best is not None:
            found += 1
            yield best
    if not found:
        kinds = " and ".join(f"IPv{family}" for family in service.families)
        raise Invalid(f"no {kinds} address of --service-range is free; widen it")
