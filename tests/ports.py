"""Ports for servers that are told theirs before they open it.

A port that the kernel has just given may be given to somebody else before the server has opened it: dozens of tests are
given some each second. So these are none of those that the kernel gives, and each is told to one process alone.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
from collections import deque

FIRST, LAST = 15_000, 29_999
"""The kernel gives 32768 to 60999, and Kubernetes 30000 to 32767 for NodePorts."""
MOST_RESERVED = 100
"""Of one process, the latest; who was told one before that has opened it long since."""
WAYS = (
    (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
    (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
    (socket.AF_INET6, socket.SOCK_STREAM, "::1"),
)

_candidates = itertools.cycle(range(FIRST, LAST + 1))
_reserved: deque[socket.socket] = deque()


def free_port() -> int:
    """A port of the loopback that nobody has, and that nobody else is told."""
    if not _reserved:  # each process begins elsewhere
        next(itertools.islice(_candidates, os.getpid() * 101 % (LAST - FIRST), None))
    for port in itertools.islice(_candidates, LAST - FIRST):
        if _is_reserved_for_us(port) and _is_free(port):
            return port
    raise AssertionError("every port is taken")


def _is_reserved_for_us(port: int) -> bool:
    """Whether nobody else in this network has reserved it; the name goes with the process that has it."""
    reservation = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        reservation.bind(f"\0hachecks-tests-port-{port}")
    except OSError:
        reservation.close()
        return False
    _reserved.append(reservation)
    if len(_reserved) > MOST_RESERVED:
        _reserved.popleft().close()
    return True


def _is_free(port: int) -> bool:
    for family, kind, host in WAYS:
        with socket.socket(family, kind) as sock:
            try:
                sock.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
    return True
