"""The agent's lock: of one user and one state directory there is one agent at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from hachecks import state

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "agent.lock"
"""The file in the state directory."""


@contextlib.contextmanager
def held(directory: str) -> Iterator[None]:
    """Hold it; the kernel takes it from one who is killed.

    Raises `BlockingIOError` when another one has it, else `OSError`.
    """
    lock = state.written(os.path.join(directory, NAME), os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)
