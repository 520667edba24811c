"""Regular expressions over text, compiled when they are read so that a wrong one is a usage error."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re


class Pattern:
    """A regular expression in Python's syntax, searched for anywhere in the text."""

    __slots__ = ("compiled", "text")

    def __init__(self, text: str, compiled: re.Pattern[str]) -> None:
        self.text = text
        self.compiled = compiled

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Compile it; raises `ValueError` saying what is wrong and where."""
        import re
        import warnings

        with warnings.catch_warnings():  # "possible nested set" would be a second line on standard error
            warnings.simplefilter("ignore")
            try:
                return cls(text, re.compile(text))
            except (re.error, OverflowError, RecursionError) as error:
                raise ValueError(f"{text!r} is not a regular expression: {error}") from None

    def found_in(self, text: str) -> bool:
        """Whether it matches somewhere in the text."""
        return self.compiled.search(text) is not None

    def __str__(self) -> str:
        return f"/{self.text}/"

    __repr__ = __str__
