"""Files of state that hold one JSON object, believed as far as they say what they should.

A file of an earlier version says nothing of some fields, and a damaged one anything at all.
"""

from __future__ import annotations

import contextlib

from hachecks import state
from hachecks.kept import document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def read(path: str) -> dict[str, Any]:
    """What a file of state says; nothing where it cannot be read, or says nothing that it could."""
    with contextlib.suppress(ValueError, OSError):
        return document(state.read(path) or "{}")
    return {}


def value_of(kept: Mapping[str, Any], name: str, is_right: Callable[[object], bool], default: Any) -> Any:
    """What a file says of this field, if it is what it should be; else the default."""
    value = kept.get(name)
    return value if is_right(value) else default
