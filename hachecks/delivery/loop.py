"""The retry loop: every notifier learns of every event, at least once, and no more often than people bear.

Each notifier has a queue: a number up to which it has been told, kept in the state directory. Nothing is copied: what
is told next are the events of the history beyond that number.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock

from hachecks import homes, state
from hachecks.checks.results import LAST_FAILURE
from hachecks.delivery.channel import LONGEST_ASKED, LONGEST_BACKOFF, OLD_NEWS, Channel, backoff
from hachecks.delivery.dead_letters import DeadLetters, Letter
from hachecks.delivery.queue_state import EXPIRED, REFUSED, silence_left
from hachecks.kept import is_number
from hachecks.messages.message import Message, changes_of
from hachecks.messages.not_delivered import NotDelivered
from hachecks.transitions import journal
from hachecks.verdict import in_words, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hachecks.delivery.backlog import Backlog
    from hachecks.delivery.channel import Pending
    from hachecks.transitions.event import Event


class Delivery:
    """All channels of one node, and what they have in common."""

    def __init__(
        self, node: str, channels: dict[str, Channel], directory: str, vips: Mapping[str, Sequence[str]]
    ) -> None:
        self.node = node
        self.channels = channels
        self.directory = directory
        self.vips = vips
        self.dead_letters = DeadLetters(directory)
        self.unsaved: dict[str, str] = {}
        self.fallback_turn = Lock()
        self.fallback_for = {c.options.fallback for c in channels.values() if c.options.fallback}

    def deliver(self, backlog: Backlog) -> Iterator[tuple[Channel, str]]:
        """Tell all channels that are due what is pending, at once; yields each with what came of it."""
        due: list[tuple[Channel, Callable[[], str]]] = []
        silent = silence_left(self.directory) > 0
        for channel in self.channels.values():
            channel.begin(backlog)
            if channel.name in self.fallback_for or (silent and not channel.trait("wants_all_events")):
                channel.mark_delivered(backlog.last)
            elif self._may_be_due(channel, backlog):
                lost = channel.forgotten(backlog)
                if lost:
                    yield channel, f"{lost} events are not in the history any more, and were not told"
                pending = channel.pending(backlog)
                channel.wanted = pending.wanted
                if not pending.events:
                    channel.mark_delivered(pending.through)
                elif turn := self._turn(channel, pending):
                    due.append((channel, turn))
        if due:
            with ThreadPoolExecutor(len(due)) as pool:  # one that hangs must not keep the others waiting
                yield from zip((channel for channel, _ in due), pool.map(lambda one: one[1](), due))
        yield from self._what_is_not_kept()

    def _may_be_due(self, channel: Channel, backlog: Backlog) -> bool:
        if channel.retry_left() and channel.patience_left():
            return False
        # To read the history ten times a second would be dear.
        return not channel.rate_left() or backlog.holds(channel.told or 0)

    def _what_is_not_kept(self) -> Iterator[tuple[Channel, str]]:
        """Say once, and not at every try, that a queue cannot be kept."""
        for channel in self.channels.values():
            if channel.unsaved and channel.name not in self.unsaved:
                why = f"{channel.path} cannot be written: {channel.unsaved}"
                yield channel, f"{why}; if this process ends, it will be told again what it knows"
        self.unsaved = {channel.name: channel.unsaved for channel in self.channels.values() if channel.unsaved}

    def waiting(self, backlog: Backlog) -> float | None:
        """Seconds until some channel is to be told again; None when all have been told."""
        waits = [
            channel.turn_left()
            for channel in self.channels.values()
            if channel.name not in self.fallback_for and self._has_more(channel, backlog)
        ]
        return min(waits) if waits else None

    def _has_more(self, channel: Channel, backlog: Backlog) -> bool:
        start = channel.start(backlog)
        if start >= backlog.last:
            return False
        return not backlog.holds(start) or bool(channel.pending(backlog).events)

    def is_telling(self, backlog: Backlog) -> bool:
        """Whether somebody who is not to be left alone for a while does not know all of it yet."""
        return any(
            not channel.retry_left() and (channel.told or 0) < backlog.last for channel in self.channels.values()
        )

    @property
    def known_to_all(self) -> int:
        """Up to which number no channel needs to be told any more."""
        return min((channel.told or 0 for channel in self.channels.values()), default=0)

    def message(self, channel: Channel, events: Sequence[Event], **more: bool) -> Message:
        """The message about these events as the channel wants it."""
        changes = changes_of(events, self.vips, last_reason(self.directory))
        return Message(self.node, changes, title=str(channel.options.title), body=str(channel.options.body), **more)

    def _turn(self, channel: Channel, pending: Pending) -> Callable[[], str] | None:
        """What is to be done about it now."""
        if channel.retry_left():
            too_old = _too_old(channel, pending.events)
            channel.gives_up_in(channel.options.max_age - pending.events[0].age())
            return partial(self._give_up, channel, too_old, EXPIRED) if too_old else None
        if channel.rate_left() and not pending.says_goodbye:
            return None
        return partial(self._tell, channel, pending.events)

    def _tell(self, channel: Channel, pending: Sequence[Event]) -> str:
        again = channel.sending >= pending[0].number
        channel.sending = pending[-1].number
        channel.save()
        try:
            said = channel.try_to_tell(self.message(channel, pending, possible_duplicate=again))
        except NotDelivered as failure:
            return self._not_told(channel, pending, failure)
        channel.attempts, channel.not_before, channel.trouble = 0, 0.0, ""
        channel.last_sent = time.monotonic()
        channel.mark_delivered(channel.sending, waiting=channel.wanted - len(pending))
        return said

    def _not_told(self, channel: Channel, pending: Sequence[Event], failure: NotDelivered) -> str:
        channel.attempts += 1
        channel.trouble = one_line(str(failure))
        too_old = _too_old(channel, pending)
        if failure.retryable and not too_old:
            return self._try_later(channel, pending, failure)
        return self._give_up(
            channel, too_old if failure.retryable else pending, EXPIRED if failure.retryable else REFUSED
        )

    def _try_later(self, channel: Channel, pending: Sequence[Event], failure: NotDelivered) -> str:
        asked: float = (
            failure.retry_after if failure.retry_after is not None and is_number(failure.retry_after) else 0.0
        )
        wait = backoff(channel.attempts) if failure.retry_after is None else min(asked, LONGEST_ASKED)
        told = f"{channel.trouble}; trying again in {in_words(max(wait, 0.001))}"
        if asked > wait:
            told += f", not in {in_words(asked)} as asked"
        if wait > LONGEST_BACKOFF and pending[-1].number > channel.fallback_told:
            told += self._tell_fallback(channel, pending)
        channel.gives_up_in(channel.options.max_age - pending[0].age())
        channel.retry_in(wait)
        return told

    def _give_up(self, channel: Channel, pending: Sequence[Event], why: str) -> str:
        letter = Letter(time.time(), channel.name, channel.trouble, tuple(pending))
        try:
            self.dead_letters.add(letter)
        except OSError as error:  # then it is not given up: nothing is lost
            wait = backoff(max(1, channel.attempts))
            channel.retry_in(wait)
            full = f"{self.dead_letters.path} cannot be written: {error.strerror or error}"
            return f"{channel.trouble}; would be given up, but {full}; trying again in {in_words(wait)}"
        told = f"{channel.trouble}; given up"
        if pending[-1].number > channel.fallback_told:
            told += self._tell_fallback(channel, pending)
        channel.attempts, channel.not_before = 0, 0.0
        channel.tally.dropped[why] += len(pending)
        channel.mark_delivered(pending[-1].number, waiting=channel.wanted - len(pending))
        return told

    def _tell_fallback(self, channel: Channel, pending: Sequence[Event]) -> str:
        fallback = self.channels.get(channel.options.fallback or "")
        if fallback is None:
            return ""
        news = [event for event in pending if event.number > channel.fallback_told]
        with self.fallback_turn:  # others may give up at the same time
            try:
                said = fallback.try_to_tell(self.message(fallback, news))
                channel.fallback_told = news[-1].number
                return f"; {fallback.name}: {said}"
            except NotDelivered as failure:
                return f"; {fallback.name}: {failure}"
            finally:
                fallback.save()


def _too_old(channel: Channel, pending: Sequence[Event]) -> list[Event]:
    """The first of these, as far as they have waited longer than they may."""
    return list(itertools.takewhile(lambda event: event.age() >= channel.options.max_age, pending))


def last_reason(directory: str) -> str:
    """Why a check failed just now; what failed long ago, or at a time to come, explains nothing.

    The checks may be run by another user than the notify script: the latest reason of those that are believed counts.
    """
    found: list[tuple[float, str]] = []
    places = state.PLACES if directory.startswith(state.PLACES) else (directory, state.SHARED)
    for place in homes.readable(places, journal.trusted_users()) if directory else ():
        path = os.path.join(place, LAST_FAILURE)
        with contextlib.suppress(OSError):
            at = os.lstat(path).st_mtime
            if abs(time.time() - at) < OLD_NEWS and (text := state.read(path).strip()):
                found.append((at, text))
    return max(found)[1] if found else ""
