"""How does every notifier learn of every event, at least once, and no more often than people bear? The retry loop.

Each notifier has a queue: a number up to which it has been told, kept in the state directory. Nothing is copied: what
is told next are the events of the history beyond that number.
"""

from __future__ import annotations

import contextlib
import fnmatch
import itertools
import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple

from hachecks import state
from hachecks.deadline import Deadline, TimedOut
from hachecks.message import BODY, TITLE, Message, Severity, TemplateText, changes_of, weight
from hachecks.notifiers import NotDelivered
from hachecks.runner import LAST_FAILURE
from hachecks.settings import option, settings
from hachecks.units import Duration
from hachecks.verdict import CannotLook, Failure, in_words, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Literal

    from hachecks.history import Event
    from hachecks.notifiers import Notifier

OLD_NEWS = 60.0
"""Seconds after which an event is no news to a notifier that was not there before."""
FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 300.0
DEAD_LETTERS = "dead-letters"
SILENCE = "silence"
QUEUE = "queue-"
DURATIONS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds within which tries are counted."""
EXPIRED, REFUSED = "expired", "refused"
"""Why events were given up: they grew too old, or the service will never take them."""
_KIND_OF_CLASS = {
    "CannotLook": "config",
    "ConnectionError": "unreachable",
    "ConnectionRefusedError": "refused",
    "FileNotFoundError": "config",
    "NotADirectoryError": "config",
    "OSError": "internal",
    "PermissionError": "config",
    "SMTPAuthenticationError": "auth",
    "SMTPException": "status",
    "SSLError": "tls",
    "TimedOut": "timeout",
    "TimeoutError": "timeout",
    "gaierror": "dns",
}
"""By name, since most of these classes are in modules that few notifiers need."""
KINDS = ("auth", "config", "dns", "internal", "refused", "status", "timeout", "tls", "unreachable")
"""Kinds of reasons for which a try failed that are counted from zero on."""


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
    rate: Duration = option(default=1.0, help="The least time between two messages.")
    fallback: str | None = option(default=None, metavar="NAME", help="Tell this notifier what could not be told here.")
    title: TemplateText = option(default=TITLE, metavar="TEMPLATE", help="The title of a message.")
    body: TemplateText = option(default=BODY, metavar="TEMPLATE", help="The text of a message.")

    def wants(self, event: Event, every_event: bool = False) -> bool:
        """Whether this event is to be told of; a log wants every event, people want what is news to them."""
        if self.instances and not any(fnmatch.fnmatchcase(event.name, pattern) for pattern in self.instances):
            return False
        if self.states and event.state not in self.states:
            return False
        if weight(event.before, event.state) < Severity[self.severity]:
            return False
        if every_event or event.late or event.state == event.before:
            return every_event
        # A start says BACKUP of every instance, whatever follows: no news to anybody who did not ask for it.
        noise = event.before is None and event.state == "BACKUP"
        return bool(self.states) or (event.changes and not noise)


class Tally:
    """What came of the tries to tell a notifier: counters that only grow, from where its queue's file left them.

    `durations` counts the tries that ended within each of `DURATIONS`, and at last all; `seconds` is what they took
    together. `failures` is by the kind of reason, `dropped` counts events, by `EXPIRED` or `REFUSED`.
    """

    __slots__ = ("deliveries", "dropped", "durations", "failures", "last_success", "seconds")

    def __init__(self, kept: Mapping[str, Any]) -> None:
        self.deliveries: int = _kept(kept, "deliveries", int, 0)
        self.failures = _counts(kept, "failures", KINDS)
        self.dropped = _counts(kept, "dropped", (EXPIRED, REFUSED))
        self.last_success: float | None = _kept(kept, "last_success", float, None)
        self.durations: list[int] = _kept(kept, "durations", list, [])
        if [type(count) for count in self.durations] != [int] * (len(DURATIONS) + 1):
            self.durations = [0] * (len(DURATIONS) + 1)
        self.seconds: float = _kept(kept, "seconds", float, 0.0)

    def count(self, seconds: float, failure: NotDelivered | None = None) -> None:
        """A try has ended after so many seconds."""
        self.deliveries += 1
        self.seconds += seconds
        for place, bound in enumerate((*DURATIONS, seconds)):
            self.durations[place] += seconds <= bound
        if failure is None:
            self.last_success = time.time()
        else:
            kind = kind_of(failure)
            self.failures[kind] = self.failures.get(kind, 0) + 1

    def facts(self) -> dict[str, Any]:
        """Everything counted, as JSON takes it."""
        return {name: getattr(self, name) for name in self.__slots__}


class Queue(NamedTuple):
    """How a notifier's queue stood after the last try; `Tally` says what is counted. Times are seconds of the epoch."""

    name: str
    told: int | None
    waiting: int
    trouble: str
    attempts: int
    not_before: float
    deliveries: int
    failures: Mapping[str, int]
    dropped: Mapping[str, int]
    last_success: float | None
    durations: Sequence[int]
    seconds: float


