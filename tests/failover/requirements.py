"""What a failover with real Keepalived needs that this machine or this tree does not have."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .namespace import PATH

EXECUTABLE = Path(__file__).parents[2] / "dist" / "hacheck"

DEBIAN_PACKAGES = {
    "curl": "curl",
    "ip": "iproute2",
    "keepalived": "keepalived",
    "nginx": "nginx",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}


def missing() -> str | None:
    """One sentence that says what to do about the first thing that is missing, or None."""
    lack = missing_command(*DEBIAN_PACKAGES)
    if lack is None and not EXECUTABLE.exists():
        return f"{EXECUTABLE} is not built: make executable"
    return lack


def missing_command(*commands: str) -> str | None:
    """The same of root's rights, and of these commands alone."""
    if os.geteuid() != 0:
        return "network namespaces need root: run it as root"
    for command in commands:
        if shutil.which(command, path=PATH) is None:
            return f"{command} is not installed: apt-get install {DEBIAN_PACKAGES.get(command, command)}"
    return None
