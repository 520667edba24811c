"""Whether an agent runs on this node: it holds a lock in its state directory."""

from __future__ import annotations

import fcntl
import os

from hachecks import homes, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "agent.lock"
"""The file in its state directory that a running agent has locked."""


def is_held(places: Iterable[str]) -> bool:
    """Whether some agent holds its lock at one of these places of state."""
    return any(_is_locked(f"{directory}/{NAME}") for directory in homes.readable(places, homes.ANYBODY))


def _is_locked(path: str) -> bool:
    try:
        descriptor = state.opened(path)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
