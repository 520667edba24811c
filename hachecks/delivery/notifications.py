"""What has been recorded, told, and not told? `hacheck history` and `hacheck notifications`."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import time

from hachecks.delivery.attempt import send
from hachecks.delivery.backlog import Backlog
from hachecks.delivery.channels import channel_name, channel_of, declared_channels, node_name, script_users, vips
from hachecks.delivery.dead_letters import DeadLetters
from hachecks.delivery.loop import Delivery
from hachecks.delivery.queue_state import LONGEST_SILENCE, SILENCE, keep_silence, silence_left
from hachecks.delivery.starting import is_delivering
from hachecks.messages.message import label
from hachecks.messages.not_delivered import NotDelivered
from hachecks.settings import Invalid, option, settings
from hachecks.transitions import history, journal
from hachecks.transitions.history import History
from hachecks.units import Duration, parse_duration
from hachecks.verdict import in_words, one_line, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from typing import Literal

    from hachecks.delivery.channel import Channel
    from hachecks.delivery.dead_letters import Letter
    from hachecks.transitions.event import Event


STRANGERS = 10_000
"""Events of a user whom nobody trusts that are shown at most."""


@settings
class HistoryOptions:
    """Show what Keepalived has said, oldest first."""

    vip: str | None = option(default=None, metavar="ADDR", help="Only the instance that carries this VIP.")
    instance: str | None = option(default=None, metavar="NAME", help="Only this instance or group.")
    since: Duration | None = option(default=None, help="Only what happened within this time.")
    format: Literal["text", "json"] = option(default="text", help="Lines for people, or a JSON object on each.")

    def wants(self, event: Event, carried: Mapping[str, Sequence[str]]) -> bool:
        """Whether the event is among those asked for."""
        return (
            (self.instance is None or event.name == self.instance)
            and (self.vip is None or self.vip in vips_of(event, carried))
            and (self.since is None or event.at >= time.time() - self.since)
        )


def show_history(options: HistoryOptions, environ: Mapping[str, str], tell: Callable[[str], None]) -> None:
    """Tell every event that is asked for, whoever recorded it; whom nobody has reason to believe is named."""
    carried = vips(environ)
    places = journal.places(environ)
    trusted = journal.trusted_users(script_users(environ))
    for event, user in heapq.merge(*(_said(user, places, trusted) for user in history.users_of(places)), key=_time):
        if options.wants(event, carried):
            by = "" if user in trusted else f", recorded by {user_name(user)}"
            text = as_text(event, vips_of(event, carried))
            tell(str(event) if options.format == "json" else f"{text}{by}")


def _said(user: int, places: Sequence[str], trusted: Container[int]) -> Iterator[tuple[Event, int]]:
    at_most = None if user in trusted else STRANGERS
    return ((event, user) for event in history.recorded_by(user, places, at_most))


def _time(said: tuple[Event, int]) -> float:
    return said[0].at


def vips_of(event: Event, carried: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The VIPs of the instance it is about; a group of the same name has none."""
    return carried.get(event.name, ()) if event.kind == "INSTANCE" else ()


def user_name(user: int) -> str:
    """What a user is called, or his number."""
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"uid {user}"


