"""A notifier with its options and its queue: what it wants to know, what it knows, and when it may be told.

The queue is a number up to which it has been told, kept in the state directory.
"""

from __future__ import annotations

import fnmatch
import json
import os
import random
import time
from typing import NamedTuple

from hachecks import state
from hachecks.delivery.attempt import send
from hachecks.delivery.queue_state import EXPIRED, QUEUE, DeliveryStats, read, value_of
from hachecks.kept import is_number, is_text, is_whole
from hachecks.messages.message import BODY, TITLE, Severity, TemplateText, weight
from hachecks.messages.not_delivered import NotDelivered
from hachecks.settings import option, settings
from hachecks.units import Duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from hachecks.delivery.backlog import Backlog
    from hachecks.messages.message import Message
    from hachecks.notifiers import Notifier
    from hachecks.transitions.event import Event

OLD_NEWS = 60.0
"""Seconds after which an event is no news to a notifier that was not there before."""
FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 300.0
LONGEST_ASKED = 3600.0
"""Seconds that a service may ask to be left alone for: of a longer pause nobody would hear in time."""


@settings
class DeliveryOptions:
    """What is told, and when."""

    heading = "What is told, and when"
    own_variables = True

    states: tuple[str, ...] = option(default=(), metavar="STATE", help="Tell of changes to these states only.")
    instances: tuple[str, ...] = option(
        default=(), metavar="PATTERN", help="Tell of these instances and groups only, such as 'router_*'."
    )
    severity: Literal["info", "warning", "critical"] = option(default="info", help="Tell of what matters this much.")
    send_timeout: Duration = option(default=10.0, help="One try ends within this time.")
    max_age: Duration = option(default=86400.0, help="Give up after this time; what was not told is a dead letter.")
    rate: Duration = option(default=1.0, help="The least time between two messages; STOP does not wait.")
    fallback: str | None = option(
        default=None, metavar="NAME", help="Tell this notifier what could not be told here, or not soon."
    )
    title: TemplateText = option(default=TITLE, metavar="TEMPLATE", help="The title of a message.")
    body: TemplateText = option(default=BODY, metavar="TEMPLATE", help="The text of a message.")

    def wants(self, event: Event, wants_all_events: bool = False) -> bool:
        """Whether this event is to be told of; a log wants every event, people want what is news to them."""
        if self.instances and not any(fnmatch.fnmatchcase(event.name, pattern) for pattern in self.instances):
            return False
        if self.states and event.state not in self.states:
            return False
        if weight(event.before, event.state) < Severity[self.severity]:
            return False
        if wants_all_events or event.late or event.state == event.before:
            return wants_all_events
        # A start says BACKUP of every instance, whatever follows: no news to anybody who did not ask for it.
        noise = event.before is None and event.state == "BACKUP"
        return bool(self.states) or (event.changes and not noise)


class Pending(NamedTuple):
    """What a channel is to be told next.

    Its `events`, how many it wants of those that were looked at, and `through` which number these were.
    """

    events: list[Event]
    wanted: int
    through: int

    @property
    def says_goodbye(self) -> bool:
        """Whether Keepalived ends, and its pod perhaps a second later: nobody can be told after that."""
        return any(event.state == "STOP" for event in self.events)


