"""The ids that are this process's alone on its node: two Keepaliveds with one id would both be master of its VIPs.

Each id on an interface is a name of a socket in the node's network namespace, which pods share though they see neither
each other's files nor processes. The kernel takes it away with its process, however that ends. Who is not root cannot
claim an id: a name that he has is passed over for another one, and he is told of.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.family import IPV6, family
from hachecks.ipfailover.pod.abstract_socket import named
from hachecks.ipfailover.pod.preflight.finding import listed
from hachecks.ipfailover.pod.socket_owners import socket_owners
from hachecks.settings import Invalid

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection, Iterable, Mapping

    from hachecks.ipfailover.render.target import Target

PREFIX = "hacheck-ipfailover-id/"
NAMES = 4
"""Names that an id may be claimed by: the others are for when somebody has the first who cannot claim it."""
ROOT = 0
SHOWS = "on the node, ss --unix --all --processes shows the process that has"


class Key(NamedTuple):
    """An id as adverts have it, and where."""

    interface: str
    family: str
    id: int

    @property
    def names(self) -> list[str]:
        """The names of its sockets, the first one first."""
        first = f"{PREFIX}{self.interface}/{self.family}/{self.id}"
        return [first, *(f"{first}/{number}" for number in range(1, NAMES))]


class Claim:
    """Claims all ids of a target or none; `findings` are why it has to wait, and who is in the way."""

    def __init__(self) -> None:
        self._sockets: dict[Key, socket.socket | None] = {}
        self._waits = ""
        self._squatted: dict[str, int] = {}

    @property
    def findings(self) -> list[str]:
        """A sentence each."""
        names = sorted(self._squatted)
        users = listed(sorted({str(self._squatted[name]) for name in names}))
        squatted = (
            f"the user {users}, who is not root, has {listed(f'@{name}' for name in names)} among the sockets of this "
            f"node, by which ids are claimed; that is passed over; {SHOWS} it, which is to be ended"
        )
        return [*filter(None, [self._waits]), *([squatted] if names else [])]

    def take(self, target: Target) -> bool:
        """Have its ids claimed; returns whether they are. Nobody else may have one of them."""
        missing = [key for key in keys(target) if key not in self._sockets]
        self._waits = ""
        if not missing:
            return True
        self._squatted = {}
        if self._are_free(missing):
            new = {key: _claimed(key) for key in missing}
            # Another may have come to the same thought meanwhile, who then sees ours.
            if self._are_free(missing, {one.getsockname() for one in new.values() if one}):
                self._sockets.update(new)
                return True
            _close(new.values())
        return False

    def extend(self, target: Target) -> None:
        """Have those of a target as well, where there is a claim; raises `Invalid` where they are another's."""
        if self._sockets and not self.take(target):
            why, self._waits = self._waits, ""
            raise Invalid(why)

    def keep(self, target: Target) -> None:
        """Claim nothing but what this target has."""
        kept = set(keys(target))
        self._let_go([key for key in self._sockets if key not in kept])

    def let_go(self) -> None:
        """Claim nothing."""
        self._let_go(list(self._sockets))
        self._waits, self._squatted = "", {}

    def _let_go(self, gone: Iterable[Key]) -> None:
        _close([self._sockets.pop(key) for key in gone])

    def _are_free(self, wanted: Collection[Key], own: Collection[bytes] = ()) -> bool:
        """Whether nobody has claimed one of them; remembers who has, and who is in the way."""
        there = socket_owners()
        mine = {os.fsdecode(name[1:]) for name in own}
        claimed: dict[Key, str] = {}
        for key in wanted:
            for name in key.names:
                if name not in there or name in mine:
                    continue
                user = there[name]
                if user in (None, ROOT, os.geteuid()):
                    claimed.setdefault(key, name)
                else:
                    self._squatted[name] = user
        self._waits = _waiting(claimed) if claimed else ""
        return not claimed


def keys(target: Target) -> list[Key]:
    """The ids of a target, in one order, so that of two who want some of the same one gets them all."""
    interface = target.settings.interface
    return sorted(
        {Key(interface, "ipv6" if family(one.vips[0]) == IPV6 else "ipv4", one.id) for one in target.plan.instances}
    )


def _waiting(claimed: Mapping[Key, str]) -> str:
    first = min(claimed)
    ids = list(dict.fromkeys(str(key.id) for key in sorted(claimed)))
    name, them, are = ("id", "it", "is") if len(ids) == 1 else ("ids", "them", "are")
    return (
        f"the {name} {listed(ids)} on {first.interface} {are} served by another hacheck ipfailover run of this node, "
        f"such as the pod before this one, whose end is waited for; {SHOWS} @{claimed[first]}; if it is another "
        f"configuration, move {them} by OPENSHIFT_HA_VRRP_ID_OFFSET"
    )


def _claimed(key: Key) -> socket.socket | None:
    """A socket with one of its names; None where there is none to be had, and it has to be done without."""
    for name in key.names:
        try:
            return named(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return None
    return None


def _close(sockets: Iterable[socket.socket | None]) -> None:
    for one in sockets:
        if one:
            one.close()
