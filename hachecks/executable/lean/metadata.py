"""`importlib.metadata`, for the versions of what is carried; that module costs seven times the start of Python."""

from __future__ import annotations

VERSIONS: dict[str, str] = {}


class PackageNotFoundError(ModuleNotFoundError):
    """No such package is carried."""


def version(name: str) -> str:
    """The version of a carried package."""
    if name not in VERSIONS:
        raise PackageNotFoundError(name)
    return VERSIONS[name]