class Channel:
    """A notifier with its name, its options, and its queue: none where there is no directory."""

    def __init__(
        self, name: str, notifier: Notifier, options: DeliveryOptions, directory: str, argv: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.notifier = notifier
        self.options = options
        self.path = os.path.join(directory, QUEUE + name) if directory else ""
        kept = read(self.path) if directory else {}
        self.told: int | None = value_of(kept, "told", is_whole, None)
        self.attempts: int = value_of(kept, "attempts", is_whole, 0)
        self.not_before: float = value_of(kept, "not_before", is_number, 0.0)
        self.wait: float = min(value_of(kept, "wait", is_number, LONGEST_ASKED), LONGEST_ASKED)
        self.sending: int = value_of(kept, "sending", is_whole, 0)
        self.trouble: str = value_of(kept, "trouble", is_text, "")
        self.waiting: int = value_of(kept, "waiting", is_whole, 0)
        self.fallback_told: int = value_of(kept, "fallback_told", is_whole, 0)
        self.tally = DeliveryStats(kept)
        self.wanted = 0
        self.last_sent = -float("inf")
        self.gives_up_at = 0.0
        self.unsaved = ""

    def save(self) -> None:
        """Keep the queue's state; where that cannot be done, `unsaved` says why, and the worst is to tell again."""
        if not self.path:
            return
        names = ("told", "attempts", "not_before", "wait", "sending", "trouble", "waiting", "fallback_told")
        kept = {name: getattr(self, name) for name in names}
        try:
            state.replace(self.path, json.dumps({**kept, **self.tally.facts()}), sync=True)
            self.unsaved = ""
        except OSError as error:
            self.unsaved = error.strerror or str(error)

    def begin(self, backlog: Backlog) -> None:
        """Where it stands in no history, or in one that was lost: a new channel is not told old news."""
        start = self.start(backlog)
        if start != self.told:
            self.told, self.sending, self.waiting, self.fallback_told = start, 0, 0, 0
            self.save()

    def start(self, backlog: Backlog) -> int:
        """Up to which number it knows everything, or does not want to."""
        if self.told is not None and not 0 < backlog.last < self.told:
            return self.told
        old = (event.number for event in backlog.recent if event.age() > OLD_NEWS)
        return max(old, default=min(backlog.known_after, backlog.last))

    def pending(self, backlog: Backlog) -> Pending:
        """What it has not been told of yet and wants to know.

        A message that may have arrived is sent again as it was, with the same key; what has happened since waits,
        unless the notifier's messages may grow.
        """
        start = self.start(backlog)
        news = backlog.after(start)
        through = news[-1].number if news else max(start, backlog.last)
        wanted = [event for event in news if event.options == self.argv and self.wants(event)]
        frozen = [] if self.trait("may_grow_on_retry") else [event for event in wanted if event.number <= self.sending]
        return Pending(frozen or wanted, len(wanted), through)

    def forgotten(self, backlog: Backlog) -> int:
        """How many events have gone from the history before it could be told of them; it goes on behind these."""
        first = next(iter(backlog.after(self.told)), None) if self.told else None
        if first is None or self.told is None or backlog.holds(self.told):
            return 0
        count = first.number - self.told - 1
        if count:
            self.tally.dropped[EXPIRED] += count
            self.mark_delivered(first.number - 1)
        return count

    def wants(self, event: Event) -> bool:
        """Whether it is to be told of this event."""
        return self.options.wants(event, self.trait("wants_all_events"))

    def trait(self, name: str) -> bool:
        """Whether the notifier's class says so of itself."""
        return bool(getattr(self.notifier, name, False))

    def mark_delivered(self, number: int, waiting: int = 0) -> None:
        """It knows everything up to this number, or does not want to; so many events wait still."""
        if self.told is None or self.told < number:
            self.told, self.sending, self.waiting = number, 0, waiting
            self.save()

    def try_to_tell(self, message: Message) -> str:
        """One try, which is counted; raises `NotDelivered`."""
        began = time.monotonic()
        try:
            said = send(self, message)
        except NotDelivered as failure:
            self.tally.count(time.monotonic() - began, failure)
            raise
        self.tally.count(time.monotonic() - began)
        return said

    def retry_in(self, seconds: float) -> None:
        """Try no more for so long."""
        self.wait = seconds
        self.not_before, self.waiting = time.time() + seconds, self.wanted
        self.save()

    def retry_left(self) -> float:
        """Seconds until it may be tried again; none where it would be more than was meant, since a clock was set."""
        left = self.not_before - time.time()
        return left if 0 < left <= self.wait else 0.0

    def rate_left(self) -> float:
        """Seconds until there may be another message."""
        return max(0.0, self.last_sent + self.options.rate - time.monotonic())

    def gives_up_in(self, seconds: float) -> None:
        """The first of what it is to be told will be too old then."""
        self.gives_up_at = time.monotonic() + max(0.0, seconds)

    def turn_left(self) -> float:
        """Seconds until there is anything to be done about it."""
        left = min(self.retry_left(), self.patience_left()) if self.gives_up_at else self.retry_left()
        return max(left, self.rate_left())

    def patience_left(self) -> float:
        """Seconds until something may be too old, while it is not tried again."""
        return max(0.0, self.gives_up_at - time.monotonic())


def backoff(attempts: int) -> float:
    """Seconds until the next try: doubled each time up to five minutes, with full jitter from the second on."""
    longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(attempts - 1, 30))
    return longest if attempts == 1 else random.uniform(FIRST_BACKOFF, longest)  # noqa: S311 - no secret
