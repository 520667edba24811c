"""One look at this node without an exporter: all its sources are read once, and told as the status document."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hachecks.exporter.document import document
from hachecks.exporter.sources import Sources
from hachecks.exporter.view_builder import ViewBuilder

if TYPE_CHECKING:
    from hachecks.node import Node

POLL_INTERVAL = 0.05
"""Seconds between two looks while it is not clear yet whether Keepalived has ended."""


def look(node: Node) -> dict[str, Any]:
    """The document of one look."""
    sources = Sources(node, lambda _: None)
    asyncio.run(_read(sources))
    return document(ViewBuilder(sources).view())


async def _read(sources: Sources) -> None:
    try:
        await sources.addresses.read()
    except OSError as error:
        sources.health["netlink"].failed(f"netlink: {error}")
    sources.refresh()
    while sources.is_behind or sources.is_undecided:
        await asyncio.sleep(0 if sources.is_behind else POLL_INTERVAL)
        sources.refresh()
