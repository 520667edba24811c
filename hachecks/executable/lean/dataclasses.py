"""`dataclasses`, for h11's events: `dataclasses` imports `inspect`, and compiles each method from text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def dataclass(*, frozen: bool, init: bool = True) -> Callable[[type], type]:  # noqa: ARG001 - it has one, or no fields
    """Make a frozen value class, whose constructor is written by hand, of a class that declares fields."""
    if not frozen:
        raise NotImplementedError

    def decorate(cls: type) -> type:
        names = {name: None for base in reversed(cls.__mro__) for name in vars(base).get("__annotations__", ())}

        def values(self: Any) -> tuple[Any, ...]:
            return tuple(getattr(self, name) for name in names)

        def equals(self: Any, other: object) -> Any:
            return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

        def shown(self: Any) -> str:
            fields = ", ".join(f"{name}={value!r}" for name, value in zip(names, values(self)))
            return f"{type(self).__qualname__}({fields})"

        cls.__eq__, cls.__repr__, cls.__setattr__ = equals, shown, _refuse  # type: ignore[method-assign,assignment]
        return cls

    return decorate


def _refuse(_self: Any, name: str, _value: object) -> None:
    raise AttributeError(f"cannot assign to field {name!r}")
