"""What happened, as an audit log that is kept for a week?

The journal as one reader has understood it: in order, with the wall clock's time, each transition once. Whoever holds
the lock is that reader. Lines of JSON in `history`, and in `history.N` what is older.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import time

from hachecks import journal, state
from hachecks.event import RECENT as RECENT  # noqa: PLC0414 - what a reader's memory is measured by
from hachecks.event import Event as Event  # noqa: PLC0414 - what a history consists of
from hachecks.event import Understanding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import IO

NAME = "history"
LARGEST = 4 * 1024 * 1024
KEPT = 7 * 86400.0
"""Seconds after which what happened is forgotten."""
MOST_CLOSED = 16
"""Closed files that are kept at most, whatever their age: instances that flap for days must not fill the disk."""


class History:
    """The one reader's view; `with History.locked(...)`, since two would number the same events twice."""

    def __init__(self, directory: str, directories: Sequence[str]) -> None:
        self.directory = directory
        self.directories = directories
        self.path = os.path.join(directory, NAME)
        self.foreign = 0
        self.trouble = ""
        self.has_more = True
        self.unwritten: list[Event] = []
        self.understanding = Understanding()
        for event in events(directory):
            self.understanding.know(event)
        self.reading = self.written = journal.Reading(state.read(_reading_path(directory)))

    @classmethod
    @contextlib.contextmanager
    def locked(cls, directory: str, directories: Sequence[str]) -> Iterator[History]:
        """The history, while nobody else has it; raises `BlockingIOError` when somebody has."""
        lock = os.open(os.path.join(directory, f"{NAME}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield cls(directory, directories)
        finally:
            os.close(lock)

    def read_on(self) -> list[Event]:
        """Add the next portion of what the journal has brought since; returns it, written down or not."""
        added = self._read()
        self.unwritten += added
        try:
            self._write()
            if str(self.reading) != str(self.written):
                state.replace(_reading_path(self.directory), str(self.reading))
                self.written = self.reading
            self.trouble = ""
        except OSError as error:  # what was recorded stays in the journal until there is room
            self.trouble = f"{self.directory} cannot be written: {error.strerror or error}"
            return added
        for directory in self.directories:
            with contextlib.suppress(OSError):  # a place that is not there, or not ours
                journal.tend(directory, self.written)
        return added

    def unread(self) -> Iterator[Event]:
        """What the journal has brought since, for one who only looks: nothing is written, and no lock is needed."""
        yield from self._read()
        while self.has_more:
            yield from self._read()

    def _read(self) -> list[Event]:
        """The next portion of what the journal has brought since."""
        found, self.reading = journal.read_on(self.directories, self.reading)
        self.foreign += found.foreign
        self.has_more = found.more
        return list(self.understanding.events_of(found.transitions))

    def peek(self) -> journal.Found:
        """The next portion, which is still to be read."""
        return journal.read_on(self.directories, self.reading)[0]

    def _write(self) -> None:
        if not self.unwritten:
            return
        self._make_room()
        text = "".join(f"{event}\n" for event in self.unwritten)
        with open(self.path, "ab+", buffering=0) as file:
            state.let_read(self.path)
            end = file.seek(0, os.SEEK_END)
            torn = end and os.pread(file.fileno(), 1, end - 1) != b"\n"  # by one who was killed here
            data = b"\n" * bool(torn) + text.encode()
            try:
                if file.write(data) != len(data):
                    raise OSError("only a part could be written")
                os.fdatasync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
        self.unwritten = []

    def _make_room(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_size >= LARGEST:
                os.replace(self.path, f"{self.path}.{int(time.time() * 1000):015d}")
        closed = _closed(self.directory)
        for path in closed:
            state.let_read(path)
            if path in closed[:-MOST_CLOSED] or os.stat(path).st_mtime < time.time() - KEPT:
                os.unlink(path)


class Follower:
    """All that is remembered in some directories, and then what is recorded: for one who may only read.

    It takes no lock and writes nothing. `trouble` says in one line what could not be read, and what to do; `foreign`
    counts the records that were torn, or not ours. It is to be asked every few minutes: a closed journal is deleted in
    the end.
    """

    def __init__(self, directories: Sequence[str]) -> None:
        self.directories = directories
        self.trouble = ""
        self.foreign = 0
        self.understanding = Understanding(RECENT)
        self.reading: journal.Reading | None = None
        self.seen: object = None

    def read_on(self) -> Iterator[Event]:
        """What is new since the last call, oldest first, each once; all there is at the first. It is read on the way.

        Nothing new costs a few calls of stat(2).
        """
        seen = journal.sizes(self.directories)
        if seen == self.seen and not self.trouble:
            return
        if self.reading is None:
            yield from self._remembered()
        more = self.reading is not None
        while more and self.reading is not None:
            found, after = journal.read_on(self.directories, self.reading)
            if found.refusals:  # what cannot be read just now has been read as far as before
                after.offsets = {**self.reading.offsets, **after.offsets}
            self.reading, self.seen, more = after, seen, found.more
            self.trouble = _trouble(found.refusals)
            self.foreign += found.foreign
            yield from self.understanding.events_of(found.transitions)

    def _remembered(self) -> Iterator[Event]:
        """The history of all directories; nothing while one of them cannot be read, since it cannot be told later."""
        refusals = _refusals(self.directories)
        # How far the journal was read is asked before: what the history gains from now on is still to be read there.
        reading = _readings(self.directories, refusals)
        self.trouble = _trouble(refusals)
        if self.trouble:
            return
        for event in heapq.merge(*map(events, self.directories), key=lambda event: event.at):
            if self.understanding.know(event):
                yield event
        self.reading = reading


def events(directory: str) -> Iterator[Event]:
    """Everything that is remembered, oldest first; what cannot be read is passed over."""
    with contextlib.ExitStack() as opened:
        # The open file first. Should it be closed now, this is still it, and the list of the closed ones has it, too.
        latest: IO[str] | None = None
        with contextlib.suppress(OSError):
            latest = opened.enter_context(_text(os.path.join(directory, NAME)))
        for path in _closed(directory):
            with contextlib.suppress(OSError), _text(path) as file:
                if latest is None or not os.path.sameopenfile(file.fileno(), latest.fileno()):
                    yield from _parsed(file)
        with contextlib.suppress(OSError):
            yield from _parsed(latest or ())


def _text(path: str) -> IO[str]:
    return open(path, encoding="utf-8", errors="replace")


def _parsed(lines: Iterable[str]) -> Iterator[Event]:
    for line in lines:
        with contextlib.suppress(ValueError):
            yield Event.parse(line)


def _readings(directories: Sequence[str], refusals: list[OSError]) -> journal.Reading:
    """How far the journal has been read by whoever keeps a history in one of these directories."""
    farthest = journal.Reading()
    for directory in directories:
        try:
            reading = journal.Reading(state.read(_reading_path(directory)))
        except OSError as error:
            refusals.append(error)
            continue
        for identity, offset in reading.offsets.items():
            farthest.offsets[identity] = max(offset, farthest.offsets.get(identity, 0))
    return farthest


def _refusals(directories: Sequence[str]) -> list[OSError]:
    """Why a history that is there cannot be read."""
    refusals: list[OSError] = []
    for directory in directories:
        try:
            os.close(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for path in [*_closed(directory), os.path.join(directory, NAME)]:
                with contextlib.suppress(FileNotFoundError):
                    _text(path).close()
        except FileNotFoundError:
            continue
        except OSError as error:
            refusals.append(error)
    return refusals


def _trouble(refusals: Sequence[OSError]) -> str:
    """The first of these in one line, with what to do."""
    for error in refusals:
        advice = "; let everybody read it (chmod a+rX), or run as its owner" * isinstance(error, PermissionError)
        return f"{error.filename} cannot be read: {error.strerror}{advice}"
    return ""


def _reading_path(directory: str) -> str:
    return os.path.join(directory, f"{NAME}.read")


def _closed(directory: str) -> list[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    closed = (name for name in names if name.startswith(f"{NAME}.") and name[len(NAME) + 1 :].isdigit())
    return [os.path.join(directory, name) for name in sorted(closed)]
