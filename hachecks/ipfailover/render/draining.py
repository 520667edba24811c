"""The file by which a node is drained: below all nodes that are well, and above those whose check fails.

`hacheck drain` writes 1 there. Each instance has a weight of its own, which puts drained nodes right below the last one
that is not, in the order that they have anyway: so a VIP that no other node can take stays where it is. A number that
makes FAULT of every weight moves VIPs at once, for seconds, where a lower priority moves none (nopreempt).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.render.weight import lowest, tier
from hachecks.ipfailover.spread import EVEN, HIGHEST
from hachecks.keepalived.track_files import DRAIN
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.ipfailover.plan import Instance
    from hachecks.ipfailover.render.target import Target

VARIABLE = "OPENSHIFT_HA_DRAIN_FILE"


def name(target: Target) -> str:
    """The track_file's name; empty without one; raises `Invalid` where drained nodes have no room below the others."""
    settings, nodes = target.settings, len(target.plan.nodes)
    if not settings.drain_file:
        return ""
    where = settings.where(VARIABLE)
    if settings.drain_file == settings.track_file:
        raise Invalid(f"{where}: it is that of OPENSHIFT_HA_TRACK_FILE; whoever writes one would undo the other")
    if lowest(target) - tier(target) < 1:
        raise Invalid(f"{where}: of {nodes} nodes the last cannot be lowered, limit {HIGHEST // 2}; leave it out")
    return f"{DRAIN}_{settings.config_name.replace('-', '_')}"


def weight(target: Target, instance: Instance) -> int:
    """What the drain of this node adds to its priority for an instance."""
    priority, below = target.priority(instance), lowest(target) - 1
    if target.plan.placement == EVEN:
        return below - instance.nodes.index(target.node) - priority
    # Nodes that rank themselves know no ranks: two priorities become one, and the address decides, as it does anyway.
    return below - (HIGHEST - priority) // 2 - priority


def block(target: Target, called: str) -> Iterator[str]:
    """The track_file block: 0, which is not drained, until `hacheck drain` says otherwise, also after a restart."""
    if called:
        yield f"track_file {called} {{"
        yield f'    file "{target.settings.drain_file}"'
        # Each instance has its own; this is for one that somebody adds.
        yield f"    weight {min(weight(target, one) for one in target.plan.instances)}"
        yield "    init_file 0"
        yield "}"
        yield ""
