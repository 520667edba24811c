"""`PartialDelivery`: which parts of a message are done, or refused for good, while the rest of it is tried again.

Kept in memory: a new process begins anew and may do a part twice, which at-least-once delivery allows.
"""

from __future__ import annotations

from hachecks.messages.not_delivered import NotDelivered
from hachecks.verdict import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_PARTS = 10_000
"""Parts that are remembered; by then those of the first messages have been done or refused long since."""


class PartialDelivery:
    """What became of each part, a recipient or an event: done or refused for good, or to be tried again."""

    def __init__(self) -> None:
        self.done_or_refused: dict[str, str] = {}
        self.retryable: dict[str, str] = {}

    @classmethod
    def of(cls, notifier: object) -> PartialDelivery:
        """The progress of this notifier."""
        progress: PartialDelivery = vars(notifier).setdefault("progress", cls())
        return progress

    def begin(self) -> None:
        """Another try begins."""
        self.retryable = {}
        for part in list(self.done_or_refused)[:-MOST_PARTS]:
            del self.done_or_refused[part]

    def left(self, parts: Iterable[str]) -> list[str]:
        """Which of these parts are neither done nor refused for good."""
        return [part for part in parts if part not in self.done_or_refused]

    def done(self, part: str) -> None:
        """This part needs no other try."""
        self.done_or_refused[part] = ""

    def failed(self, part: str, complaint: str, *, retryable: bool) -> None:
        """This part could not be done; `retryable`: it is worth another try."""
        (self.retryable if retryable else self.done_or_refused)[part] = complaint

    def result(self, parts: Sequence[str]) -> int:
        """How many of a message's parts are done when all are; raises `NotDelivered` when some are not."""
        complaints = [
            complaint for part in parts if (complaint := self.retryable.get(part) or self.done_or_refused.get(part))
        ]
        retryable = bool(self.left(parts))
        if retryable or complaints:
            done = sum(self.done_or_refused.get(part) == "" for part in parts)
            count = f" ({done} of {len(parts)} done)" if len(parts) > 1 else ""
            why = one_line("; ".join(dict.fromkeys(complaints)) or "no time left")
            raise NotDelivered(why + count, retryable=retryable)
        return len(parts)
