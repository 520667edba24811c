"""What has been recorded, told, and not told? `hacheck history` and `hacheck notifications`."""

from __future__ import annotations

import contextlib
import json
import os
import time

from hachecks import history, journal, state
from hachecks.channels import declared_channels, node_name, vips
from hachecks.delivery import DEAD_LETTERS, SILENCE, Delivery, send
from hachecks.history import Event
from hachecks.notifiers import NotDelivered
from hachecks.settings import Invalid, option, settings
from hachecks.units import Duration, parse_duration
from hachecks.verdict import in_words, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Literal


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
            and (self.vip is None or self.vip in carried.get(event.name, ()))
            and (self.since is None or event.at >= time.time() - self.since)
        )


def show_history(options: HistoryOptions, environ: Mapping[str, str], tell: Callable[[str], None]) -> None:
    """Tell every event that is asked for, whoever recorded it; whom nobody has reason to believe is named."""
    carried = vips(environ)
    trusted = journal.trusted_users()
    told = [
        (event, "" if user in trusted else f", recorded by {user_name(user)}")
        for user in history.users_of(journal.places(environ))
        for event in history.recorded_by(user, journal.places(environ), at_most=None if user in trusted else STRANGERS)
    ]
    for event, by in sorted(told, key=lambda one: one[0].at):
        if options.wants(event, carried):
            text = as_text(event, carried.get(event.name, ()))
            tell(str(event) if options.format == "json" else f"{text}{by}")


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
    return f"{at}  {event.state:<7} {event.name}{addresses}{was}{late}"


class Notifications:
    """The queues and dead letters of a node."""

    def __init__(self, config: str, environ: Mapping[str, str], tell: Callable[[str], None]) -> None:
        self.config = config
        self.environ = environ
        self.tell = tell
        self.directory = journal.state_directory(environ)
        self.letters_path = os.path.join(self.directory, DEAD_LETTERS)

    def do(self, verb: str, words: Sequence[str]) -> bool:
        """`list`, `retry`, `drop`, `silence DURATION [WHY]` or `unsilence`; returns whether all is well."""
        if verb == "silence":
            return self.silence(words)
        if verb == "unsilence":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.directory, SILENCE))
            return True
        if verb == "drop":
            count = len(list(self.letters()))
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.letters_path)
            self.tell(f"dropped {count} dead letters")
            return True
        return self.retry() if verb == "retry" else self.list()

    def list(self) -> bool:
        """Tell of every channel what it knows, and what it could not be told."""
        events = list(history.events(self.directory))
        channels = declared_channels(self.config, self.environ, self.directory, lambda _: None)
        for channel in channels.values():
            pending = len(channel.pending(events))
            trouble = f": {channel.trouble} (try {channel.attempts})" if channel.attempts else ""
            self.tell(f"{channel.name}: {pending or 'nothing'} waiting{trouble}")
        letters = list(self.letters())
        for letter in letters:
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter["at"]))
            self.tell(f"dead letter of {at}: {len(letter['events'])} events, {letter['notifier']}: {letter['reason']}")
        until = Delivery("", {}, self.directory, {}).silenced_until
        if until > time.time():
            self.tell(f"silenced for another {in_words(until - time.time())}")
        return not letters

    def retry(self) -> bool:
        """Send every dead letter again; those that are not taken stay."""
        channels = declared_channels(self.config, self.environ, self.directory, self.tell)
        delivery = Delivery(node_name(self.environ), channels, self.directory, vips(self.environ))
        left: list[dict[str, Any]] = []
        for letter in self.letters():
            channel = channels.get(letter["notifier"])
            events = [Event.parse(json.dumps(facts)) for facts in letter["events"]]
            try:
                if channel is None:
                    raise NotDelivered("it is not declared any more", again=False)
                self.tell(f"{letter['notifier']}: {send(channel, delivery.message(channel, events))}")
            except NotDelivered as failure:
                self.tell(f"{letter['notifier']}: not delivered: {failure}")
                left.append({**letter, "reason": one_line(str(failure))})
        state.replace(self.letters_path, "".join(f"{json.dumps(letter)}\n" for letter in left))
        return not left

    def silence(self, words: Sequence[str]) -> bool:
        """Tell nobody anything for a while; what happens then is recorded all the same."""
        if not words:
            raise Invalid("notifications: silence needs a duration, such as 2h")
        try:
            seconds = parse_duration(words[0])
        except ValueError as error:
            raise Invalid(f"notifications: silence: {error}") from None
        kept = {"until": time.time() + seconds, "why": " ".join(words[1:])}
        state.replace(os.path.join(self.directory, SILENCE), json.dumps(kept))
        self.tell(f"silenced for {in_words(seconds)}")
        return True

    def letters(self) -> Iterator[dict[str, Any]]:
        """What could not be delivered."""
        for line in state.read(self.letters_path).splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)
