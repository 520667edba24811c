"""What another part of ours adds to a configuration: VIPs behind those that are there, with the checks of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.settings import CHECK
from hachecks.ipfailover.variable import Given
from hachecks.ipfailover.vips import ITEM, parse

if TYPE_CHECKING:
    from hachecks.ipfailover.sources import Source

VIPS = "OPENSHIFT_HA_VIRTUAL_IPS"


def with_added(source: Source, added: Source) -> Source:
    """The source with the VIPs of `added` behind its own; checks are numbered as the items of `added` are.

    A VIP that the source has itself stays its own.
    """
    more = added.given.get(VIPS)
    own = source.given.get(VIPS)
    before = own.text.strip().rstrip(",") if own else ""
    mine, number = _addresses(before), len(ITEM.findall(before))
    given, items = dict(source.given), [before] if before else []
    for place, item in enumerate(ITEM.findall(more.text) if more else (), 1):
        if item in mine:
            continue
        number += 1
        items.append(item)
        check = added.given.get(f"{CHECK}{place}")
        if check:
            given[f"{CHECK}{number}"] = check
    if more and items:
        given[VIPS] = Given(",".join(items), f"{own.place} with {more.place}" if own else more.place)
    return source._replace(given=given)


def _addresses(text: str) -> frozenset[str]:
    try:
        return frozenset(map(str, parse(text).addresses))
    except ValueError:  # which is told where it is read
        return frozenset()
