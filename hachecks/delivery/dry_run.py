"""Notifications tried without an event: sent as a test, or only told (`hacheck notify --test` and `--dry-run`)."""

from __future__ import annotations

import os
import time

from hachecks.delivery.attempt import send
from hachecks.delivery.channels import channel_of, declared_channels
from hachecks.delivery.compose import Composer
from hachecks.keepalived.vips import vips
from hachecks.messages.not_delivered import NotDelivered
from hachecks.settings import Invalid
from hachecks.state import boot_id
from hachecks.transitions.event import Event
from hachecks.transitions.transition import KINDS, Transition
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hachecks.delivery.channel import Channel
    from hachecks.node import Node


def test(words: Sequence[str], node: Node, tell: Callable[[str], None]) -> bool:
    """Send a marked message now, to one notifier or to all that are declared; returns whether all were told."""
    channels = chosen(words, node, tell)
    composer = Composer(node.name, vips(node), "")
    told = True
    for channel in channels.values():
        message = composer.message(channel, [sample_event(node)], test=True)
        try:
            tell(f"{channel.name}: {send(channel, message)}")
        except NotDelivered as failure:
            tell(f"{channel.name}: not delivered: {failure}")
            told = False
    return told


def dry_run(words: Sequence[str], node: Node, tell: Callable[[str], None]) -> None:
    """Tell what would be sent about a transition, and to whom; raises `Invalid`."""
    at = next((at for at, word in enumerate(words) if word in KINDS), len(words))
    channels = chosen(words[:at], node, tell)
    composer = Composer(node.name, vips(node), "")
    try:
        event = event_of(Transition.of_this_process(words)) if words[at:] else sample_event(node)
    except ValueError as error:
        raise Invalid(f"notify: {error}") from None
    for channel in channels.values():
        if not channel.wants(event):
            tell(f"{channel.name}: nothing, it does not want to know")
            continue
        message = composer.message(channel, [event])
        tell(f"{channel.name}: {visible(message.title)}")
        for line in message.body.split("\n"):
            tell(visible(line))


def chosen(words: Sequence[str], node: Node, tell: Callable[[str], None]) -> dict[str, Channel]:
    """The declared notifiers, the one of that name, or the one these words describe, without queues.

    Raises `Invalid`.
    """
    if len(words) < 2:
        declared = declared_channels(node, "", (lambda _: None) if words else tell)
        if not words:
            return declared
        if words[0] in declared:
            return {words[0]: declared[words[0]]}
    channel = channel_of(words, node.environ)
    return {channel.name: channel}


def sample_event(node: Node) -> Event:
    """An event to test with: a FAULT of the first instance there is."""
    name = next(iter(vips(node)), "VI_1")
    transition = Transition("INSTANCE", name, "FAULT", 100, boot=boot_id(), started=0, pid=os.getpid())
    return event_of(transition, before="MASTER", since=time.time() - 3600)


def event_of(transition: Transition, before: str | None = None, since: float | None = None) -> Event:
    """The transition as an event of now."""
    return Event.of_transition(
        transition, number=0, key=os.urandom(16).hex(), at=time.time(), before=before, since=since, late=False
    )
