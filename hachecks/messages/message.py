"""A message: all events that belong together, in one text that a person can act on."""

from __future__ import annotations

import hashlib
import string
from enum import IntEnum

from hachecks.transitions.transition import label
from hachecks.verdict import in_words, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hachecks.transitions.event import Event

TITLE = "$severity: $summary on $node"
BODY = "$changes"
SAME_REASON = "same reason"
PLACES = ("node", "severity", "summary", "changes", "why", "count")


class Severity(IntEnum):
    """How much it matters, least first."""

    info = 0
    warning = 1
    critical = 2

    @classmethod
    def of(cls, before: str | None, state: str) -> Severity:
        """FAULT of a MASTER is an outage unless another node takes over; other losses cost redundancy only."""
        if state == "FAULT":
            return cls.critical if before == "MASTER" else cls.warning
        return cls.warning if state in ("STOP", "DELETED") else cls.info


def weight(before: str | None, state: str) -> Severity:
    """How much the news matters to those who want to know what matters: an end as much as the problem may have.

    Who was told of a FAULT, which is critical for a MASTER, is told that it is over.
    """
    ended = {"FAULT": Severity.critical, "STOP": Severity.warning, "DELETED": Severity.warning}
    over = ended.get(before or "", Severity.info) if state in ("MASTER", "BACKUP", "DELETED") else Severity.info
    return max(over, Severity.of(before, state))


class Change:
    """What became of one instance or group over the events of one message."""

    def __init__(self, events: Sequence[Event], vips: Sequence[str], why: str) -> None:
        first, last = events[0], events[-1]
        self.events = tuple(events)
        self.kind = last.kind
        self.name = last.name
        self.vips = tuple(vips)
        self.before = first.before
        self.state = last.state
        self.at = last.at
        self.lasted = None if first.since is None else max(0.0, first.at - first.since)
        self.severity = Severity.of(first.before, last.state)
        self.why = why if last.state == "FAULT" else ""

    @property
    def label(self) -> str:
        """What people call it."""
        return label(self.kind, self.name)

    @property
    def flapped(self) -> bool:
        """Whether it changed more than once."""
        return len(self.events) > 1

    def line(self, event: Event) -> str:
        """One of its events, as a log has it: `INSTANCE VI_1 (192.0.2.1) FAULT (was MASTER) priority 100`."""
        vips = f" ({', '.join(self.vips)})" if self.vips else ""
        was = f" (was {event.before})" if event.before else ""
        priority = "" if event.priority is None else f" priority {event.priority}"
        why = f": {self.why}" if self.why and event is self.events[-1] else ""
        return visible(f"{event.kind} {event.name}{vips} {event.state}{was}{priority}{why}")

    def __str__(self) -> str:
        return self.with_reason(self.why)

    def with_reason(self, why: str) -> str:
        """The change in one line, with this for its reason."""
        vips = f" ({', '.join(self.vips)})" if self.vips else ""
        changes = f"{len(self.events)} changes, now " if self.flapped else ""
        was = f", was {self.before}" if self.before else ""
        lasted = f" for {in_words(self.lasted)}" if self.before and self.lasted else ""
        why = f": {why}" if why else ""
        return visible(f"{self.label}{vips}: {changes}{self.state}{was}{lasted}{why}")


class Message:
    """One message about all changes that happened together, the worst first.

    `key` is the same at every try: that of its event, or made of those of its events. `possible_duplicate` says that a
    sender died while it was sending this one. `state_dir` is where notifiers may remember something; empty where they
    may not. Whoever sends it has `tell_again` called each `repeat_interval` seconds, where it is not 0.
    """

    def __init__(
        self,
        node: str,
        changes: Sequence[Change],
        *,
        title: str = TITLE,
        body: str = BODY,
        test: bool = False,
        possible_duplicate: bool = False,
        state_dir: str = "",
        repeat_interval: float = 0.0,
    ) -> None:
        self.node = node
        self.changes = tuple(sorted(changes, key=lambda change: (-change.severity, change.name)))
        self.severity = max(change.severity for change in changes)
        self.test = test
        self.possible_duplicate = possible_duplicate
        self.state_dir = state_dir
        self.repeat_interval = repeat_interval
        self.title = ("[test] " if test else "") + filled(title, self._places())
        self.body = filled(body, self._places())

    @property
    def one_by_one(self) -> list[tuple[Change, Event]]:
        """Every event it tells of, in order, each with the change it is a part of."""
        pairs = [(change, event) for change in self.changes for event in change.events]
        return sorted(pairs, key=lambda pair: pair[1].number)

    @property
    def events(self) -> list[Event]:
        """Every event it tells of, in order."""
        return [event for _, event in self.one_by_one]

    @property
    def key(self) -> str:
        """The idempotency key."""
        keys = [event.key for event in self.events]
        return keys[0] if len(keys) == 1 else hashlib.sha256("|".join(keys).encode()).hexdigest()[:32]

    @property
    def at(self) -> float:
        """When the last of it happened, in seconds of the epoch."""
        return max(change.at for change in self.changes)

    @property
    def summary(self) -> str:
        """`VI_1 is FAULT`, or `255 instances changed: 250 MASTER, 5 FAULT`."""
        if len(self.changes) == 1:
            (change,) = self.changes
            return visible(f"{change.label} is {change.state}")
        counts: dict[str, int] = {}
        for change in self.changes:
            counts[change.state] = counts.get(change.state, 0) + 1
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items(), key=lambda pair: -pair[1]))
        kinds = {change.kind for change in self.changes}
        whose = " and ".join(name for kind, name in (("INSTANCE", "instances"), ("GROUP", "groups")) if kind in kinds)
        return visible(f"{len(self.changes)} {whose} changed: {told}")

    @property
    def lines(self) -> list[str]:
        """Each change in a line. A reason that several share is told once: long ones would push the others out."""
        told: set[str] = set()
        lines = []
        for change in self.changes:
            lines.append(change.with_reason(SAME_REASON if change.why in told else change.why))
            told |= {change.why} - {""}
        return lines

    def _places(self) -> dict[str, str]:
        return {
            "node": visible(self.node),
            "severity": self.severity.name,
            "summary": self.summary,
            "changes": "\n".join(self.lines),
            "why": visible(next((change.why for change in self.changes if change.why), "")),
            "count": str(len(self.changes)),
        }


def filled(template: str, places: Mapping[str, str]) -> str:
    """The template with its `$places` filled in."""
    return string.Template(template).substitute(places)


class TemplateText:
    """The text of a template."""

    @staticmethod
    def parse(text: str) -> str:
        """The text; raises `ValueError` when it names a place there is not."""
        try:
            filled(text, dict.fromkeys(PLACES, ""))
        except KeyError as error:
            known = ", ".join(f"${place}" for place in PLACES)
            raise ValueError(f"there is no ${error.args[0]}; there are {known}") from None
        except ValueError:
            raise ValueError(f"{text!r} has a $ that begins no name; write $$ for the sign itself") from None
        return text


def changes_of(events: Sequence[Event], vips: Mapping[str, Sequence[str]], why: str) -> list[Change]:
    """The events, put together by whom they are about."""
    by_subject: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        by_subject.setdefault((event.kind, event.name), []).append(event)
    return [
        Change(group, vips.get(name, ()) if kind == "INSTANCE" else (), why)
        for (kind, name), group in by_subject.items()
    ]
