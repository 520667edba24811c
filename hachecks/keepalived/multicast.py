"""VRRP's multicast group, and the interfaces that have joined it: who hears nobody becomes MASTER beside another."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VRRP_IPV4 = "120000E0"
"""224.0.0.18, as /proc/net/igmp writes it (RFC 9568, 5.1.1.2): the kernel's byte order, little-endian."""
VRRP_IPV6 = "ff020000000000000000000000000012"
"""ff02::12, as /proc/net/igmp6 writes it."""


def joined(interfaces: Iterable[tuple[str, str]]) -> Iterator[tuple[str, bool]]:
    """For each interface and family (ipv4, ipv6), whether it has; nothing where the kernel does not tell."""
    wanted = sorted(set(interfaces))
    if not wanted:
        return
    groups = {"ipv4": _ipv4(), "ipv6": _ipv6()}
    for name in dict.fromkeys(name for name, _ in wanted):
        families = [groups[family] for one, family in wanted if one == name and family in groups]
        if families and all(members is not None for members in families):
            yield name, all(name in (members or ()) for members in families)


def _ipv4() -> set[str] | None:
    """The interfaces in the group: a line `IDX NAME : COUNT …`, and under it one for each group."""
    with contextlib.suppress(OSError), open("/proc/net/igmp", encoding="ascii", errors="replace") as file:
        members, name = set(), ""
        for line in file:
            if not line[:1].isspace():
                name = line.split()[1].rstrip(":")
            elif line.split(None, 1)[0] == VRRP_IPV4:
                members.add(name)
        return members
    return None


def _ipv6() -> set[str] | None:
    with contextlib.suppress(OSError), open("/proc/net/igmp6", encoding="ascii", errors="replace") as file:
        return {words[1] for words in map(str.split, file) if len(words) > 2 and words[2] == VRRP_IPV6}
    return None
