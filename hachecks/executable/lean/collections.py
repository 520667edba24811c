"""`collections`, as far as `_collections` has it."""

from __future__ import annotations

from _collections import OrderedDict, defaultdict, deque  # type: ignore[import-not-found] # it is C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["OrderedDict", "defaultdict", "deque"]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    import collections

    return getattr(collections, name)
