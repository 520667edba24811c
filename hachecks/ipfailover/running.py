"""Containers that run `hacheck ipfailover run`: what its command line says, and the env files that it names."""

from __future__ import annotations

import posixpath
import shlex
from typing import TYPE_CHECKING, NamedTuple

from hachecks.ipfailover.settings import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

RUN = ("ipfailover", "run")
PROGRAMS = ("hacheck", "hachecks")
"""The command, and the module that python -m runs."""
FLAGS: Mapping[str, str] = {
    spelling: variable.name
    for variable in FIELDS.values()
    for spelling in (f"--{variable.flag}" if variable.flag else "", variable.short or "")
    if spelling
}
"""The variables by the options that stand for them."""


class Run(NamedTuple):
    """A command line of `hacheck ipfailover run`: its words after these."""

    words: tuple[str, ...]

    def values(self, *names: str) -> list[str]:
        """What is given for an option, by any of its names, each time that it stands there."""
        return [value for name, value in self._options() if name in names]

    def files(self) -> list[str]:
        """Words that stand by themselves: files of objects, as far as no option without a value stands before one."""
        before = ("", *self.words)
        return [word for last, word in zip(before, self.words) if not word.startswith("-") and not _wants_value(last)]

    def has(self, name: str) -> bool:
        """Whether an option without a value stands there."""
        return name in self.words

    def variables(self) -> dict[str, str]:
        """The variables for which options stand; the last counts."""
        return {FLAGS[name]: value for name, value in self._options() if name in FLAGS}

    def _options(self) -> Iterator[tuple[str, str]]:
        for word, following in zip(self.words, (*self.words[1:], "")):
            name, equals, value = word.partition("=")
            if word.startswith("--"):
                yield (name, value) if equals else (word, following)
            elif word.startswith("-"):
                yield (word[:2], word[2:] or following)


def _wants_value(word: str) -> bool:
    return word.startswith("-") and "=" not in word


def run_of(container: Mapping[str, Any]) -> Run | None:
    """The command line of a container that runs it; None where it runs something else."""
    words = words_of(container)
    return Run(words[2:]) if words[:2] == RUN else None


def words_of(container: Mapping[str, Any]) -> tuple[str, ...]:
    """What a container tells `hacheck`; nothing where it runs something else.

    Without a command it is the image's, which is `hacheck`.
    """
    command, arguments = _texts(container.get("command")), _texts(container.get("args"))
    words = [word for text in (*command, *arguments) for word in _split(text)]
    program = next((at for at, word in enumerate(words) if posixpath.basename(word) in PROGRAMS), None)
    if program is None:
        return () if command else tuple(words)
    return tuple(words[program + 1 :])


def _texts(value: object) -> Sequence[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _split(text: str) -> Sequence[str]:
    """A word as it is, or the words of a shell where it is a command line in one."""
    if " ipfailover run" not in text:
        return [text]
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
