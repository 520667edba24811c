"""Who holds a rule of the firewall: pods of ours on this node, each for its configuration, as long as it lives.

A holder has a socket with a name in the network namespace that the firewall is of. The kernel takes it away with its
process, however that ends, so those who were killed do not count, and nothing has to be cleaned up or believed.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hachecks.ipfailover.pod.abstract_socket import named

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

PREFIX = "hacheck-ipfailover/"
LOCK = f"{PREFIX}.lock"
"""No configuration's name begins with a dot."""
PATIENCE = 3.0
"""Seconds to wait for another pod that changes rules; whoever keeps the lock for longer is none of ours."""
TRY_EVERY = 0.02


class Holder:
    """Holds the rules of a configuration from `hold` to `let_go`."""

    def __init__(self, configuration: str) -> None:
        self.configuration = configuration
        self._token = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._socket: socket.socket | None = None

    def hold(self) -> None:
        """Count from now on; raises `OSError`."""
        if self._socket is None:
            self._socket = named(f"{PREFIX}{self.configuration}/{self._token}")

    def let_go(self) -> None:
        """Count no more."""
        if self._socket:
            self._socket.close()
            self._socket = None

    @staticmethod
    def living() -> set[str]:
        """The configurations that somebody on this node holds rules for; raises `OSError`."""
        found = set()
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
            for line in file:
                _, at, name = line.rstrip("\n").partition(f"@{PREFIX}")
                if at and "/" in name:
                    found.add(name.partition("/")[0])
        return found


@contextmanager
def alone() -> Iterator[None]:
    """Have no other pod of ours change rules meanwhile, as far as it lets us within the patience."""
    until = time.monotonic() + PATIENCE
    lock = None
    while lock is None:
        try:
            lock = named(LOCK)
        except OSError:
            if time.monotonic() > until:
                break
            time.sleep(TRY_EVERY)
    try:
        yield
    finally:
        if lock:
            lock.close()
