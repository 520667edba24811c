"""The fields of one event, as names and texts, for those who take variables: exec, syslog and journald."""

from __future__ import annotations

import math
import time

from hachecks.messages.message import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.messages.message import Change, Message
    from hachecks.transitions.event import Event


def facts(message: Message, change: Change, event: Event) -> dict[str, str]:
    """Everything about an event, the unknown as empty texts; `vips` are parted by spaces, times are in UTC."""
    return {
        "kind": event.kind,
        "name": event.name,
        "state": event.state,
        "before": event.before or "",
        "priority": "" if event.priority is None else str(event.priority),
        "vips": " ".join(change.vips),
        "node": message.node,
        "severity": severity(event).name,
        "at": rfc3339(event.at),
        "epoch": str(int(event.at)),
        "since": "" if event.since is None else rfc3339(event.since),
        "reason": change.why if event is change.events[-1] else "",
        "key": event.key,
        "number": str(event.number),
        "test": "1" if message.test else "",
        "duplicate": "1" if message.possible_duplicate else "",
    }


def severity(event: Event) -> Severity:
    """How much one event matters, whatever came of it."""
    return Severity.of(event.before, event.state)


def rfc3339(at: float) -> str:
    """Seconds of the epoch as `2026-11-22T16:51:00.123Z`: not rounded up, or it would be the future for who reads it.

    But for a microsecond, by which a float of whole milliseconds may be too small.
    """
    whole, thousandths = divmod(math.floor(at * 1000 + 0.001), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{thousandths:03d}Z"
