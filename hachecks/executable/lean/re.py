"""`re`, for expressions that were compiled when the executable was built; others are compiled by `re` itself."""

from __future__ import annotations

import _sre  # type: ignore[import-not-found] # it is re's own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def ready(
    magic: int,
    pattern: Any,
    flags: int,
    code: bytes,
    groups: int,
    names: Mapping[str, int],
    numbers: tuple[str | None, ...],
) -> Any:
    """The pattern of a code that `re` made for an engine with this magic number."""
    if magic != _sre.MAGIC:
        return __getattr__("compile")(pattern, flags)
    return _sre.compile(pattern, flags, memoryview(code).cast("I").tolist(), groups, dict(names), numbers)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    import re

    return getattr(re, name)
