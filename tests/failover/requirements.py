"""What does a failover with real Keepalived need that this machine or this tree does not have?"""

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
    if os.geteuid() != 0:
        return "network namespaces need root: run it as root"
    for command, package in DEBIAN_PACKAGES.items():
        if shutil.which(command, path=PATH) is None:
            return f"{command} is not installed: apt-get install {package}"
    if not EXECUTABLE.exists():
        return f"{EXECUTABLE} is not built: make executable"
    return None