class Channel:
    """A notifier with its name, its options, and its queue."""

    def __init__(
        self, name: str, notifier: Notifier, options: DeliveryOptions, directory: str, argv: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.notifier = notifier
        self.options = options
        self.path = os.path.join(directory, QUEUE + name)
        self.directory = directory
        kept = _read(self.path)
        self.told: int | None = kept.get("told")
        self.attempts: int = kept.get("attempts", 0)
        self.not_before: float = kept.get("not_before", 0.0)
        self.sending: int = kept.get("sending", 0)
        self.trouble: str = kept.get("trouble", "")
        self.waiting: int = _kept(kept, "waiting", int, 0)
        self.wanted = 0
        self.tally = Tally(kept)
        self.last_sent = 0.0

    def save(self) -> None:
        """Keep the queue's state; where that cannot be done, the worst is to tell again."""
        names = ("told", "attempts", "not_before", "sending", "trouble", "waiting")
        kept = {name: getattr(self, name) for name in names}
        with contextlib.suppress(OSError):
            state.replace(self.path, json.dumps({**kept, **self.tally.facts()}), sync=True)

    def pending(self, events: Sequence[Event]) -> list[Event]:
        """What it has not been told of yet and wants to know; a new channel is not told old news.

        A message that may have arrived is sent again as it was, with the same key; what has happened since waits,
        unless the notifier's messages may grow.
        """
        last = events[-1].number if events else 0
        if self.told is None or 0 < last < self.told:  # a history that was lost begins anew
            self.told = max((event.number for event in events if event.at < time.time() - OLD_NEWS), default=0)
            self.sending = self.waiting = 0
            self.save()
        recent = events[-(last - self.told) :] if last > self.told else ()
        news = [event for event in recent if event.number > self.told and event.options == self.argv]
        wanted = [event for event in news if self.wants(event)]
        self.wanted = len(wanted)
        frozen = [] if self.trait("grows") else [event for event in wanted if event.number <= self.sending]
        return frozen or wanted

    def wants(self, event: Event) -> bool:
        """Whether it is to be told of this event."""
        return self.options.wants(event, self.trait("every_event"))

    def trait(self, name: str) -> bool:
        """Whether the notifier's class says so of itself."""
        return bool(getattr(self.notifier, name, False))

    def has_been_told(self, number: int, waiting: int = 0) -> None:
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

    def due(self, now: float) -> bool:
        """Whether it may be told now."""
        return now >= self.not_before and now >= self.last_sent + self.options.rate


class Delivery:
    """All channels of one node, and what they have in common."""

    def __init__(
        self, node: str, channels: dict[str, Channel], directory: str, vips: Mapping[str, Sequence[str]]
    ) -> None:
        self.node = node
        self.channels = channels
        self.directory = directory
        self.vips = vips
        self.fallback_turn = Lock()
        self.fallback_for = {c.options.fallback for c in channels.values() if c.options.fallback}

    def deliver(self, events: Sequence[Event]) -> Iterator[tuple[Channel, str]]:
        """Tell all channels that are due what is pending, at once; yields each with what came of it."""
        last = events[-1].number if events else 0
        due: list[tuple[Channel, list[Event]]] = []
        for channel in self.channels.values():
            pending = channel.pending(events)
            silenced = time.time() < self.silenced_until and not channel.trait("every_event")
            if not pending or channel.name in self.fallback_for or silenced:
                channel.has_been_told(last)
            elif channel.due(time.time()):
                due.append((channel, pending))
        if due:
            with ThreadPoolExecutor(len(due)) as pool:  # one that hangs must not keep the others waiting
                yield from zip((channel for channel, _ in due), pool.map(lambda one: self._tell(*one), due))

    def waiting(self, events: Sequence[Event]) -> float | None:
        """Seconds until some channel is to be told again; None when all have been told."""
        now = time.time()
        waits = [
            max(channel.not_before, channel.last_sent + channel.options.rate) - now
            for channel in self.channels.values()
            if channel.name not in self.fallback_for and channel.pending(events)
        ]
        return max(0.0, min(waits)) if waits else None

    @property
    def silenced_until(self) -> float:
        """When somebody may be told something again, in seconds of the epoch."""
        return float(_read(os.path.join(self.directory, SILENCE)).get("until", 0.0))

    def message(self, channel: Channel, events: Sequence[Event], **more: bool) -> Message:
        """The message about these events as the channel wants it."""
        changes = changes_of(events, self.vips, last_reason(self.directory))
        return Message(self.node, changes, title=str(channel.options.title), body=str(channel.options.body), **more)

    def _tell(self, channel: Channel, pending: Sequence[Event]) -> str:
        again = channel.sending >= pending[0].number
        channel.sending = pending[-1].number
        channel.save()
        try:
            said = channel.try_to_tell(self.message(channel, pending, possible_duplicate=again))
        except NotDelivered as failure:
            return self._not_told(channel, pending, failure)
        channel.attempts, channel.not_before, channel.trouble = 0, 0.0, ""
        channel.last_sent = time.time()
        channel.has_been_told(channel.sending, waiting=channel.wanted - len(pending))
        return said

    def _not_told(self, channel: Channel, pending: Sequence[Event], failure: NotDelivered) -> str:
        channel.attempts += 1
        channel.trouble = one_line(str(failure))
        now = time.time()
        too_old = list(itertools.takewhile(lambda event: now - event.at >= channel.options.max_age, pending))
        if failure.again and not too_old:
            wait = backoff(channel.attempts) if failure.after is None else failure.after
            channel.not_before, channel.waiting = now + wait, channel.wanted
            channel.save()
            return f"{channel.trouble}; trying again in {in_words(max(wait, 0.001))}"
        given_up = too_old if failure.again else pending
        self._bury(channel, given_up)
        channel.attempts, channel.not_before = 0, 0.0
        channel.tally.dropped[EXPIRED if failure.again else REFUSED] += len(given_up)
        channel.has_been_told(given_up[-1].number, waiting=channel.wanted - len(given_up))
        return f"{channel.trouble}; given up{self._tell_fallback(channel, given_up)}"

    def _bury(self, channel: Channel, pending: Sequence[Event]) -> None:
        letter = {
            "at": time.time(),
            "notifier": channel.name,
            "reason": channel.trouble,
            "events": [event.facts() for event in pending],
        }
        path = os.path.join(self.directory, DEAD_LETTERS)
        with contextlib.suppress(OSError), open(path, "a", encoding="utf-8") as file:
            state.let_read(path)
            file.write(json.dumps(letter) + "\n")

    def _tell_fallback(self, channel: Channel, pending: Sequence[Event]) -> str:
        fallback = self.channels.get(channel.options.fallback or "")
        if fallback is None:
            return ""
        with self.fallback_turn:  # others may give up at the same time
            try:
                return f"; {fallback.name}: {fallback.try_to_tell(self.message(fallback, pending))}"
            except NotDelivered as failure:
                return f"; {fallback.name}: {failure}"
            finally:
                fallback.save()


def send(channel: Channel, message: Message) -> str:
    """One try to tell a channel; raises `NotDelivered`, whatever went wrong."""
    deadline = Deadline.after(channel.options.send_timeout)
    try:
        return channel.notifier.send(message, deadline)
    except TimedOut:
        raise NotDelivered(f"no answer within {in_words(deadline.seconds)}", again=True) from None
    except (Failure, CannotLook, OSError) as error:
        raise NotDelivered(str(error), again=True) from None
    except NotDelivered:
        raise
    except Exception as error:
        # A notifier that breaks must not keep the others from being told. Its text may hold anything, secrets too.
        raise NotDelivered(f"{channel.name}: {type(error).__name__} in the notifier", again=True) from error


def kind_of(failure: NotDelivered) -> str:
    """The kind of reason for which a try failed, one of a few words: its own, or that of the error it was made of."""
    behind = failure.__cause__ or failure.__context__
    kinds = (_KIND_OF_CLASS.get(of.__name__) for of in type(behind).__mro__)
    return str(
        getattr(failure, "kind", "")
        or getattr(behind, "kind", "")
        or next(filter(None, kinds), "internal" if failure.__cause__ else "status")
    )


def backoff(attempts: int) -> float:
    """Seconds until the next try: doubled each time up to five minutes, with full jitter from the second on."""
    longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** (attempts - 1))
    return longest if attempts == 1 else random.uniform(FIRST_BACKOFF, longest)  # noqa: S311 - no secret


