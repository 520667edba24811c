"""A channel: a notifier with its name and its options.

What it has been told of is its queue's (see `queue_state`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.delivery.options import DeliveryOptions
    from hachecks.notifiers import Notifier
    from hachecks.transitions.event import Event


class Channel:
    """A notifier by its name, with what it wants to know.

    `argv` are the words of the notify script's own command line that name it; none of one that hacheck.toml declares.
    """

    def __init__(self, name: str, notifier: Notifier, options: DeliveryOptions, argv: Sequence[str] = ()) -> None:
        self.name = name
        self.notifier = notifier
        self.options = options
        self.argv = tuple(argv)

    def wants(self, event: Event) -> bool:
        """Whether it wants to know of this event, for whomever it was recorded."""
        return self.options.wants(event, self.wants_all_events)

    def is_told_of(self, event: Event) -> bool:
        """Whether it is to be told of this event: it was recorded for it, and it wants to know."""
        return event.options == self.argv and self.wants(event)

    @property
    def wants_all_events(self) -> bool:
        """Whether it keeps a record of all there is, as a log does, and not only of what is news."""
        return self._says("wants_all_events")

    @property
    def may_grow_on_retry(self) -> bool:
        """Whether a message that is sent again may tell of what has happened since."""
        return self._says("may_grow_on_retry")

    @property
    def can_tell_again(self) -> bool:
        """Whether its service forgets what goes on, unless it is told again and again."""
        return callable(getattr(self.notifier, "tell_again", None))

    def _says(self, name: str) -> bool:
        return bool(getattr(self.notifier, name, False))
