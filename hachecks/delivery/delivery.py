"""The delivery to all notifiers of a node: each is told every event, at least once, no more often than people bear.

Each notifier has a queue (see `queue_state`). Nothing is copied: what is told next are the events of the history beyond
the number up to which the notifier has been told.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock

from hachecks.delivery.attempt import send
from hachecks.delivery.compose import Composer
from hachecks.delivery.dead_letters import DeadLetters, Letter
from hachecks.delivery.pending import first_after_gap, pending, start
from hachecks.delivery.queue_state import EXPIRED, LONGEST_ASKED_SECONDS, QUEUE, REFUSED, QueueState
from hachecks.delivery.silence import silence_left
from hachecks.kept import is_number
from hachecks.messages.not_delivered import NotDelivered
from hachecks.verdict import in_words, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hachecks.delivery.backlog import Backlog
    from hachecks.delivery.channel import Channel
    from hachecks.delivery.pending import Pending
    from hachecks.messages.message import Message
    from hachecks.transitions.event import Event

FIRST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 300.0


class Delivery:
    """All channels of one node with their queues: none of which is kept where there is no directory.

    `queues` are those of a former delivery, which know more than their files where these could not be written.
    """

    def __init__(
        self,
        node: str,
        channels: Mapping[str, Channel],
        directory: str,
        vips: Mapping[str, Sequence[str]],
        queues: Mapping[str, QueueState] | None = None,
    ) -> None:
        self.directory = directory
        self.composer = Composer(node, vips, directory)
        self.dead_letters = DeadLetters(directory)
        self.channels: dict[str, Channel] = {}
        self.queues: dict[str, QueueState] = dict(queues or {})
        self.told_of_unsaved: dict[str, str] = {}
        self.fallback_lock = Lock()
        self.fallbacks = {c.options.fallback for c in channels.values() if c.options.fallback}
        for channel in channels.values():
            self.add(channel)

    def add(self, channel: Channel) -> None:
        """One more channel, which goes on where its queue stands."""
        path = os.path.join(self.directory, QUEUE + channel.name) if self.directory else ""
        self.channels[channel.name] = channel
        if channel.name not in self.queues:
            self.queues[channel.name] = QueueState(path)

    def deliver(self, backlog: Backlog) -> Iterator[tuple[Channel, str]]:
        """Tell all channels that are due what is pending, at once; yields each with what came of it."""
        due: list[tuple[Channel, Callable[[], str]]] = []
        silent = silence_left(self.directory) > 0
        for channel in self.channels.values():
            queue = self.queues[channel.name]
            known = start(queue, backlog)
            if known != queue.delivered_up_to:
                queue.begin_at(known)
            if channel.name in self.fallbacks or (silent and not channel.wants_all_events):
                queue.mark_delivered(backlog.last)
            elif self._may_be_due(channel, queue, backlog):
                lost = self._pass_over_gap(queue, backlog)
                if lost:
                    yield channel, f"{lost} events are not in the history any more, and were not told"
                found = pending(channel, queue, backlog)
                if not found.events:
                    queue.mark_delivered(found.through)
                elif turn := self._turn(channel, queue, found):
                    due.append((channel, turn))
        if due:
            with ThreadPoolExecutor(len(due)) as pool:  # one that hangs must not keep the others waiting
                yield from zip((channel for channel, _ in due), pool.map(lambda one: one[1](), due))
        yield from self._what_is_not_saved()

    def _may_be_due(self, channel: Channel, queue: QueueState, backlog: Backlog) -> bool:
        if queue.retry_left() and queue.expiry_left():
            return False
        # To read the history again and again would be dear.
        return not queue.rate_left(channel.options.rate) or backlog.holds(queue.delivered_up_to or 0)

    def _pass_over_gap(self, queue: QueueState, backlog: Backlog) -> int:
        """How many events have gone from the history before they could be told; the queue goes on behind these."""
        first = first_after_gap(queue, backlog)
        if first is None:
            return 0
        lost = first - 1 - (queue.delivered_up_to or 0)
        queue.stats.dropped[EXPIRED] += lost
        queue.mark_delivered(first - 1)
        return lost

    def _what_is_not_saved(self) -> Iterator[tuple[Channel, str]]:
        """Say once, and not at every attempt, that a queue cannot be kept."""
        unsaved = {name: queue for name, queue in self.queues.items() if queue.save_error and name in self.channels}
        for name in unsaved.keys() - self.told_of_unsaved.keys():
            why = f"{unsaved[name].path} cannot be written: {unsaved[name].save_error}"
            yield self.channels[name], f"{why}; if this process ends, it will be told again what it knows"
        self.told_of_unsaved = {name: queue.save_error for name, queue in unsaved.items()}

    def waiting(self, backlog: Backlog) -> float | None:
        """Seconds until some channel is to be told again; None when all have been told."""
        waits = [
            self.queues[channel.name].turn_left(channel.options.rate)
            for channel in self.channels.values()
            if channel.name not in self.fallbacks and self._has_more(channel, backlog)
        ]
        return min(waits) if waits else None

    def _has_more(self, channel: Channel, backlog: Backlog) -> bool:
        queue = self.queues[channel.name]
        known = start(queue, backlog)
        if known >= backlog.last:
            return False
        return not backlog.holds(known) or bool(pending(channel, queue, backlog).events)

    def is_telling(self, backlog: Backlog) -> bool:
        """Whether somebody who is not to be left alone for a while does not know all of it yet."""
        return any(
            not queue.retry_left() and (queue.delivered_up_to or 0) < backlog.last
            for queue in map(self.queues.__getitem__, self.channels)
        )

    @property
    def delivered_up_to(self) -> int:
        """Up to which number no channel needs to be told any more."""
        return min((self.queues[name].delivered_up_to or 0 for name in self.channels), default=0)

    def _turn(self, channel: Channel, queue: QueueState, found: Pending) -> Callable[[], str] | None:
        """What is to be done about it now."""
        if queue.retry_left():
            too_old = _too_old(channel, found.events)
            queue.gives_up_in(channel.options.max_age - found.events[0].age())
            return partial(self._give_up, channel, found._replace(events=too_old), EXPIRED) if too_old else None
        if queue.rate_left(channel.options.rate) and not found.says_goodbye:
            return None
        return partial(self._tell, channel, found)

    def _tell(self, channel: Channel, found: Pending) -> str:
        queue = self.queues[channel.name]
        again = queue.sending >= found.events[0].number
        queue.sending = found.events[-1].number
        queue.save()
        try:
            said = self._attempt(channel, self.composer.message(channel, found.events, possible_duplicate=again))
        except NotDelivered as failure:
            return self._not_told(channel, found, failure)
        queue.attempts, queue.not_before, queue.last_error = 0, 0.0, ""
        queue.last_sent = time.monotonic()
        queue.mark_delivered(queue.sending, waiting=found.wanted - len(found.events))
        return said

    def _attempt(self, channel: Channel, message: Message) -> str:
        """One attempt, which is counted; raises `NotDelivered`."""
        stats = self.queues[channel.name].stats
        began = time.monotonic()
        try:
            said = send(channel, message)
        except NotDelivered as failure:
            stats.count(time.monotonic() - began, failure)
            raise
        stats.count(time.monotonic() - began)
        return said

    def _not_told(self, channel: Channel, found: Pending, failure: NotDelivered) -> str:
        queue = self.queues[channel.name]
        queue.attempts += 1
        queue.last_error = one_line(str(failure))
        if not failure.retryable:
            return self._give_up(channel, found, REFUSED)
        too_old = _too_old(channel, found.events)
        if too_old:
            return self._give_up(channel, found._replace(events=too_old), EXPIRED)
        return self._try_later(channel, found, failure)

    def _try_later(self, channel: Channel, found: Pending, failure: NotDelivered) -> str:
        queue = self.queues[channel.name]
        asked: float = (
            failure.retry_after if failure.retry_after is not None and is_number(failure.retry_after) else 0.0
        )
        wait = backoff(queue.attempts) if failure.retry_after is None else min(asked, LONGEST_ASKED_SECONDS)
        told = f"{queue.last_error}; trying again in {in_words(max(wait, 0.001))}"
        if asked > wait:
            told += f", not in {in_words(asked)} as asked"
        if wait > LONGEST_BACKOFF_SECONDS:
            told += self._tell_fallback(channel, found.events)
        queue.gives_up_in(channel.options.max_age - found.events[0].age())
        queue.retry_in(wait, found.wanted)
        return told

    def _give_up(self, channel: Channel, found: Pending, why: str) -> str:
        queue = self.queues[channel.name]
        letter = Letter(time.time(), channel.name, queue.last_error, tuple(found.events))
        try:
            self.dead_letters.add(letter)
        except OSError as error:  # then it is not given up: nothing is lost
            wait = backoff(max(1, queue.attempts))
            queue.gives_up_in(wait)
            queue.retry_in(wait, found.wanted)
            full = f"{self.dead_letters.path} cannot be written: {error.strerror or error}"
            return f"{queue.last_error}; would be given up, but {full}; trying again in {in_words(wait)}"
        told = f"{queue.last_error}; given up{self._tell_fallback(channel, found.events)}"
        queue.attempts, queue.not_before = 0, 0.0
        queue.stats.dropped[why] += len(found.events)
        queue.mark_delivered(found.events[-1].number, waiting=found.wanted - len(found.events))
        return told

    def _tell_fallback(self, channel: Channel, events: Sequence[Event]) -> str:
        """Tell the fallback what it has not been told before, if there is one; returns what came of it."""
        queue = self.queues[channel.name]
        fallback = self.channels.get(channel.options.fallback or "")
        news = [event for event in events if event.number > queue.fallback_delivered_up_to]
        if fallback is None or not news:
            return ""
        with self.fallback_lock:  # others may give up at the same time
            try:
                said = self._attempt(fallback, self.composer.message(fallback, news))
                queue.fallback_delivered_up_to = news[-1].number
                return f"; {fallback.name}: {said}"
            except NotDelivered as failure:
                return f"; {fallback.name}: {failure}"
            finally:
                self.queues[fallback.name].save()


def _too_old(channel: Channel, events: Sequence[Event]) -> list[Event]:
    """The first of these, as far as they have waited longer than they may."""
    return list(itertools.takewhile(lambda event: event.age() >= channel.options.max_age, events))


def backoff(attempts: int) -> float:
    """Seconds until the next attempt: doubled each time up to five minutes, with full jitter from the second on."""
    longest = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(attempts - 1, 30))
    return longest if attempts == 1 else random.uniform(FIRST_BACKOFF_SECONDS, longest)  # noqa: S311 - no secret
