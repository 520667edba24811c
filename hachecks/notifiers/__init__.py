"""What every notifier promises.

A notifier tells one service. It is a `@settings` class whose fields are all it needs to know, with `send(message,
deadline)` as its only verb: it returns what the service answered, in one line, or raises `NotDelivered`, or `TimedOut`
from the deadline. It tries once, prints nothing, filters nothing, and never shows a secret: `delivery` does the rest.

A class with `every_event = True` is told everything, late words and start-up noise included: it writes a record, where
the others tell people news. It is not silenced either.

A class with `grows = True` may be given more events when it is tried again: it tells each with the event's own key.
A message of the others is sent again as it was.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from hachecks.deadline import Deadline
    from hachecks.message import Message

    class Notifier(Protocol):
        """One way to tell one service."""

        def send(self, message: Message, deadline: Deadline) -> str:
            """Tell it; returns what the service answered."""


class NotDelivered(Exception):  # noqa: N818 - the name says what happened
    """The service was not told; the text is the reason.

    `again`: whether it may be tried again. `after`: in how many seconds at the earliest, where the service said so; the
    whole channel waits for that long.
    """

    def __init__(self, reason: str, *, again: bool, after: float | None = None) -> None:
        super().__init__(reason)
        self.again = again
        self.after = after
