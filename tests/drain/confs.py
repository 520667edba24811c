"""A keepalived.conf with a drain file, as it is rendered, and otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.ipfailover.rendering import render

if TYPE_CHECKING:
    from pathlib import Path


def conf_in(directory: Path, **short: str) -> Path:
    """The file keepalived.conf in a directory, of node a of three, whose drain file is `drain` beside it."""
    given = {"NODES": "a,b,c", "VIRTUAL_IPS": "10.0.0.1-3", "DRAIN_FILE": str(directory / "drain"), **short}
    path = directory / "keepalived.conf"
    path.write_text(render(given))
    return path