def last_reason(directory: str) -> str:
    """Why a check failed just now; what failed long ago explains nothing."""
    path = os.path.join(directory, LAST_FAILURE)
    with contextlib.suppress(OSError):
        if time.time() - os.stat(path).st_mtime < OLD_NEWS:
            return state.read(path).strip()
    return ""


def queues(directory: str) -> list[Queue]:
    """How every queue of this state directory stands, by name; what cannot be read is left out."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    found = []
    for name in names:
        kept = _read(os.path.join(directory, name)) if name.startswith(QUEUE) and "~" not in name else {}
        if kept:
            found.append(
                Queue(
                    name=name[len(QUEUE) :],
                    told=_kept(kept, "told", int, None),
                    waiting=_kept(kept, "waiting", int, 0),
                    trouble=_kept(kept, "trouble", str, ""),
                    attempts=_kept(kept, "attempts", int, 0),
                    not_before=_kept(kept, "not_before", float, 0.0),
                    **Tally(kept).facts(),
                )
            )
    return found


def _kept(kept: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    """What a file says, if it is what it should be: a file of an earlier version says nothing of some."""
    value = kept.get(name)
    return value if isinstance(value, kind) else default


def _counts(kept: Mapping[str, Any], name: str, known: Sequence[str]) -> dict[str, int]:
    counts = _kept(kept, name, dict, {})
    return {**dict.fromkeys(known, 0), **{key: count for key, count in counts.items() if isinstance(count, int)}}


def _read(path: str) -> dict[str, Any]:
    with contextlib.suppress(ValueError, OSError):
        kept = json.loads(state.read(path) or "{}")
        if isinstance(kept, dict):
            return kept
    return {}
