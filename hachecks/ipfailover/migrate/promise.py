"""What a change at an instant costs at most: how long a VIP has no owner, and how long it has two.

What ends at the reload has no owner until the first new instance is master: three intervals of adverts without one, and
the skew of its priority (RFC 5798, section 6.1; Keepalived does the same for VRRP 2, whose skew is a part of a second).
What a reload keeps has its owner all the time; the other nodes would have to miss as many adverts first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hachecks.ipfailover.migrate.cases import Case
    from hachecks.ipfailover.settings import Settings

MISSED = 3
"""Adverts that a node misses before it takes a VIP."""
MISSED_WRITTEN = re.compile(r"^\s*(?:vrrp_)?down_timer_adverts\s+([0-9]{1,3})\b", re.MULTILINE | re.ASCII)
RELOAD, RELOAD_OF_EACH = 0.2, 0.003
"""Seconds from the instant to the end of a reload, and more for each instance: on three nodes that share two busy
processors 0.05 were measured with five instances and 0.56 with 240."""
CONTEST, CONTEST_OF_EACH = 0.08, 0.0003
"""Seconds in which nodes that became master at once settle it, and more for each instance: an advert goes from one to
the other, and an address away. Mostly 0.001 were measured, 0.054 once where all processors were busy, and 0.045 with
240 instances."""


class Promise(NamedTuple):
    """Seconds at most without an owner, and with two."""

    outage: float
    two_owners: float


def missed(settings: Settings) -> int:
    """The adverts that a node misses before it takes a VIP, by what somebody adds to keepalived.conf."""
    found = [int(one) for one in MISSED_WRITTEN.findall(f"{settings.verbatim_global}\n{settings.verbatim}")]
    return found[-1] if found else MISSED


def down(case: Case, missed: int) -> float:
    """Seconds without an advert after which the first node takes the VIP."""
    interval = case.plan.advert_interval or 1.0
    best = case.instance.ranks[0][1] if case.instance.ranks else 1
    version = case.plan.vrrp(case.instance)
    return missed * interval + (256 - best) / 256 * (interval if version == 3 else 1.0)


def promise(found: Iterable[tuple[Case, int]], instances: int, clocks: float) -> Promise:
    """For cases, each with the adverts that may be missed, when the nodes' clocks are so many seconds apart at most."""
    late = clocks + RELOAD + RELOAD_OF_EACH * instances
    outage, early = 0.0, 0.0
    for case, adverts in found:
        outage = max(outage, 0.0 if case.is_kept else down(case, adverts) + late)
        # The first node to change waits for so long, be it from its reload on or from the last advert that it heard.
        intervals = (one.advert_interval or 1.0 for one in (case.was_plan, case.plan))
        early = max(early, late - adverts * min(intervals))
    return Promise(outage, early + CONTEST + CONTEST_OF_EACH * instances)
