"""A follower of what some users record at some places, for one who may only read: without a lock, writing nothing."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os

from hachecks import homes, state
from hachecks.transitions import history_files, journal
from hachecks.transitions.event import RECENT, TransitionLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from hachecks.transitions.event import Event


class EventFollower:
    """All that is remembered at some places by some users, and then what they record: for one who may only read.

    It takes no lock and writes nothing. `trouble` says in one line what could not be read, and what to do;
    `passed_over` says of what there is why it is not to be trusted; `malformed` counts the records that were torn, or
    not ours. It is to be asked every few minutes: a closed journal is deleted in the end.
    """

    def __init__(self, places: Sequence[str], users: Container[int], recent: int = RECENT) -> None:
        self.places = places
        self.users = users
        self.trouble = ""
        self.malformed = 0
        self.passed_over: list[str] = []
        self.log = TransitionLog(recent)
        self.offsets = journal.Offsets()
        self.known: set[str] = set()
        self.seen: object = None

    def directories(self) -> list[str]:
        """The directories that are read now."""
        return homes.readable(self.places, self.users)

    def read_on(self) -> Iterator[Event]:
        """What is new since the last call, oldest first, each once; all there is at the first. It is read on the way.

        Nothing new costs a few calls of stat(2).
        """
        errors: list[OSError] = []
        directories = homes.readable(self.places, self.users, errors)
        seen = journal.sizes(directories), list(map(str, errors))
        if seen == self.seen and not self.trouble:
            return
        yield from self._remembered([one for one in directories if one not in self.known], errors)
        yield from self._recorded([one for one in directories if one in self.known], errors)
        self.trouble = _trouble([error for error in errors if not isinstance(error, state.Foreign)])
        self.passed_over = [_sentence(error) for error in errors if isinstance(error, state.Foreign)]
        self.seen = seen

    def _remembered(self, directories: Sequence[str], errors: list[OSError]) -> Iterator[Event]:
        """The histories of these directories; none of one that cannot be read, since it cannot be told later."""
        readable = []
        for directory in directories:
            refused = history_files.errors(directory)
            errors += refused
            if all(isinstance(error, state.Foreign) for error in refused):
                # How far the journal was read is asked before: what the history gains from now on is still to be read.
                self.offsets = self.offsets.farthest(history_files.offsets(directory))
                readable.append(directory)
        for event in heapq.merge(*map(history_files.events, readable), key=lambda event: event.at):
            if self.log.add(event):
                yield event
        self.known.update(readable)

    def _recorded(self, directories: Sequence[str], errors: list[OSError]) -> Iterator[Event]:
        more = True
        while more:
            found, after = journal.read_from(directories, self.offsets)
            errors += found.errors
            if found.errors:  # what cannot be read just now has been read as far as before
                after.offsets = {**self.offsets.offsets, **after.offsets}
            self.offsets = after
            self.malformed += found.malformed
            yield from self.log.events_from(found.transitions)
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


def _sentence(error: OSError) -> str:
    return f"{error.filename} is passed over: {error.strerror}"


def _trouble(errors: Sequence[OSError]) -> str:
    """The first of these in one line, with what to do."""
    for error in errors:
        advice = "; let everybody read it (chmod a+rX), or run as its owner" * isinstance(error, PermissionError)
        return f"{error.filename} cannot be read: {error.strerror}{advice}"
    return ""
