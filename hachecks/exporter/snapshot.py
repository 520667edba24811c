"""A snapshot of this node: all its sources looked at once, as a document."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hachecks.exporter.document import document
from hachecks.exporter.node import NodeSources

if TYPE_CHECKING:
    from hachecks.node import Node

PAUSE = 0.05
"""Seconds between two looks while it is not clear yet whether Keepalived has ended."""


def look(node: Node) -> dict[str, Any]:
    """The document of one look."""
    sources = NodeSources(node, lambda _: None)
    asyncio.run(_read(sources))
    return document(sources.view())


async def _read(node: NodeSources) -> None:
    try:
        await node.addresses.read()
    except OSError as error:
        node.sources["netlink"].failed(f"netlink: {error}")
    node.refresh()
    while node.is_behind or node.process.is_undecided:
        await asyncio.sleep(0 if node.is_behind else PAUSE)
        node.refresh()
