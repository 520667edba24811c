"""The names of Unix sockets in this network namespace, and the user of each, as the kernel tells everybody."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
NLM_F_REQUEST_DUMP = 0x301
NLMSG_ERROR, NLMSG_DONE = 2, 3
SHOW_NAME_AND_USER = 0x41
NAME, USER = 0, 7
ALL, NO_COOKIE = 0xFFFFFFFF, 0xFFFFFFFF
HEADER, REQUEST, ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBHIIIII"), struct.Struct("=HH")
LENGTH_OF_ANSWER = 16
"""Bytes of struct unix_diag_msg, behind which attributes stand."""
PATIENCE = 1.0
LARGEST = 1 << 17


def socket_owners() -> Mapping[str, int | None]:
    """The abstract names that sockets have here, without the leading NUL; None for a user that is not told.

    The user is he who made the socket, as our user namespace calls him, which nobody but root can change.
    """
    try:
        return dict(_told_by_diag())
    except (OSError, struct.error):  # a kernel without unix_diag
        return dict.fromkeys(_listed())


def _told_by_diag() -> Iterator[tuple[str, int | None]]:
    """What sock_diag(7) tells; raises `OSError`."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as asked:
        asked.settimeout(PATIENCE)
        request = REQUEST.pack(socket.AF_UNIX, 0, 0, ALL, 0, SHOW_NAME_AND_USER, NO_COOKIE, NO_COOKIE)
        whole = HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP, 1, 0) + request
        asked.send(whole)
        while True:
            data = asked.recv(LARGEST)
            while len(data) >= HEADER.size:
                length, kind, *_ = HEADER.unpack_from(data)
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    number = -struct.unpack_from("=i", data, HEADER.size)[0]
                    raise OSError(number, os.strerror(number))
                found = dict(_attributes(data[HEADER.size + LENGTH_OF_ANSWER : length]))
                name = found.get(NAME, b"")
                if name.startswith(b"\0"):
                    user = found.get(USER)
                    yield os.fsdecode(name[1:]), struct.unpack("=I", user)[0] if user else None
                data = data[_aligned(max(length, HEADER.size)) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(data)
        yield kind, data[ATTRIBUTE.size : length]
        data = data[_aligned(max(length, ATTRIBUTE.size)) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _listed() -> Iterator[str]:
    """The names alone, which are there for everybody; raises `OSError`."""
    with open("/proc/net/unix", "rb") as file:
        for line in file:
            _, at, name = line.rstrip(b"\n").partition(b" @")
            if at:
                yield os.fsdecode(name)
