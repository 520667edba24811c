"""Features of the stock image by version: the places where its generator changed."""

from __future__ import annotations

from typing import NamedTuple

OLDEST = (3, 11)
"""The oldest whose generator is simulated; those before had no groups."""


class Features(NamedTuple):
    """What one version of the generator does that another does not.

    `offset` stands where none is given; `excludes` says that it knows HA_EXCLUDED_VRRP_IDS; `interfaces` are looked for
    in turn after the one that is named; `auto_priority` says that Keepalived may raise its own scheduling priority;
    `backs_up` says that instances of `nopreempt` have no `state MASTER`.
    """

    offset: str
    excludes: bool
    interfaces: tuple[str, ...]
    auto_priority: bool
    backs_up: bool


def features(stock: tuple[int, int]) -> Features:
    """The features of a version."""
    return Features(
        offset="10" if stock >= (4, 20) else "0",
        excludes=stock >= (4, 11),
        interfaces=("enp0s3", "enp0s8", "eth1", *(("ens3",) if stock >= (4, 11) else ())),
        auto_priority=stock >= (4, 16),
        backs_up=stock >= (4, 18),
    )
