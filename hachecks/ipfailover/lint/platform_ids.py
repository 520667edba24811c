"""Ids that OpenShift's own Keepalived has, on bare metal, vSphere, OpenStack and others: made of the cluster's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULUS = 15


def fletcher8(text: str) -> int:
    """Fletcher's checksum of two halves of 4 bits (RFC 1146 has the larger ones), at most 238."""
    first = second = 0
    for byte in text.encode():
        first = (first + byte) % MODULUS
        second = (second + first) % MODULUS
    return second << 4 | first


def platform_ids(cluster: str) -> Mapping[int, str]:
    """The virtual router ids of a cluster of this name, each with what it is for; baremetal-runtimecfg makes them so.

    0 is no id, so 1 is added. The two are never one: the sums of their endings differ modulo 15.
    """
    return {fletcher8(f"{cluster}-{name}") + 1: what for name, what in (("api", "the API"), ("ingress", "ingress"))}
