"""A name among the sockets of a network namespace, which pods of a node share: the kernel frees it with its process."""

from __future__ import annotations

import socket


def named(name: str) -> socket.socket:
    """A socket that has this name, which nobody else has then; raises `OSError` where somebody has it."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        found.bind(f"\0{name}")
    except OSError:
        found.close()
        raise
    return found
