"""This node in the plan: by the name that it has, or by one of its addresses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hachecks.ipfailover.render.target import is_address
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Collection

    from hachecks.ipfailover.plan import Plan
    from hachecks.ipfailover.settings import Settings


def own_node(plan: Plan, name: str, addresses: Collection[str]) -> str:
    """The node as the plan has it, empty where it has none of this name or these addresses; raises `Invalid`."""
    if not plan.nodes or name in plan.nodes:
        return name
    # A VIP that was left behind is no address of the node's own.
    vips = {vip for one in plan.instances for vip in one.vips}
    found = [node for node in plan.nodes if node in addresses and node not in vips]
    if len(found) > 1:
        raise Invalid(f"this node has the addresses of {len(found)} nodes, {' and '.join(found)}; say which by --node")
    return found[0] if found else ""


def with_own_address(settings: Settings, node: str, addresses: Collection[str]) -> Settings:
    """The settings with the address by which this node speaks to its peers, where nodes have names."""
    if not settings.unicast_peers or settings.unicast_source or is_address(node):
        return settings
    mine = [peer for peer in settings.unicast_peers if peer in addresses]
    return replace(settings, unicast_source=mine[0]) if len(mine) == 1 else settings
