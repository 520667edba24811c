"""What stands for a module that the executable does not carry; whoever uses it is told so."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)

    class Absent(Exception):  # noqa: N818 - pg8000 catches `dateutil.parser.ParserError`
        def __init__(self, *_: Any, **__: Any) -> None:
            raise ImportError(f"the executable does not carry {__name__}.{name}")

    return Absent
