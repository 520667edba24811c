"""Inputs as files, and as texts."""

from __future__ import annotations

import atexit
import functools
import os
import tempfile


@functools.cache
def directory() -> str:
    """A directory of state for the inputs that are files, in memory: queues are synced."""
    made = tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm")
    atexit.register(made.cleanup)
    return made.name


def file_of(data: bytes, name: str = "input") -> str:
    path = os.path.join(directory(), name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
