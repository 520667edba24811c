"""The history: an audit log of what happened, kept for a week by the one reader of a user's journal.

It is the journal as that reader has understood it: in order, with the wall clock's time, each transition once. Whoever
holds the lock is that reader. For its files see `history_files`, for those who may only read `follower`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

from hachecks import homes, state
from hachecks.transitions import journal
from hachecks.transitions.event import TransitionLog
from hachecks.transitions.history_files import NAME, closed, events, offsets, offsets_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hachecks.transitions.event import Event

CLOSED_AT_BYTES = 4 * 1024 * 1024
KEPT_SECONDS = 7 * 86400.0
"""Seconds after which what happened is forgotten."""
MOST_CLOSED = 16
"""Closed files that are kept at most, whatever their age: instances that flap for days must not fill the disk."""


class History:
    """One user's events, as his one reader sees them; `with History.locked(...)`: two would number the same ones twice.

    What other users have recorded is theirs to deliver (see `state`). The files are read once, at the beginning, and
    `remember` is given each event of them, oldest first.
    """

    def __init__(
        self,
        directory: str,
        places: Sequence[str],
        remember: Callable[[Event], object] = lambda _: None,
        *,
        closed_at_bytes: int = CLOSED_AT_BYTES,
        journal_closed_at_bytes: int = journal.CLOSED_AT_BYTES,
    ) -> None:
        self.directory = directory
        self.places = places
        self.path = os.path.join(directory, NAME)
        self.closed_at_bytes = closed_at_bytes
        self.journal_closed_at_bytes = journal_closed_at_bytes
        self.malformed = 0
        self.trouble = ""
        self.has_more = True
        self.unwritten: list[Event] = []
        self.log = TransitionLog()
        for event in events(directory):
            self.log.add(event)
            remember(event)
        self.offsets = self.written = offsets(directory)

    @classmethod
    @contextlib.contextmanager
    def locked(
        cls,
        directory: str,
        places: Sequence[str],
        remember: Callable[[Event], object] = lambda _: None,
        **closed_at_bytes: int,
    ) -> Iterator[History]:
        """The history, while nobody else has it; raises `BlockingIOError` when somebody has, else `OSError`."""
        # Not the directory itself: whoever may read it could lock it for ever.
        lock = state.written(os.path.join(directory, journal.KEPT_HERE), os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield cls(directory, places, remember, **closed_at_bytes)
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
            if str(self.offsets) != str(self.written):
                state.replace(offsets_path(self.directory), str(self.offsets))
                self.written = self.offsets
            self.trouble = ""
        except OSError as error:  # what was recorded stays in the journal until there is room
            self.trouble = f"{self.directory} cannot be written: {error.strerror or error}"
            return added
        for directory in self.directories:
            with contextlib.suppress(OSError):  # it is full, or has just been taken away
                journal.rotate(directory, self.written, closed_at_bytes=self.journal_closed_at_bytes)
        return added

    def unread(self) -> Iterator[Event]:
        """What the journal has brought since, for one who only looks: nothing is written, and no lock is needed."""
        yield from self._read()
        while self.has_more:
            yield from self._read()

    def _read(self) -> list[Event]:
        """The next portion of what the journal has brought since."""
        found, self.offsets = journal.read_from(self.directories, self.offsets)
        self.malformed += found.malformed
        self.has_more = found.more
        return list(self.log.events_from(found.transitions))

    def peek(self) -> journal.Batch:
        """The next portion, which is still to be read."""
        return journal.read_from(self.directories, self.offsets)[0]

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
            if os.lstat(self.path).st_size >= self.closed_at_bytes:
                os.replace(self.path, journal.name_of_closed(self.path, closed(self.directory), time.time()))
        found = closed(self.directory)
        for path in found:
            state.let_read(path)
            if path in found[:-MOST_CLOSED] or os.lstat(path).st_mtime < time.time() - KEPT_SECONDS:
                os.unlink(path)
