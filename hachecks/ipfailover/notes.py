"""Notes on a plan: what a reader should know besides who has which VIP."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from hachecks.ipfailover.constraints import APART
from hachecks.ipfailover.losses import holder
from hachecks.ipfailover.spread import EVEN, HASH, UNKNOWN, fullest_by_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.ipfailover.ledger import Kept
    from hachecks.ipfailover.plan import Instance
    from hachecks.ipfailover.settings import Settings


def notes(
    settings: Settings, kept: Kept, instances: Sequence[Instance], nodes: Sequence[str], placement: str
) -> Iterator[str]:
    """What a reader should know besides the plan itself."""
    where = settings.where
    yield from (f"{where('OPENSHIFT_HA_VIRTUAL_IPS')}: {note}" for note in settings.virtual_ips.notes)
    if settings.preemption.note:
        yield f"{where('OPENSHIFT_HA_PREEMPTION')}: {settings.preemption.note}"
    if settings.excluded_vrrp_ids and settings.stock < (4, 11):
        yield f"{where('HA_EXCLUDED_VRRP_IDS')}: the stock image knows it since 4.11, and numbers differently before"
    groups = settings.virtual_ip_groups
    if kept.entries and groups and len(instances) != min(groups, sum(len(one.vips) for one in instances)):
        yield (
            f"{where('OPENSHIFT_HA_VIP_GROUPS')}: {groups} groups are asked for, and the ledger keeps {len(instances)} "
            "instances; VIPs stay where they are, and new ones fill the smallest"
        )
    if "OPENSHIFT_HA_USE_UNICAST" in settings.places and settings.unicast_peers and not settings.use_unicast:
        yield (
            f"{where('OPENSHIFT_HA_USE_UNICAST')}: it is false, and there are peers: unicast is used, as the stock "
            "image does whenever there are peers"
        )
    if "OPENSHIFT_HA_REPLICA_COUNT" in settings.places and nodes and settings.replicas != len(nodes):
        yield f"{where('OPENSHIFT_HA_REPLICA_COUNT')}: it is {settings.replicas}, and {len(nodes)} nodes are named"
    if placement == EVEN:
        yield from _brought_together(settings, instances)
    if placement == UNKNOWN:
        yield _unevenness(len(instances), settings.replicas)
    if placement == HASH:
        yield from _equal(instances)


def _brought_together(settings: Settings, instances: Sequence[Instance]) -> Iterator[str]:
    """For each set of VIPs that are apart, the first loss of one node or two that brings some of them together."""
    of = {vip: one for one in instances for vip in one.vips}
    for apart in settings.apart:
        members = {str(vip): of[str(vip)].ranks for vip in apart.addresses}
        masters = sorted({ranks[0][0] for ranks in members.values()})
        for lost in (*combinations(masters, 1), *combinations(masters, 2)):
            there: dict[str, str] = {}
            for vip, ranks in members.items():
                node = holder(ranks, lost)
                if node in there:
                    are = "is" if len(lost) == 1 else "are"
                    when = f"{' and '.join(lost)} {are} lost"
                    yield f"{settings.where(APART)}: {there[node]} and {vip} are both on {node} when {when}"
                    break
                there[node or ""] = vip
            else:
                continue
            break


def _unevenness(instances: int, nodes: int) -> str:
    """How uneven the spread is expected to be where nobody names the nodes."""
    usual, most = (fullest_by_hash(instances, nodes, certainty) for certainty in (0.5, 0.95))
    even = -(-instances // nodes)
    of = f"{instances} instance{'s' * (instances != 1)} on {nodes} node{'s' * (nodes != 1)}"
    return (
        f"no nodes are named, so each ranks itself by a hash: of {of} the fullest node has about {usual}, at most "
        f"{most} in 19 of 20 cases, where an even spread has {even}; name them by --nodes or OPENSHIFT_HA_NODES"
    )


def _equal(instances: Sequence[Instance]) -> Iterator[str]:
    """Which nodes have the same priority for a VIP among those that matter most."""
    for one in instances:
        (first, high), (second, low) = one.ranks[:2] if len(one.ranks) > 1 else (("", 1), ("", 0))
        if high == low:
            yield f"{one.vips[0]}: {first} and {second} have the priority {high}; of the two the higher address wins"
