"""`contextlib`, for generators that clean up or translate an error."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType
    from typing import Any


class Manager:
    """A generator that yields once, as a context manager."""

    def __init__(self, generator: Generator[Any, None, None]) -> None:
        self.generator = generator

    def __enter__(self) -> Any:
        return next(self.generator)

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None
    ) -> bool:
        try:
            if error is None:
                next(self.generator)
            else:
                self.generator.throw(error)
        except StopIteration as stop:
            return error is not None and stop is not error
        raise RuntimeError("generator didn't stop")


def contextmanager(function: Callable[..., Generator[Any, None, None]]) -> Callable[..., Manager]:
    """What makes a context manager of the generator that the function returns."""
    return lambda *args, **kwds: Manager(function(*args, **kwds))


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    import contextlib

    return getattr(contextlib, name)
