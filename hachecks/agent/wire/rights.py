"""The rights that the agent gives up once it hears the segment, for itself and for all that it starts.

A process of user 0 would regain them in each program that it starts; not so after PR_SET_NO_NEW_PRIVS, see
capabilities(7) and prctl(2). Both count for a thread, and for what it begins: no other thread may run yet.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NET_ADMIN, NET_RAW = 12, 13
UNUSED = (11, 16, 17, 22, 25)
"""NET_BROADCAST, SYS_MODULE, SYS_RAWIO, SYS_BOOT and SYS_TIME: of no use to any check."""
NAMES = {NET_ADMIN: "CAP_NET_ADMIN", NET_RAW: "CAP_NET_RAW"}
VERSION_3 = 0x20080522
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER = 38, 47, 3
HEADER, SETS = struct.Struct("=Ii"), struct.Struct("=6I")
"""Effective, permitted and inheritable rights: the lower 32 of each, and then the upper ones (capget(2))."""


def give_up(kept: Iterable[int]) -> tuple[str, ...]:
    """Give up the rights of networks but those that are kept, and what nobody needs; returns the names of the former.

    Raises `OSError`.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    left = set(kept)
    given = [one for one in (NET_ADMIN, NET_RAW) if one not in left]
    # An ambient right would be lost with the permitted one; it is lowered first, for kernels that are particular.
    for one in (*given, *UNUSED):
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, one, 0, 0)
    header = ctypes.create_string_buffer(HEADER.pack(VERSION_3, 0), HEADER.size)
    sets = ctypes.create_string_buffer(SETS.size)
    _succeeds(libc.capget(header, sets))
    lower, upper = list(SETS.unpack(sets.raw)[:3]), list(SETS.unpack(sets.raw)[3:])
    mask = sum(1 << one for one in (*given, *UNUSED))
    sets.raw = SETS.pack(*(one & ~mask for one in lower), *upper)
    _succeeds(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _succeeds(libc.capset(header, sets))
    return tuple(NAMES[one] for one in given)


def _succeeds(answer: int) -> None:
    if answer:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
