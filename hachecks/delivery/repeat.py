"""Repeats: who forgets a problem that goes on is told of it again and again, by one who lives as long as it does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hachecks.delivery.attempt import tell_again
from hachecks.messages.not_delivered import NotDelivered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hachecks.delivery.channel import Channel
    from hachecks.messages.standing import Standing


class Repeats:
    """Tells all channels that want it again each `interval` seconds; never, where that is 0. `due` is monotonic."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.due = -float("inf") if interval else float("inf")
        self._failures: dict[str, str] = {}

    def tell(self, channels: Iterable[Channel], standing: Standing, now: float) -> Iterator[tuple[Channel, str]]:
        """Tell them; yields each that could not be told with the reason, once, and with what came of it when it can."""
        self.due = now + self.interval
        wanted = [channel for channel in channels if channel.can_tell_again]
        if not wanted:
            return
        with ThreadPoolExecutor(len(wanted)) as pool:
            for channel, (said, failure) in zip(wanted, pool.map(lambda one: _told(one, standing), wanted)):
                before = self._failures.pop(channel.name, "")
                if failure:
                    self._failures[channel.name] = failure
                if failure != before:
                    yield channel, f"what goes on: {failure or said}"


def _told(channel: Channel, standing: Standing) -> tuple[str, str]:
    """What it said, and why it could not be told."""
    try:
        return tell_again(channel, standing), ""
    except NotDelivered as failure:
        return "", str(failure)
