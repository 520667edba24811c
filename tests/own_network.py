"""A network of the test's own, with an address beside the loopback's: some servers treat the two otherwise."""

from __future__ import annotations

import ctypes
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNET = 0x40000000
ADDRESS = "192.0.2.2"
SETUP = f"""
ip link set lo up
ip link add node0 type veth peer name node1
ip address add {ADDRESS}/24 dev node0
ip link set node1 up
ip link set node0 up
"""


@contextmanager
def own_network() -> Iterator[str]:
    """The other address, in a network namespace that this thread is in, and whatever it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip("needs root, for a network of its own")
        subprocess.run(["sh", "-ec", SETUP], check=True, stdin=subprocess.DEVNULL)
        try:
            yield ADDRESS
        finally:
            assert libc.setns(before, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(before)
