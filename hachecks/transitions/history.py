"""What happened, as an audit log that is kept for a week?

The journal as one reader has understood it: in order, with the wall clock's time, each transition once. Whoever holds
the lock is that reader. Lines of JSON in `history`, and in `history.N` what is older.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import itertools
import os
import time

from hachecks import homes, state
from hachecks.transitions import journal
from hachecks.transitions.event import RECENT as RECENT  # noqa: PLC0414 - what a reader's memory is measured by
from hachecks.transitions.event import Event as Event  # noqa: PLC0414 - what a history consists of
from hachecks.transitions.event import TransitionLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from typing import IO

NAME = "history"
LONGEST_LINE = 256 * 1024
"""Characters of a line that are read at once: what has no line end is no history."""
LARGEST = 4 * 1024 * 1024
KEPT = 7 * 86400.0
"""Seconds after which what happened is forgotten."""
MOST_CLOSED = 16
"""Closed files that are kept at most, whatever their age: instances that flap for days must not fill the disk."""


class History:
    """One user's events, as his one reader sees them; `with History.locked(...)`: two would number the same ones twice.

    What other users have recorded is theirs to deliver (see `state`).
    """

    def __init__(self, directory: str, places: Sequence[str]) -> None:
        self.directory = directory
        self.places = places
        self.path = os.path.join(directory, NAME)
        self.foreign = 0
        self.trouble = ""
        self.has_more = True
        self.unwritten: list[Event] = []
        self.understanding = TransitionLog()
        for event in events(directory):
            self.understanding.add(event)
        self.reading = self.written = journal.Offsets(state.read(_reading_path(directory)))

    @classmethod
    @contextlib.contextmanager
    def locked(cls, directory: str, places: Sequence[str]) -> Iterator[History]:
        """The history, while nobody else has it; raises `BlockingIOError` when somebody has, else `OSError`."""
        # Not the directory itself: whoever may read it could lock it for ever.
        lock = state.written(os.path.join(directory, journal.KEPT_HERE), os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield cls(directory, places)
        finally:
            os.close(lock)

    @property
    def directories(self) -> list[str]:
        """Where this user has recorded something."""
        return homes.own(self.places)

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
            with contextlib.suppress(OSError):  # it is full, or has just been taken away
                journal.rotate(directory, self.written)
        return added

    def unread(self) -> Iterator[Event]:
        """What the journal has brought since, for one who only looks: nothing is written, and no lock is needed."""
        yield from self._read()
        while self.has_more:
            yield from self._read()

    def _read(self) -> list[Event]:
        """The next portion of what the journal has brought since."""
        found, self.reading = journal.read_from(self.directories, self.reading)
        self.foreign += found.foreign
        self.has_more = found.more
        return list(self.understanding.events_from(found.transitions))

    def peek(self) -> journal.Batch:
        """The next portion, which is still to be read."""
        return journal.read_from(self.directories, self.reading)[0]

    def _write(self) -> None:
        if not self.unwritten:
            return
        self._make_room()
        text = "".join(f"{event}\n" for event in self.unwritten)
        with open(state.written(self.path, os.O_RDWR | os.O_APPEND), "ab+", buffering=0) as file:
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
            if os.lstat(self.path).st_size >= LARGEST:
                os.replace(self.path, f"{self.path}.{int(time.time() * 1000):015d}")
        closed = _closed(self.directory)
        for path in closed:
            state.let_read(path)
            if path in closed[:-MOST_CLOSED] or os.lstat(path).st_mtime < time.time() - KEPT:
                os.unlink(path)


class EventFollower:
    """All that is remembered at some places by some users, and then what they record: for one who may only read.

    It takes no lock and writes nothing. `trouble` says in one line what could not be read, and what to do;
    `passed_over` says of what there is why it is not to be trusted; `foreign` counts the records that were torn, or not
    ours. It is to be asked every few minutes: a closed journal is deleted in the end.
    """

    def __init__(self, places: Sequence[str], users: Container[int]) -> None:
        self.places = places
        self.users = users
        self.trouble = ""
        self.foreign = 0
        self.passed_over: list[str] = []
        self.understanding = TransitionLog(RECENT)
        self.reading = journal.Offsets()
        self.known: set[str] = set()
        self.seen: object = None

    def directories(self) -> list[str]:
        """The directories that are read now."""
        return homes.readable(self.places, self.users)

    def read_on(self) -> Iterator[Event]:
        """What is new since the last call, oldest first, each once; all there is at the first. It is read on the way.

        Nothing new costs a few calls of stat(2).
        """
        refusals: list[OSError] = []
        directories = homes.readable(self.places, self.users, refusals)
        seen = journal.sizes(directories), list(map(str, refusals))
        if seen == self.seen and not self.trouble:
            return
        yield from self._remembered([one for one in directories if one not in self.known], refusals)
        yield from self._recorded([one for one in directories if one in self.known], refusals)
        self.trouble = _trouble([error for error in refusals if not isinstance(error, state.Foreign)])
        self.passed_over = [_sentence(error) for error in refusals if isinstance(error, state.Foreign)]
        self.seen = seen

    def _remembered(self, directories: Sequence[str], refusals: list[OSError]) -> Iterator[Event]:
        """The histories of these directories; none of one that cannot be read, since it cannot be told later."""
        readable = []
        for directory in directories:
            refused = _refusals(directory)
            refusals += refused
            if all(isinstance(error, state.Foreign) for error in refused):
                # How far the journal was read is asked before: what the history gains from now on is still to be read.
                self.reading = self.reading.farthest(_reading(directory))
                readable.append(directory)
        for event in heapq.merge(*map(events, readable), key=lambda event: event.at):
            if self.understanding.add(event):
                yield event
        self.known.update(readable)

    def _recorded(self, directories: Sequence[str], refusals: list[OSError]) -> Iterator[Event]:
        more = True
        while more:
            found, after = journal.read_from(directories, self.reading)
            refusals += found.refusals
            if found.refusals:  # what cannot be read just now has been read as far as before
                after.offsets = {**self.reading.offsets, **after.offsets}
            self.reading = after
            self.foreign += found.foreign
            yield from self.understanding.events_from(found.transitions)
            more = found.more


def users_of(places: Sequence[str]) -> list[int]:
    """The users that keep state of their own at these places."""
    found: set[int] = set()
    for directory in homes.readable(places, homes.ANYBODY):
        with contextlib.suppress(OSError):
            found.add(os.lstat(directory).st_uid)
    return sorted(found)


def recorded_by(user: int, places: Sequence[str], at_most: int | None = None) -> Iterator[Event]:
    """All that is remembered of what this user recorded, and then what was recorded since."""
    return itertools.islice(EventFollower(places, (user,)).read_on(), at_most)


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
            yield from _parsed(latest)


def _text(path: str) -> IO[str]:
    return open(state.opened(path), encoding="utf-8", errors="replace")


def _parsed(file: IO[str] | None) -> Iterator[Event]:
    while file and (line := file.readline(LONGEST_LINE)):
        with contextlib.suppress(ValueError):
            yield Event.parse(line)


def _reading(directory: str) -> journal.Offsets:
    """How far the journal has been read by who keeps a history in this directory."""
    return journal.Offsets(state.read(_reading_path(directory)))


def _refusals(directory: str) -> list[OSError]:
    """Why a history that is there cannot be read."""
    refusals: list[OSError] = []
    for path in [*_closed(directory), os.path.join(directory, NAME), _reading_path(directory)]:
        try:
            os.close(state.opened(path))
        except FileNotFoundError:
            continue
        except OSError as error:
            refusals.append(error)
    return refusals


def _sentence(error: OSError) -> str:
    return f"{error.filename} is passed over: {error.strerror}"


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
