"""The rights that Keepalived needs: those of this process, and those that are left to what it starts."""

from __future__ import annotations

import ctypes
import os
import socket
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.pod.preflight.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hachecks.ipfailover.settings import Settings

NET_ADMIN, NET_RAW, SETGID, SYS_NICE = "NET_ADMIN", "NET_RAW", "SETGID", "SYS_NICE"
NUMBERS = {SETGID: 6, NET_ADMIN: 12, NET_RAW: 13, SYS_NICE: 23}
"""The kernel's, of linux/capability.h."""
WHY = {
    NET_ADMIN: "to put VIPs on the interface",
    NET_RAW: "to send and hear adverts, which are IP protocol 112",
    # Its child sets the groups before it becomes the script. Where it may not, it ends with 0 (tried with 2.2.7).
    SETGID: "to start checks, each of which it would take for one that passes",
    SYS_NICE: "for real time",
}
PR_GET_SECUREBITS, NOROOT = 27, 1
SO_RCVBUFFORCE = 33
VRRP = 112
REAL_TIME = ("max_auto_priority", "vrrp_rt_priority", "vrrp_priority", "min_auto_priority_delay")
"""Keywords of global_defs by which Keepalived asks for more than a share of the processor."""
NO_REAL_TIME = ("0", "-1")
CURE = "add it to securityContext.capabilities.add"


class Rights(NamedTuple):
    """The user, and capabilities as bit masks: what counts now, and what a program gets that is started."""

    user: int
    effective: int
    inherited: int


def of_self() -> Rights:
    """This process's, as /proc/self/status has them; raises `OSError`."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        said: Mapping[str, str] = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    bounding, permitted = int(said["CapBnd"], 16), int(said["CapPrm"], 16)
    if os.geteuid() or _root_is_nobody():
        inherited = int(said.get("CapAmb", "0"), 16)
    else:
        # What root starts has all that the bounding set leaves, but no more than we have under no_new_privs.
        inherited = bounding & permitted if said.get("NoNewPrivs", "0") == "1" else bounding
    return Rights(os.geteuid(), int(said["CapEff"], 16), inherited)


def not_root(user: int) -> Finding:
    """What is to be said where this runs as another user: even Keepalived's test of a file is another's then."""
    return Finding(f"this runs as uid {user}, and Keepalived needs root; set securityContext.runAsUser to 0", "fatal")


def look(settings: Settings, rights: Rights) -> Iterator[Finding]:
    """What is missing."""
    if rights.user:
        yield not_root(rights.user)
        return
    for name in (NET_ADMIN, NET_RAW, SETGID):
        mask = 1 << NUMBERS[name]
        if not rights.effective & mask or not rights.inherited & mask:
            whose = "" if not rights.effective & mask else "what is started here has "
            yield Finding(f"{whose or 'there is '}no CAP_{name}, which Keepalived needs {WHY[name]}; {CURE}", "fatal")
        elif trouble := _tried(name):
            yield Finding(
                f"CAP_{name} is there, and the kernel refuses what it is for: {trouble}; run in the host's own user "
                "namespace, and let seccomp and SELinux allow it",
                "fatal",
            )
    word = _real_time(settings)
    if word and not rights.inherited & 1 << NUMBERS[SYS_NICE]:
        yield Finding(
            f"{settings.where('OPENSHIFT_HA_VERBATIM_GLOBAL')}: {word} needs CAP_{SYS_NICE}, which is not there; "
            f"{CURE}, or leave {word} out",
            "warn",
        )


def _root_is_nobody() -> bool:
    """Whether root is a user like any other here, by the securebit NOROOT."""
    return bool(ctypes.CDLL(None).prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) & NOROOT)


def _tried(name: str) -> str:
    """Why the kernel does not let us do what the capability is for; empty where it does."""
    try:
        if name == NET_RAW:
            socket.socket(socket.AF_INET, socket.SOCK_RAW, VRRP).close()
        elif name == SETGID:
            os.setgroups(os.getgroups())
        else:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
                tried.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 65536)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _real_time(settings: Settings) -> str:
    """The keyword by which real time is asked for, or none."""
    for line in settings.verbatim_global.splitlines():
        words = line.split()
        if words and words[0] in REAL_TIME and words[1:2] != [] and words[1] not in NO_REAL_TIME:
            return words[0]
    return ""
