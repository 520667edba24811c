"""Files that are put in place whole, and that only their owner may read where they have a secret."""

from __future__ import annotations

import contextlib
import os
import tempfile

SECRET, OPEN = 0o600, 0o644


def prepared(path: str, text: str, mode: int) -> str:
    """A file with this text beside `path`, for `put`; returns its path; raises `OSError`."""
    directory = os.path.dirname(path) or "."
    os.makedirs(directory, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}-", dir=directory)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, mode)
    except BaseException:
        remove(temporary)
        raise
    return temporary


def tidy(path: str) -> None:
    """Remove what was prepared for it by one that was killed."""
    directory = os.path.dirname(path) or "."
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            if name.startswith(f".{os.path.basename(path)}-"):
                remove(os.path.join(directory, name))


def put(temporary: str, path: str) -> None:
    """Have a prepared file at its place; raises `OSError`."""
    os.replace(temporary, path)


def remove(path: str) -> None:
    """Have no file there."""
    if path:
        with contextlib.suppress(OSError):
            os.unlink(path)
