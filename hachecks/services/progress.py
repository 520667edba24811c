"""Which parts of a message are settled, when the rest of it is tried again?

Kept in memory: a new process begins anew and may do a part twice, which at-least-once delivery allows.
"""

from __future__ import annotations

from hachecks.notifiers import NotDelivered
from hachecks.verdict import one_line

MOST = 10_000
"""Parts that are remembered; by then those of the first messages have been settled long since."""


class Progress:
    """What became of each part, a recipient or an event: settled for good, or to be tried again."""

    def __init__(self) -> None:
        self.settled: dict[str, str] = {}
        self.again: dict[str, str] = {}

    @classmethod
    def of(cls, notifier: object) -> Progress:
        """The progress of this notifier."""
        progress: Progress = vars(notifier).setdefault("progress", cls())
        return progress

    def begin(self) -> None:
        """Another try begins."""
        self.again = {}
        for part in list(self.settled)[:-MOST]:
            del self.settled[part]

    def done(self, part: str) -> None:
        """This part needs no other try."""
        self.settled[part] = ""

    def failed(self, part: str, complaint: str, *, again: bool) -> None:
        """This part could not be done; `again`: it is worth another try."""
        (self.again if again else self.settled)[part] = complaint

    def conclude(self, parts: list[str]) -> int:
        """How many of a message's parts are done when all are; raises `NotDelivered` when some are not."""
        complaints = [complaint for part in parts if (complaint := self.again.get(part) or self.settled.get(part))]
        again = any(part not in self.settled for part in parts)
        if again or complaints:
            done = sum(self.settled.get(part) == "" for part in parts)
            told = f" ({done} of {len(parts)} done)" if len(parts) > 1 else ""
            raise NotDelivered(one_line("; ".join(dict.fromkeys(complaints)) or "no time left") + told, again=again)
        return len(parts)
