"""Capabilities of a pod of ours, each with what it is for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hachecks.ipfailover.manifests.wanted import Configuration

ALWAYS: Mapping[str, str] = {
    "NET_ADMIN": "Keepalived puts VIPs on the interface and takes them away, and joins multicast groups there; and the "
    "firewall is told to let VRRP in.",
    "NET_RAW": "VRRP is a protocol of its own beside TCP and UDP, gratuitous ARP is sent, and what is on the wire is "
    "heard.",
    "SETGID": "Keepalived sets the groups of each check before it starts it; where it may not, it starts none, and "
    "takes every check for one that passes.",
}
OF_KEYWORDS: Mapping[str, tuple[str, str]] = {
    r"(?:vrrp_|checker_|bfd_)?(?:rt_)?priority|(?:vrrp_|checker_|bfd_)rlimit_rttime|max_auto_priority": (
        "SYS_NICE",
        "OPENSHIFT_HA_VERBATIM_GLOBAL has Keepalived run before others.",
    ),
    "(?:vrrp_|checker_|bfd_)no_swap": ("IPC_LOCK", "OPENSHIFT_HA_VERBATIM_GLOBAL has Keepalived stay in memory."),
}
"""By keywords of global_defs that need one."""


def capabilities(one: Configuration) -> Mapping[str, str]:
    """The capabilities that a configuration needs, and why."""
    found = dict(ALWAYS)
    words = {line.split()[0] for line in one.settings.verbatim_global.splitlines() if line.split()}
    for pattern, (name, why) in OF_KEYWORDS.items():
        if any(re.fullmatch(pattern, word) for word in words):
            found[name] = why
    return found
