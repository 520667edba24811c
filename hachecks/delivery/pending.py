"""What is pending for a notifier: worked out from its queue and the events there are, neither of which is changed."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.delivery.backlog import Backlog
    from hachecks.delivery.channel import Channel
    from hachecks.delivery.queue_state import QueueState
    from hachecks.transitions.event import Event

NEW_CHANNEL_BACKLOG_SECONDS = 60.0
"""Age from which an event is no news to a notifier that was not there before."""


class Pending(NamedTuple):
    """What a notifier is to be told next.

    Its `events`, how many it wants of those that were looked at, and `through` which number these were.
    """

    events: list[Event]
    wanted: int
    through: int

    @property
    def says_goodbye(self) -> bool:
        """Whether Keepalived ends, and its pod perhaps a second later: nobody can be told after that."""
        return any(event.state == "STOP" for event in self.events)


def start(queue: QueueState, backlog: Backlog) -> int:
    """Up to which number a notifier knows everything, or does not want to.

    One that is new is not told old news; one whose history was lost, and numbered anew, stands in none.
    """
    known = queue.delivered_up_to
    if known is not None and not 0 < backlog.last < known:
        return known
    old = (event.number for event in backlog.recent if event.age() > NEW_CHANNEL_BACKLOG_SECONDS)
    return max(old, default=min(backlog.known_after, backlog.last))


def pending(channel: Channel, queue: QueueState, backlog: Backlog) -> Pending:
    """What it has not been told of yet and wants to know.

    A message that may have arrived is sent again as it was, with the same key; what has happened since waits,
    unless the notifier's messages may grow.
    """
    known = start(queue, backlog)
    news = backlog.after(known)
    through = news[-1].number if news else max(known, backlog.last)
    wanted = [event for event in news if channel.is_told_of(event)]
    frozen = [] if channel.may_grow_on_retry else [event for event in wanted if event.number <= queue.sending]
    return Pending(frozen or wanted, len(wanted), through)


def first_after_gap(queue: QueueState, backlog: Backlog) -> int | None:
    """The number with which the history goes on, where what is to be told next has gone from it already."""
    known = queue.delivered_up_to
    if not known or backlog.holds(known):
        return None
    first = next(iter(backlog.after(known)), None)
    return first.number if first and first.number > known + 1 else None
