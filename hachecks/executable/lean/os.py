"""`os`, as far as `posix` has it; the rest is imported when it is used, with the abstract classes that `os` needs."""

# ruff: noqa: F401, F403 - a star leaves `_exit` out

from __future__ import annotations

import sys
from posix import *
from posix import _exit, lstat, mkdir, stat
from posix import environ as _environ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CODEC = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()

S_IFMT, S_IFDIR = 0o170000, 0o040000
devnull = "/dev/null"
environ = {name.decode(*_CODEC): value.decode(*_CODEC) for name, value in _environ.items()}  # type: ignore[misc]
"""The environment when the process began, to be read only: a check changes nothing in it."""


class Path:
    """`os.path`, as far as a check uses it."""

    def join(self, directory: str, *names: str) -> str:
        """The path of an entry of a directory, or what an absolute one says."""
        for name in names:
            if name.startswith("/") or not directory:
                directory = name
            else:
                directory += name if directory.endswith("/") else f"/{name}"
        return directory

    def dirname(self, path: str) -> str:
        """What comes before the last part."""
        head = path[: path.rfind("/") + 1]
        return head.rstrip("/") or head

    def isdir(self, path: str) -> bool:
        """Whether a directory is there, or a link to one."""
        try:
            return stat(path).st_mode & S_IFMT == S_IFDIR
        except (OSError, ValueError):
            return False

    def lexists(self, path: str) -> bool:
        """Whether something is there, be it a link to nothing."""
        try:
            lstat(path)
        except (OSError, ValueError):
            return False
        return True

    def __getattr__(self, name: str) -> Any:
        import os.path

        return getattr(os.path, name)


path = Path()


def makedirs(name: str, mode: int = 0o777, exist_ok: bool = False) -> None:
    """Make a directory, and those in which it is; raises `OSError`."""
    try:
        mkdir(name, mode)
    except FileNotFoundError:
        __getattr__("makedirs")(name, mode, exist_ok)
    except OSError:
        if not exist_ok or not path.isdir(name):
            raise


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    import os

    return getattr(os, name)
