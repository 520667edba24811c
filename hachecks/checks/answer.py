"""An answer: the verdict of the agent's last run, which `hacheck run NAME` gives as its own while it is fresh.

A file `answer-NAME` of three lines in the state directory of the agent's user, replaced whole: whose verdict it is,
when it counts, and the exit status; what variables say of how it is run, and the file that declares the check, or
nothing where both are as usual; and the line to print. The prelude of the executable reads it with builtins alone
(`executable/run.sh`), a byte at a time, and whatever is odd is left to `find`.
"""

from __future__ import annotations

import os
import stat
from time import CLOCK_BOOTTIME, clock_gettime_ns

from hachecks import state
from hachecks.checks.runner import RunOptions
from hachecks.node import CONFIG_FILE
from hachecks.settings import settings_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PREFIX = "answer-"
FORMAT = "2"
IN_MEMORY = "-"
"""The boot of an answer that is in memory alone: it does not outlive the boot, which nobody need look up then."""
HUNDREDTH = 10_000_000
"""Nanoseconds of a hundredth of a second, in which /proc/uptime counts."""
EXIT_STATUSES = ("0", "1")
MOST_DIGITS = 18
"""What a shell can compare."""


def now() -> int:
    """Hundredths of a second since the boot, those in which the node was asleep included, as in /proc/uptime."""
    return clock_gettime_ns(CLOCK_BOOTTIME) // HUNDREDTH


def variables() -> list[str]:
    """The environment variables that change how every check is run."""
    return [setting.variable("run") for setting in settings_of(RunOptions)]


def given(environ: Mapping[str, str]) -> str:
    """What these variables say, as the shell puts it: where they say something else, it is another check."""
    return "|".join(environ.get(variable, "") for variable in variables())


USUAL = "|" * len(variables())
"""What is asked where no variable says anything, of the usual file."""


class Asked:
    """Whose verdict is asked for: a check by its name, the file that declares it, and what variables say of its run."""

    __slots__ = ("config", "given", "name")

    def __init__(self, name: str, config: str, given: str) -> None:
        self.name = name
        self.config = os.path.abspath(config)
        self.given = given

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Asked) and self._key() == other._key()

    __hash__ = None  # type: ignore[assignment]

    def _key(self) -> tuple[str, str, str]:
        return self.name, self.config, self.given

    def to_line(self) -> str:
        """What is asked besides the name; a newline in it is lost, so that it equals nothing that is asked."""
        line = f"{self.given}|{'' if self.config == CONFIG_FILE else self.config}"
        return "" if line == USUAL else line.replace("\n", "\N{REPLACEMENT CHARACTER}")

    @classmethod
    def parse(cls, name: str, line: str) -> Asked:
        """From the name and `to_line`; raises `ValueError`."""
        *given, config = (line or USUAL).split("|", len(USUAL))
        return cls(name, config or CONFIG_FILE, "|".join(given))


class Answer:
    """A verdict that counts from `since` until `until`, in hundredths of a second after the boot, or `IN_MEMORY`."""

    __slots__ = ("asked", "boot", "good", "line", "since", "until")

    def __init__(self, asked: Asked, boot: str, since: int, until: int, good: bool, line: str) -> None:
        self.asked = asked
        self.boot = boot
        self.since = since
        self.until = until
        self.good = good
        self.line = line

    def to_text(self) -> str:
        """The text to keep; what is no Unicode in a path or a variable is lost, and never equal to what is asked."""
        head = f"{FORMAT} {self.asked.name} {self.boot} {self.since} {self.until} {EXIT_STATUSES[not self.good]}"
        text = f"{head}\n{self.asked.to_line()}\n{self.line}\n"
        return text if text.isascii() else text.encode("utf-8", "replace").decode()

    @property
    def place_of_until(self) -> int:
        """Where in the text `until` begins."""
        return len(f"{FORMAT} {self.asked.name} {self.boot} {self.since} ")

    @classmethod
    def parse(cls, text: str) -> Answer:
        """From the text; raises `ValueError` at what is torn or of another format."""
        head, asked, line, _ = text.split("\n", 3)
        format, name, boot, since, until, code = head.split()
        if format != FORMAT or code not in EXIT_STATUSES:
            raise ValueError("it is no answer")
        good = code == EXIT_STATUSES[0]
        return cls(Asked.parse(name, asked), boot, _hundredths(since), _hundredths(until), good, line)

    def counts(self, boot: str, at: int) -> bool:
        """Whether it counts at this instant of this boot."""
        return self.boot in (boot, IN_MEMORY) and self.since <= at < self.until


def _hundredths(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise ValueError(f"{text!r} is no time")
    return int(text)


def path(directory: str, name: str) -> str:
    """Where the answer of a check is."""
    return os.path.join(directory, PREFIX + name)


def write(directory: str, answer: Answer) -> None:
    """Leave it there; raises `OSError`."""
    state.replace(path(directory, answer.asked.name), answer.to_text())


def find(asked: Asked, places: Iterable[str]) -> Answer | None:
    """The answer that counts now, if root or this user has left one at one of these places.

    The shell tells of a file only whether it is its own user's. So where the agent is root and Keepalived's scripts are
    not, each run starts Python, some 15 ms of CPU in place of one, and finds here what saves the question.
    """
    for directory in _trusted(places):
        try:
            answer = Answer.parse(state.read(path(directory, asked.name)))
            if answer.asked == asked and answer.counts(state.boot_id(), now()):
                return answer
        except (OSError, ValueError):
            continue
    return None


def _trusted(places: Iterable[str]) -> Iterator[str]:
    """Root's directories and this user's, by the names that `state.home` gives: none is listed, for others fill it."""
    users = {0, os.geteuid()}
    for place in places:
        for directory in (place, *(f"{place}/{state.OWN}{user}" for user in users)):
            try:
                status = os.lstat(directory)
            except OSError:
                continue
            trusted = stat.S_ISDIR(status.st_mode) and status.st_uid in users
            if trusted and not status.st_mode & state.OTHERS_WRITE:
                yield directory
