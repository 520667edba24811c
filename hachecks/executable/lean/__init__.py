"""Stand-ins for modules of the standard library that cost more than a check: each has what the carried code uses.

What a stand-in does not have comes from the module it stands for, imported when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Late:
    """A module, imported when something of it is first used; what a dotted name binds is its first part."""

    def __init__(self, module: str) -> None:
        self.__module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(__import__(self.__module), name)
        setattr(self, name, value)
        return value
