"""A probe asked in this process, as its command line says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks import argv
from hachecks.checks.runner import conclude
from hachecks.deadline import Deadline
from hachecks.registry import PROBES
from hachecks.settings import build
from tests.cli import Answer, hacheck
from tests.contracts import QUOTED

if TYPE_CHECKING:
    from hachecks.verdict import Verdict


def verdict_of(name: str, *words: object, timeout: float = 20.0) -> Verdict:
    """The verdict of a probe."""
    probe_class = PROBES[name].load()
    flags = argv.read([str(word) for word in words], [probe_class])
    assert flags is not None, words
    return conclude(build(probe_class, name, flags, {}, {}), Deadline.after(timeout))


def line_of(name: str, *words: object, timeout: float = 20.0) -> str:
    """The verdict's line, with every `in 12 ms` as `in T`."""
    return re.sub(r"\b(in|took) [\d.]+ m?s\b", r"\1 T", repr(verdict_of(name, *words, timeout=timeout)))


def answer_of(name: str, *words: object, **environ: str) -> Answer:
    """The answer of a process of its own that has the time which a server needs on a busy machine."""
    return hacheck(name, *words, "--timeout", "20s", **environ)  # type: ignore[arg-type]


FOREIGN_WORDS = re.compile(
    r"bytearray|\bb['\"]|<[A-Za-z]+ |Error\b|Exception|ConnectionInputs|ConnectionState|ErrorCodes|codec|None|"
    r"\b[a-z]+_[a-z_]+\b"
)


def is_plain(line: str) -> bool:
    """Whether a line has nothing of Python's in it; what is quoted is the server's own."""
    return not FOREIGN_WORDS.search(QUOTED.sub("", line)) and "\n" not in line and line.isprintable()
