"""The files of a keepalived.conf: opened without waiting, and read no further than a configuration goes."""

from __future__ import annotations

import os
import stat
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Place = tuple[str, int]

MAX_BYTES = 4 * 1024 * 1024
"""Of all files together: 255 instances take some hundred thousand."""
MAX_FILES = 1024
"""Files that includes may name, one within another."""
MAX_ENTRIES = 20_000
"""Entries of directories that the wildcards of all includes may look at."""
MAX_PATTERNS = 256
"""What the braces of all includes may come to."""
MAX_FINDINGS = 50
"""Findings that are told; of more, how many there are."""
MAX_FINDING_LENGTH = 300
"""Characters of a finding, without its file and line."""
ENDS = "Keepalived ends, and serves no instance at all"
ENDING = {"": "", "r": "r", "m": "rm", "w": "rmw", "b": "rb", "a": "rmwb"}
"""Which mistakes an include does not survive: a file that cannot be read, or is missing, that no wildcard matches, or
that is missing of those in braces (lib/parser.c, keepalived.conf(5))."""
EXECUTABLE = 0o111
WILD = frozenset("*?[")


class Unreadable(ValueError):  # noqa: N818 - the name says what happened
    """Why a configuration cannot be read at all, in one line: what, where, and what to do.

    `files` are those that have been looked at, so that one can wait for a change of them.
    """

    files: tuple[str, ...] = ()


class Told(NamedTuple):
    """A finding: its place, what there is to say, and whether it is of the first, which make more of a difference."""

    place: Place
    what: str
    is_first: bool = False

    def __str__(self) -> str:
        return _sentence(self.place, self.what)


class Findings:
    """What is told beside a configuration, each once, and no more than a person would read."""

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}
        self.first: dict[str, Told] = {}
        self.untold = 0

    def tell(self, place: Place, what: str) -> None:
        """Tell a sentence about a line."""
        one = Told(place, what)
        if len(self.told) < MAX_FINDINGS:
            self.told.setdefault(str(one), one)
        elif str(one) not in self.told:
            self.untold += 1

    def tell_first(self, place: Place, what: str) -> None:
        """Tell before all else, once for all places, what makes more of a difference than one line."""
        if len(self.first) < MAX_FINDINGS:
            self.first.setdefault(what, Told(place, what, True))

    def all(self) -> tuple[Told, ...]:
        """All that was told."""
        return (*self.first.values(), *self.told.values())

    def sentences(self) -> tuple[str, ...]:
        """All that was told, in a line each."""
        more = (f"{self.untold} more of these findings are not shown",) if self.untold else ()
        return (*map(str, self.all()), *more)


def _sentence(place: Place, what: str) -> str:
    """One line for a person, whatever stands in the file."""
    said = (
        what
        if len(what) <= MAX_FINDING_LENGTH
        else f"{what[: MAX_FINDING_LENGTH // 2]} … {what[-MAX_FINDING_LENGTH // 2 :]}"
    )
    text = f"{place[0]} line {place[1]}: {said}"
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class Include:
    """An include: the pattern that it names, and which mistakes end Keepalived, by its keyword's last letter."""

    def __init__(self, pattern: str, place: Place, letter: str, findings: Findings) -> None:
        self.pattern = os.path.join(os.path.dirname(place[0]), pattern)
        self.place = place
        self.ending = ENDING[letter]
        self.findings = findings

    @property
    def missing(self) -> str:
        """What kind of mistake a file is that is not there."""
        return "b" if "{" in self.pattern else "m"

    def tell(self, why: str, kind: str) -> None:
        """Tell of a mistake."""
        if kind and kind in self.ending:
            self.findings.tell_first(self.place, f"{why}; {ENDS}")
        else:
            self.findings.tell(self.place, why)


