"""`typing`, at run time: nothing reads the types that a carried module declares."""

from __future__ import annotations

import _collections_abc

TYPE_CHECKING = False


class Form:
    """Any type."""

    def __getitem__(self, _: object) -> Form:
        return self


FORM = Form()


def TypeVar(*_: object, **__: object) -> Form:  # noqa: N802 - typing's name
    """Any type."""
    return FORM


def cast(_: object, value: object) -> object:
    """The value."""
    return value


def overload(function: object) -> object:
    """The function, soon replaced."""
    return function


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(_collections_abc, name, FORM)  # `isinstance` may ask for an abstract class
