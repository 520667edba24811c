"""What does this installation consist of?"""

from __future__ import annotations

import importlib.metadata
import platform

CARRIED = ("click", "httpcore", "h11", "h2", "hpack", "hyperframe", "pg8000", "scramp", "PyMySQL", "tomli")


def carried() -> list[str]:
    """The interpreter, and the version of every package that checks stand on."""
    lines = [f"Python {platform.python_version()} ({platform.python_implementation()})"]
    for name in CARRIED:
        try:
            lines.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return lines
