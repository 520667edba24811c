"""`logging`, where nobody has set up a log."""

from __future__ import annotations

DEBUG = 10


class Logger:
    """A logger without a handler."""

    def __init__(self, name: str) -> None:
        self.name = name

    def isEnabledFor(self, _level: int) -> bool:  # noqa: N802 - logging's name
        """No: nothing is logged."""
        return False

    def debug(self, *_: object) -> None:
        """Log nothing."""


getLogger = Logger  # noqa: N816 - logging's name
