"""How is this node looked at, by the exporter again and again, and by `hacheck status` once?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hachecks.delivery.channels import KEEPALIVED_CONF, config_id, node_name
from hachecks.exporter.document import document
from hachecks.exporter.node import Node
from hachecks.transitions import journal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hachecks.status import NameOfCheck, NodeOptions

PAUSE = 0.05
"""Seconds between two looks while it is not clear yet whether Keepalived has ended."""


def node_of(
    options: NodeOptions, environ: Mapping[str, str], name_of_check: NameOfCheck, tell: Callable[[str], None]
) -> Node:
    """The node as these options see it; `tell` learns of sources that fail."""
    environ = {**environ, "HACHECK_STATE_DIR": options.state_dir}
    path = options.keepalived_config or environ.get("KEEPALIVED_CONFIG") or KEEPALIVED_CONF
    read = (path, options.config_id or config_id(environ))
    return Node(node_name(environ), read, journal.places(environ), environ, name_of_check, tell)


def look(options: NodeOptions, environ: Mapping[str, str], name_of_check: NameOfCheck) -> dict[str, Any]:
    """The document of one look."""
    node = node_of(options, environ, name_of_check, lambda _: None)
    asyncio.run(_read(node))
    return document(node.view())


async def _read(node: Node) -> None:
    try:
        await node.addresses.read()
    except OSError as error:
        node.sources["netlink"].failed(f"netlink: {error}")
    node.refresh()
    while node.is_behind or node.process.is_undecided:
        await asyncio.sleep(0 if node.is_behind else PAUSE)
        node.refresh()
