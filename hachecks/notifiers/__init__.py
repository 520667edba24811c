"""The `Notifier` protocol: what every notifier promises.

A notifier tells one service. It is a `@settings` class whose fields are all it needs to know, with `send(message,
deadline)` as its only verb: it returns what the service answered, in one line, or raises `NotDelivered`, or `TimedOut`
from the deadline. It tries once, prints nothing, filters nothing, and never shows a secret: `delivery` does the rest.

A class with `wants_all_events = True` is told everything, late words and start-up noise included: it writes a record,
where the others tell people news. It is not silenced either.

A class with `may_grow_on_retry = True` may be given more events when it is tried again: it tells each with the event's
own key. A message of the others is sent again as it was.

A class with a verb `tell_again(standing, deadline)` has a service that forgets a problem unless it is told of it again
and again: an agent does so each minute. It returns and raises what `send` does.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from hachecks.deadline import Deadline
    from hachecks.messages.message import Message

    class Notifier(Protocol):
        """One way to tell one service."""

        def send(self, message: Message, deadline: Deadline) -> str:
            """Tell it; returns what the service answered."""