def as_text(event: Event, carried: Sequence[str]) -> str:
    """The event as one line for people."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.at))
    addresses = f" ({', '.join(carried)})" if carried else ""
    lasted = f" for {in_words(event.at - event.since)}" if event.since and event.at > event.since else ""
    was = f", was {event.before}{lasted}" if event.before else ""
    late = ", heard late" if event.late else ""
    return visible(f"{at}  {event.state:<7} {label(event.kind, event.name)}{addresses}{was}{late}")


class Notifications:
    """The queues and dead letters of a node."""

    def __init__(self, config: str, environ: Mapping[str, str], tell: Callable[[str], None]) -> None:
        self.config = config
        self.environ = environ
        self.tell = tell
        self.directory = journal.state_directory(environ)
        self.letters = DeadLetters(self.directory)

    def do(self, verb: str, words: Sequence[str]) -> bool:
        """`list`, `retry`, `drop`, `silence DURATION [WHY]` or `unsilence`; returns whether all is well."""
        try:
            return self._do(verb, words)
        except OSError as error:
            self.tell(f"{error.filename or self.letters.path}: {error.strerror or error}")
            return False

    def _do(self, verb: str, words: Sequence[str]) -> bool:
        if verb == "silence":
            return self.silence(words)
        if verb == "unsilence":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.directory, SILENCE))
            return True
        if verb == "drop":
            self.tell(f"dropped {self.letters.drop()} dead letters")
            return True
        return self.retry() if verb == "retry" else self.list()

    def list(self) -> bool:
        """Tell of every channel what it knows, and what it could not be told."""
        channels = declared_channels(self.config, self.environ, self.directory, lambda _: None)
        waiting = self._waiting(channels)
        for channel in channels.values():
            count = waiting[channel.name]
            trouble = f": {channel.trouble} (try {channel.attempts})" if channel.attempts else ""
            self.tell(visible(f"{channel.name}: {count or 'nothing'} waiting{trouble}"))
        if any(waiting.values()) and not is_delivering(self.directory):
            self.tell("nobody delivers at the moment: the next change starts it, or `hacheck deliver` does")
        found = unreadable = 0
        for _, letter in self.letters.lines():
            if letter is None:
                unreadable += 1
                continue
            found += 1
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter.at))
            told = f"dead letter of {at}: {len(letter.events)} events, {letter.notifier}: {letter.reason}"
            self.tell(visible(told))
        if unreadable:
            self.tell(f"{self.letters.path}: {unreadable} lines cannot be read; they stay until they are dropped")
        left = silence_left(self.directory)
        if left:
            self.tell(f"silenced for another {in_words(left)}")
        return not found + unreadable

    def _waiting(self, channels: Mapping[str, Channel]) -> dict[str, int]:
        """How many events each channel is still to be told of, what nobody has read of the journal yet included."""
        reader = History(self.directory, journal.places(self.environ))
        fallbacks = {channel.options.fallback for channel in channels.values()}
        silent = silence_left(self.directory) > 0
        waiting = dict.fromkeys(channels, 0)
        listening = [
            channel
            for channel in channels.values()
            if channel.name not in fallbacks and (not silent or channel.trait("wants_all_events"))
        ]
        last = Backlog(history.events(self.directory))
        starts = {channel.name: channel.start(last) for channel in listening}
        for event in itertools.chain(history.events(self.directory), reader.unread()):
            for channel in listening:
                if event.number > starts[channel.name] and event.options == channel.argv and channel.wants(event):
                    waiting[channel.name] += 1
        return waiting

    def retry(self) -> bool:
        """Send every dead letter again; those that are not taken stay."""
        channels = declared_channels(self.config, self.environ, self.directory, self.tell)
        delivery = Delivery(node_name(self.environ), channels, self.directory, vips(self.environ))
        changed: dict[str, Sequence[Letter]] = {}
        all_taken = True
        try:
            for line, letter in self.letters.lines():
                if letter is None:
                    all_taken = False
                    continue
                changed[line] = self._sent(delivery, letter)
                all_taken = all_taken and not changed[line]
        finally:  # what has been delivered when somebody interrupts this is not sent again
            if changed:
                self.letters.rewrite(changed)
        return all_taken

    def _sent(self, delivery: Delivery, letter: Letter) -> Sequence[Letter]:
        """Send it again; returns what is left of it."""
        try:
            channel = delivery.channels.get(letter.notifier)
            if channel is None:
                channel = self._of_a_command_line(letter)
            said = send(channel, delivery.message(channel, letter.events))
        except NotDelivered as failure:
            self.tell(visible(f"{letter.notifier}: not delivered: {failure}"))
            return [letter._replace(reason=one_line(str(failure)))]
        self.tell(visible(f"{letter.notifier}: {said}"))
        return []

    def _of_a_command_line(self, letter: Letter) -> Channel:
        """The notifier that a notify script's own command line names."""
        words = letter.events[0].options
        if not words or channel_name(words) != letter.notifier:
            raise NotDelivered("it is not declared any more", retryable=False)
        try:
            return channel_of(words, self.environ, self.directory)
        except Invalid as error:
            raise NotDelivered(str(error), retryable=False) from None

    def silence(self, words: Sequence[str]) -> bool:
        """Tell nobody anything for a while; what happens then is recorded all the same."""
        if not words:
            raise Invalid("notifications: silence needs a duration, such as 2h")
        try:
            seconds = parse_duration(words[0])
        except ValueError as error:
            raise Invalid(f"notifications: silence: {error}") from None
        if seconds > LONGEST_SILENCE:
            raise Invalid(f"notifications: silence: {words[0]} is more than {in_words(LONGEST_SILENCE)}")
        keep_silence(self.directory, seconds, " ".join(words[1:]))
        self.tell(f"silenced for {in_words(seconds)}")
        return True
