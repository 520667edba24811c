"""How this program starts itself once more."""

from __future__ import annotations

import os
import sys

import hachecks

MAIN = "import sys; sys.path[:] = filter(None, sys.path); from hachecks.cli import main; main()"
"""`python -m hachecks`, which does not look for our modules where it happens to be: anybody may write there."""


def own_command() -> list[str]:
    """The words before those of a command."""
    if os.path.exists(str(getattr(hachecks, "__file__", ""))):
        return [sys.executable, "-c", MAIN]
    return ["/bin/sh", sys.argv[0]]
