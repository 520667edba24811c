"""Which parts of a message are settled, when the rest of it is tried again?

Kept in memory: a new process begins anew and may do a part twice, which at-least-once delivery allows.
"""

from __future__ import annotations

from hachecks.messages.not_delivered import NotDelivered
from hachecks.verdict import one_line

MOST = 10_000
"""Parts that are remembered; by then those of the first messages have been settled long since."""


class PartialDelivery:
    """What became of each part, a recipient or an event: settled for good, or to be tried again."""

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
        for part in list(self.done_or_refused)[:-MOST]:
            del self.done_or_refused[part]

    def done(self, part: str) -> None:
        """This part needs no other try."""
        self.done_or_refused[part] = ""

    def failed(self, part: str, complaint: str, *, retryable: bool) -> None:
        """This part could not be done; `retryable`: it is worth another try."""
        (self.retryable if retryable else self.done_or_refused)[part] = complaint

    def result(self, parts: list[str]) -> int:
        """How many of a message's parts are done when all are; raises `NotDelivered` when some are not."""
        complaints = [
            complaint for part in parts if (complaint := self.retryable.get(part) or self.done_or_refused.get(part))
        ]
        retryable = any(part not in self.done_or_refused for part in parts)
        if retryable or complaints:
            done = sum(self.done_or_refused.get(part) == "" for part in parts)
            told = f" ({done} of {len(parts)} done)" if len(parts) > 1 else ""
            what = one_line("; ".join(dict.fromkeys(complaints)) or "no time left")
            raise NotDelivered(what + told, retryable=retryable)
        return len(parts)
