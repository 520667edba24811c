"""A transition: what Keepalived said, when, and in which order; and the record that a journal keeps of it."""

from __future__ import annotations

import os
import time

from hachecks.proc import TICKS, process_start
from hachecks.state import boot_id
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("INSTANCE", "GROUP")
ENTERED = ("BACKUP", "MASTER", "FAULT", "STOP")
"""The states that an instance or group enters, as Keepalived says them."""
STATES = ("UNKNOWN", *ENTERED)
"""Those it can be in: UNKNOWN is one of which Keepalived has said nothing, or that has nobody to speak for."""
BEGIN, BETWEEN, WORDS, END = "\x1e", "\x1f", "\x1c", "\n"
"""RS leads a record (a torn one cannot swallow the next), US parts its fields, FS the words of one field."""
VERSION = "1"
NANOSECONDS_OF_A_TICK = 10**9 // TICKS
BEYOND_PIDS = 2**22
"""More than any pid (PID_MAX_LIMIT): a line of the FIFO is read after notify processes of its tick were forked."""
LONGEST_PRIORITY, LONGEST_TICKS, LONGEST_PID, LONGEST_BOOT = 9, 15, 10, 64
"""Digits of numbers, and letters of the kernel's name for a boot, which has 36."""


class Transition:
    """Keepalived saying that an instance or group changed state.

    `state` is kept as it was said: MASTER, BACKUP, FAULT, STOP, DELETED, the FIFO's MASTER_RX_LOWER_PRI,
    MASTER_PRIORITY, BACKUP_PRIORITY, or a word of a later version. `priority` is None where none was said.

    `boot`, `started` (clock ticks after boot) and `pid` are those of the notify process. Keepalived forks these in the
    order of events, so that sorting by them restores that order, whatever the processes did afterwards. A line of the
    FIFO has the tick in which it was read, and for a pid what of the tick had passed, which is another for every line.
    """

    __slots__ = ("boot", "kind", "name", "options", "pid", "priority", "started", "state")

    def __init__(
        self,
        kind: str,
        name: str,
        state: str,
        priority: int | None,
        *,
        boot: str,
        started: int,
        pid: int,
        options: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.name = name
        self.state = state
        self.priority = priority
        self.boot = boot
        self.started = started
        self.pid = pid
        self.options = tuple(options)

    @classmethod
    def of_this_process(cls, words: Sequence[str]) -> Transition:
        """From Keepalived's arguments, `[OPTIONS] GROUP|INSTANCE NAME STATE [PRIORITY]`; raises `ValueError`."""
        at = next((at for at, word in enumerate(words) if word in KINDS), None)
        if at is None or not at + 3 <= len(words) <= at + 4:
            raise ValueError("write GROUP|INSTANCE NAME STATE [PRIORITY], as Keepalived does")
        priority = words[at + 3] if len(words) > at + 3 else ""
        if any(c in word for word in words[:at] for c in (BEGIN, BETWEEN, WORDS, END)):
            raise ValueError("an option holds a control character; declare this notifier in hacheck.toml")
        if not words[at + 1] or not words[at + 2]:
            raise ValueError("NAME or STATE is empty; write GROUP|INSTANCE NAME STATE [PRIORITY], as Keepalived does")
        return cls(
            words[at],
            recordable(words[at + 1]),
            recordable(words[at + 2]),
            _priority(priority),
            boot=boot_id(),
            started=process_start(),
            pid=os.getpid(),
            options=words[:at],
        )

    @classmethod
    def from_fifo_line(cls, line: str) -> Transition:
        """From a line of Keepalived's notify FIFO, such as `INSTANCE "VI_1" MASTER 100`; raises `ValueError`."""
        kind, quote, rest = recordable(line.strip()).partition(' "')
        name, end, words = rest.rpartition('" ')
        state, _, priority = words.partition(" ")
        if kind not in KINDS or not quote or not name or not end or not state:
            raise ValueError(f"{line[:100]!r} is no line of a notify FIFO")
        return cls.of_now(kind, name, state, _priority(priority))

    @classmethod
    def of_now(
        cls, kind: str, name: str, state: str, priority: int | None = None, options: Sequence[str] = ()
    ) -> Transition:
        """What this process has heard now: after all that any process was told before, however many at once."""
        started, within = divmod(_next_moment(), NANOSECONDS_OF_A_TICK)
        return cls(
            kind, name, state, priority, boot=boot_id(), started=started, pid=BEYOND_PIDS + within, options=options
        )

    @classmethod
    def from_record(cls, record: str) -> Transition:
        """From what `record` returned, less RS and LF; raises `ValueError` at anything else."""
        fields = record.split(BETWEEN)
        if len(fields) != 9 or fields[0] != VERSION or fields[1] not in KINDS or not fields[2] or not fields[3]:
            raise ValueError("no record of a transition")
        _, kind, name, state, priority, pid, started, boot, options = fields
        if not (boot.isascii() and boot.isprintable() and 0 < len(boot) <= LONGEST_BOOT):
            raise ValueError("no name of a boot")
        if priority and not _is_number(priority, len(priority)):
            raise ValueError("no priority")
        return cls(
            kind,
            name,
            state,
            _priority(priority),
            boot=boot,
            started=_number(started, LONGEST_TICKS),
            pid=_number(pid, LONGEST_PID),
            options=options.split(WORDS) if options else (),
        )

    def record(self) -> bytes:
        """The record, byte for byte what the shell's `hacheck notify` writes."""
        priority = "" if self.priority is None else str(self.priority)
        fields = (VERSION, self.kind, self.name, self.state, priority, str(self.pid), str(self.started), self.boot)
        # An argument that is no UTF-8 is recorded as the bytes that it is, as the shell does it.
        return (BEGIN + BETWEEN.join((*fields, WORDS.join(self.options))) + END).encode("utf-8", "surrogateescape")

    @property
    def order(self) -> tuple[str, int, int]:
        """What transitions are sorted by; only those of one boot can be compared."""
        return (self.boot, self.started, self.pid)

    @property
    def subject(self) -> tuple[str, str]:
        """Whose state it is."""
        return (self.kind, self.name)

    def __repr__(self) -> str:
        return f"{self.kind} {self.name} {self.state}"


def label(kind: str, name: str) -> str:
    """What people call it: an instance by its name, a group so that no instance of the same name is meant."""
    return name if kind == "INSTANCE" else f"{kind.lower()} {name}"


def recordable(text: str) -> str:
    """The text with its control characters, of which some part a record's fields, spelled out."""
    return "".join(visible(c) if c < " " or c == "\x7f" else c for c in text)


def _priority(text: str) -> int | None:
    return int(text) if _is_number(text, LONGEST_PRIORITY) else None


def _number(text: str, digits: int) -> int:
    if not _is_number(text, digits):
        raise ValueError("no number, or too large")
    return int(text)


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits


_last_moment = 0


def _next_moment() -> int:
    """Nanoseconds after boot, more than ever before: a backlog of lines is read in less than a tick of any clock."""
    global _last_moment  # noqa: PLW0603 - one process reads one FIFO, and one clock
    _last_moment = max(time.clock_gettime_ns(time.CLOCK_BOOTTIME), _last_moment + 1)
    return _last_moment
