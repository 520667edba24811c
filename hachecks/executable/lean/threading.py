"""`threading`, as far as `_thread` has it."""

from __future__ import annotations

from _thread import RLock
from _thread import allocate_lock as Lock  # noqa: N812 - threading's name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Lock", "RLock"]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    import threading

    return getattr(threading, name)
