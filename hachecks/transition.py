"""What did Keepalived say, when, and in which order?"""

from __future__ import annotations

import os
import time

from hachecks.proc import process_start
from hachecks.state import boot_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("INSTANCE", "GROUP")
BEGIN, BETWEEN, WORDS, END = "\x1e", "\x1f", "\x1c", "\n"
"""RS leads a record (a torn one cannot swallow the next), US parts its fields, FS the words of one field."""
VERSION = "1"
TICKS = os.sysconf("SC_CLK_TCK")


class Transition:
    """Keepalived saying that an instance or group changed state.

    `state` is kept as it was said: MASTER, BACKUP, FAULT, STOP, DELETED, the FIFO's MASTER_RX_LOWER_PRI,
    MASTER_PRIORITY, BACKUP_PRIORITY, or a word of a later version. `priority` is None where none was said.

    `boot`, `started` (clock ticks after boot) and `pid` are those of the notify process. Keepalived forks these in the
    order of events, so that sorting by them restores that order, whatever the processes did afterwards.
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
        if any(c in word for word in words for c in (BEGIN, BETWEEN, WORDS, END)):
            raise ValueError("a word holds a control character")
        return cls(
            words[at],
            words[at + 1],
            words[at + 2],
            int(priority) if priority.isdecimal() else None,
            boot=boot_id(),
            started=process_start(),
            pid=os.getpid(),
            options=words[:at],
        )

    @classmethod
    def from_fifo_line(cls, line: str) -> Transition:
        """From a line of Keepalived's notify FIFO, such as `INSTANCE "VI_1" MASTER 100`; raises `ValueError`."""
        kind, quote, rest = line.strip().partition(' "')
        name, end, words = rest.rpartition('" ')
        state, _, priority = words.partition(" ")
        if kind not in KINDS or not quote or not end or not state:
            raise ValueError(f"{line!r} is no line of a notify FIFO")
        started = int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS)
        number = int(priority) if priority.isdecimal() else None
        return cls(kind, name, state, number, boot=boot_id(), started=started, pid=0)

    @classmethod
    def from_record(cls, record: str) -> Transition:
        """From what `record` returned, less RS and LF; raises `ValueError` at anything else."""
        fields = record.split(BETWEEN)
        if len(fields) != 9 or fields[0] != VERSION or fields[1] not in KINDS or not fields[2] or not fields[3]:
            raise ValueError("no record of a transition")
        _, kind, name, state, priority, pid, started, boot, options = fields
        return cls(
            kind,
            name,
            state,
            int(priority) if priority else None,
            boot=boot,
            started=int(started),
            pid=int(pid),
            options=options.split(WORDS) if options else (),
        )

    def record(self) -> bytes:
        """The record, byte for byte what the shell's `hacheck notify` writes."""
        priority = "" if self.priority is None else str(self.priority)
        fields = (VERSION, self.kind, self.name, self.state, priority, str(self.pid), str(self.started), self.boot)
        return (BEGIN + BETWEEN.join((*fields, WORDS.join(self.options))) + END).encode()

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