class Files:
    """Reads files; `seen` are all that were read, and the directories that includes look into."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.seen: dict[str, None] = {}
        self._bytes = MAX_BYTES
        self._count = MAX_FILES
        self._entries = MAX_ENTRIES
        self._patterns = MAX_PATTERNS

    def see(self, path: str) -> None:
        """Remember what a change of would be a change of the configuration."""
        if len(self.seen) < 2 * MAX_FILES:
            self.seen[path] = None

    def content(self, path: str) -> bytes:
        """What a regular file contains, as far as the limit of bytes goes; raises `Unreadable`."""
        self.see(path)
        try:
            # Asked before it is opened, since to open a device may do something, and after it, since it may change.
            _regular(path, os.stat(path))
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
            with open(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                _regular(path, status)
                content = file.read(self._bytes + 1)
            if content is None:  # /proc/kmsg is a regular file to the kernel
                raise Unreadable(f"{path} has nothing to be read now; name the file that Keepalived reads")
        except (OSError, ValueError) as error:
            raise error if isinstance(error, Unreadable) else Unreadable(_refusal(path, error)) from error
        if len(content) > self._bytes:
            content = content[: self._bytes]
            why = f"the configuration is more than {MAX_BYTES} bytes, and is read no further; is this one of its files?"
            self.findings.tell_first((path, content.count(b"\n") + 1), why)
        self._bytes -= len(content)
        if status.st_mode & EXECUTABLE:
            self.findings.tell_first((path, 1), f"Keepalived reads no executable; chmod a-x {path}; {ENDS}")
        return content

    def included(self, include: Include, reading: list[str]) -> Iterator[str]:
        """The paths of the files that an include adds, and findings about those that it does not."""
        count = 0
        for path in self._matching(include):
            count += 1
            why, kind = self._unwanted(path, reading, include.missing)
            if why:
                include.tell(why, kind)
            elif not self._count:
                why = f"there are more than {MAX_FILES} files; the rest is not read"
                return self.findings.tell_first(include.place, why)
            else:
                self._count -= 1
                yield path
        if not count and "w" in include.ending and not WILD.isdisjoint(include.pattern):
            include.tell(f"nothing matches {include.pattern}", "w")
        return None

    def _unwanted(self, path: str, reading: list[str], missing: str) -> tuple[str, str]:
        """Why Keepalived, or we, pass over a file, and what kind of mistake that is."""
        try:
            mode = os.stat(path).st_mode
        except FileNotFoundError:
            self.see(path)
            if '"' in path:
                return f"Keepalived takes the quotes of {path} for a part of its name; leave them out", missing
            return f"there is no {path} to include; put it there", missing
        except (OSError, ValueError) as error:
            self.see(path)
            return _refusal(path, error), "r"
        if not stat.S_ISREG(mode):
            return f"Keepalived includes no {_kind(mode)} like {path}; leave it out", "r"
        if mode & EXECUTABLE:
            return f"Keepalived includes no executable; chmod a-x {path}", "r"
        if os.path.realpath(path) in reading:
            return f"the include leads back to {path}; leave it out", ""
        return "", ""

    def _matching(self, include: Include) -> Iterator[str]:
        """What a pattern stands for, as glob(3) with braces has it."""
        patterns = list(islice(alternatives(include.pattern), self._patterns + 1))
        if len(patterns) > self._patterns:
            why = f"the braces of the includes come to more than {MAX_PATTERNS} names; the rest is not read"
            self.findings.tell_first(include.place, why)
            patterns.pop()
        self._patterns -= len(patterns)
        for one in patterns:
            self.see(os.path.dirname(one) or ".")
            if WILD.isdisjoint(one):
                yield one.replace("\\", "")
                continue
            parts = [part for part in one.split("/") if part]
            yield from sorted(self._walk("/" if one.startswith("/") else "", parts, include, False))

    def _walk(self, directory: str, parts: list[str], include: Include, wild: bool) -> Iterator[str]:
        """The paths below a directory whose parts match those of a pattern; what follows no wildcard is to be there."""
        part, *rest = parts
        plain = WILD.isdisjoint(part)
        for name in [part.replace("\\", "")] if plain else self._names(directory, part, include):
            path = os.path.join(directory, name)
            if not rest:
                if os.path.lexists(path):
                    yield path
            elif os.path.isdir(path):
                yield from self._walk(path, rest, include, wild or not plain)
            elif plain and not wild:
                self.see(path)
                include.tell(f"there is no {path} to include; put it there", include.missing)

    def _names(self, directory: str, part: str, include: Include) -> list[str]:
        self.see(directory or ".")
        names = []
        try:
            with os.scandir(directory or ".") as entries:
                for entry in islice(entries, self._entries):
                    self._entries -= 1
                    names.append(entry.name)
        except (OSError, ValueError) as error:
            include.tell(_refusal(directory, error), "m")
        if not self._entries:
            why = f"the includes look at more than {MAX_ENTRIES} files; name the directory more closely"
            self.findings.tell_first(include.place, why)
        wanted = part.replace("[^", "[!")
        hidden = part.startswith(".")
        return sorted(name for name in names if name.startswith(".") <= hidden and fnmatchcase(name, wanted))


def _regular(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable(f"{path} is no regular file; name the file that Keepalived reads")


def _kind(mode: int) -> str:
    return "directory" if stat.S_ISDIR(mode) else "FIFO" if stat.S_ISFIFO(mode) else "device or socket"


def _refusal(path: str, error: Exception) -> str:
    remedy = "let this user read it" if isinstance(error, PermissionError) else "name the file that Keepalived reads"
    why = error.strerror if isinstance(error, OSError) and error.strerror else "its name is none of this system"
    return f"{path} cannot be read: {why}; {remedy}"


def alternatives(pattern: str) -> Iterator[str]:
    """The patterns that one with `{a,b{c,d}}` stands for, in order; one at a time, since they may be very many."""
    start, parts, end = _first_braces(pattern)
    if not parts:
        yield pattern
        return
    for part in parts:
        yield from alternatives(pattern[:start] + part + pattern[end:])


def _first_braces(pattern: str) -> tuple[int, list[str], int]:
    """Where the first braces begin, what the commas of their own part, and where they end."""
    start = pattern.find("{")
    depth, begin, parts = 0, start + 1, []
    for index in range(start, len(pattern) if start >= 0 else 0):
        letter = pattern[index]
        depth += (letter == "{") - (letter == "}")
        if depth == 1 and letter == ",":
            parts.append(pattern[begin:index])
            begin = index + 1
        elif depth == 0 and letter == "}":
            return start, [*parts, pattern[begin:index]], index + 1
    return start, [], start
