"""A node whose state is in a directory of a test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.node import Node, node_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def node_at(directory: Path | str, environ: Mapping[str, str] | None = None, **variables: str) -> Node:
    """The node; `variables` are HACHECK_* without the prefix, such as `keepalived_config`."""
    said = {f"HACHECK_{name.upper()}": value for name, value in variables.items()}
    return node_of({**(environ or {}), **said, "HACHECK_STATE_DIR": str(directory)})


def places(directory: Path | str) -> tuple[str, ...]:
    """Where the state of that node may be."""
    return tuple(node_at(directory).places)
