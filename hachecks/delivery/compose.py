"""The composition of messages: events, and what a notifier's options say of its words, become a message."""

from __future__ import annotations

import contextlib
import os
import time

from hachecks import homes, state
from hachecks.checks.results import LAST_FAILURE
from hachecks.messages.message import Message, changes_of
from hachecks.transitions import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hachecks.delivery.channel import Channel
    from hachecks.transitions.event import Event

REASON_LIFETIME_SECONDS = 60.0
"""Age from which a check's failure explains no FAULT any more."""


class Composer:
    """Composes the messages of a node; needs neither a queue nor, with an empty `directory`, any state.

    `repeat_interval`, in seconds, is set by who tells again what goes on.
    """

    def __init__(self, node: str, vips: Mapping[str, Sequence[str]], directory: str) -> None:
        self.node = node
        self.vips = vips
        self.directory = directory
        self.repeat_interval = 0.0

    def message(self, channel: Channel, events: Sequence[Event], **more: bool) -> Message:
        """The message about these events as the channel wants it."""
        options = channel.options
        changes = changes_of(events, self.vips, last_reason(self.directory))
        return Message(
            self.node,
            changes,
            title=str(options.title),
            body=str(options.body),
            state_dir=self.directory,
            repeat_interval=self.repeat_interval,
            **more,
        )


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
            if abs(time.time() - at) < REASON_LIFETIME_SECONDS and (text := state.read(path).strip()):
                found.append((at, text))
    return max(found)[1] if found else ""
