"""Variables of ipfailover: what a declaration says, and what somebody gives for one."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "OPENSHIFT_HA_"
NEWEST = "5.1"
"""The stock image whose defaults hold where no version is named."""
VERSION = re.compile(r"([345])\.([0-9]{1,2})", re.ASCII)


class Place(str):
    """Where something is written, as messages call it.

    Of what is in a file, `file` and `line`, from 1 and 0 where it is not known, say it for programs, and `what` is what
    stands there.
    """

    __slots__ = ("file", "line", "what")

    file: str
    line: int
    what: str

    def __new__(cls, text: str, file: str = "", line: int = 0, what: str = "") -> Place:
        """With all that is known."""
        made = super().__new__(cls, text)
        made.file, made.line, made.what = file, line, what
        return made

    @classmethod
    def of(cls, text: str) -> Place:
        """A place that may be a text only, such as a flag."""
        return text if isinstance(text, cls) else cls(text, what=text)

    @property
    def exact(self) -> str:
        """With the line, where it is known."""
        if not self.file:
            return str(self)
        return ": ".join(filter(None, (f"{self.file}:{self.line}" if self.line else self.file, self.what)))


class Given(NamedTuple):
    """A text that somebody gave for a variable, and where: a flag, or a file with the variable, then a `Place`."""

    text: str
    place: str


class Variable(NamedTuple):
    """A variable: its name, its flag, defaults by the stock version since which they hold, validation and help.

    `ours` are those that hachecks adds, and the stock image does not know.
    """

    name: str
    flag: str
    short: str | None
    defaults: tuple[tuple[str, str], ...]
    parse: Callable[[str], Any]
    help: str
    metavar: str
    ours: bool

    def default(self, stock: tuple[int, int]) -> str:
        """What the stock image of a version takes where nothing is given."""
        return [text for since, text in self.defaults if stock >= version(since)][-1]


def version(text: str) -> tuple[int, int]:
    """A version of the stock image as `4.20`; raises `ValueError`."""
    found = VERSION.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no version of OpenShift; expected 4.20 or the like, 3.0 to 5.99")
    return int(found[1]), int(found[2])


def declared(
    name: str,
    parse: Callable[[str], Any],
    default: str | tuple[tuple[str, str], ...] = "",
    *,
    help: str,
    flag: str = "",
    short: str | None = None,
    metavar: str = "",
    ours: bool = False,
) -> Any:
    """Declare a field of `Settings` that a variable sets; `default` is one text, or those by version."""
    defaults = (("3.0", default),) if isinstance(default, str) else default
    return dataclasses.field(metadata={"variable": Variable(name, flag, short, defaults, parse, help, metavar, ours)})
