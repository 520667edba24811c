"""What does `hacheck notify` do, where the shell has not done it already: record, test, or say what would be sent?"""

from __future__ import annotations

import os
import time

from hachecks.delivery.attempt import send
from hachecks.delivery.channels import channel_of, declared_channels, node_name, vips
from hachecks.delivery.loop import Delivery
from hachecks.delivery.starting import is_delivering, start
from hachecks.messages.not_delivered import NotDelivered
from hachecks.settings import Invalid
from hachecks.state import boot_id
from hachecks.transitions import journal
from hachecks.transitions.history import Event
from hachecks.transitions.transition import KINDS, Transition
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hachecks.delivery.channel import Channel

DEFAULT_CONFIG = "/etc/keepalive/hacheck.toml"
STARTING = 2.0
"""Seconds that a deliverer is given to leave its mark before another is started."""


def record(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Record what Keepalived says and see to its delivery; raises `Invalid` or `OSError`."""
    try:
        transition = Transition.of_this_process(words)
    except ValueError as error:
        raise Invalid(f"notify: {error}") from None
    path = journal.append(transition, environ)
    if not is_delivering(os.path.dirname(path)):
        start(environ)


class DeliveryStarter:
    """Starts a deliverer where none lives, for one who records again and again."""

    def __init__(self, environ: Mapping[str, str], complain: Callable[[str], None]) -> None:
        self.environ = environ
        self.complain = complain
        self.starting_until = 0.0

    def see_to_delivery(self) -> None:
        """Start one, unless one lives or has just been started; complains where that cannot be done."""
        if time.monotonic() < self.starting_until:
            return
        try:
            if not is_delivering(journal.state_directory(self.environ)):
                self.starting_until = time.monotonic() + STARTING
                start(self.environ)
        except OSError as error:
            self.starting_until = time.monotonic() + STARTING
            self.complain(f"notify: recorded, but nobody delivers: {error}")


def test(words: Sequence[str], environ: Mapping[str, str], tell: Callable[[str], None]) -> bool:
    """Send a marked message now, to one notifier or to all that are declared; returns whether all were told."""
    channels = chosen(words, environ, tell)
    delivery = Delivery(node_name(environ), channels, "", vips(environ))
    told = True
    for channel in channels.values():
        message = delivery.message(channel, [sample_event(environ)], test=True)
        try:
            tell(f"{channel.name}: {send(channel, message)}")
        except NotDelivered as failure:
            tell(f"{channel.name}: not delivered: {failure}")
            told = False
    return told


def dry_run(words: Sequence[str], environ: Mapping[str, str], tell: Callable[[str], None]) -> None:
    """Tell what would be sent about a transition, and to whom; raises `Invalid`."""
    at = next((at for at, word in enumerate(words) if word in KINDS), len(words))
    channels = chosen(words[:at], environ, tell)
    delivery = Delivery(node_name(environ), channels, "", vips(environ))
    try:
        event = event_of(Transition.of_this_process(words)) if words[at:] else sample_event(environ)
    except ValueError as error:
        raise Invalid(f"notify: {error}") from None
    for channel in channels.values():
        if not channel.wants(event):
            tell(f"{channel.name}: nothing, it does not want to know")
            continue
        message = delivery.message(channel, [event])
        tell(f"{channel.name}: {visible(message.title)}")
        for line in message.body.split("\n"):
            tell(visible(line))


def chosen(words: Sequence[str], environ: Mapping[str, str], tell: Callable[[str], None]) -> dict[str, Channel]:
    """The declared notifiers, the one of that name, or the one these words describe, without queues.

    Raises `Invalid`.
    """
    if len(words) < 2:
        config = environ.get("HACHECK_CONFIG") or DEFAULT_CONFIG
        declared = declared_channels(config, environ, "", (lambda _: None) if words else tell)
        if not words:
            return declared
        if words[0] in declared:
            return {words[0]: declared[words[0]]}
    channel = channel_of(words, environ, "")
    return {channel.name: channel}


def sample_event(environ: Mapping[str, str]) -> Event:
    """An event to test with: a FAULT of the first instance there is."""
    name = next(iter(vips(environ)), "VI_1")
    transition = Transition("INSTANCE", name, "FAULT", 100, boot=boot_id(), started=0, pid=os.getpid())
    return event_of(transition, before="MASTER", since=time.time() - 3600)


def event_of(transition: Transition, before: str | None = None, since: float | None = None) -> Event:
    """The transition as an event of now."""
    key = os.urandom(16).hex()
    return Event.of_transition(transition, number=0, key=key, at=time.time(), before=before, since=since)
