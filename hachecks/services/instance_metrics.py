"""Metrics of instances: the families that exporter and Prometheus notifier have in common, and the notifier's memory.

The memory is the very text that was written. A file for node_exporter outlives a reboot, which the state directory does
not, and there are no two files that could contradict each other; so counters go on from where the text says.
"""

from __future__ import annotations

import re

from hachecks.services.exposition import TEXT, Family, labels, rendered
from hachecks.transitions.transition import ENTERED, STATES
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Protocol

    from hachecks.messages.message import Message
    from hachecks.transitions.event import Event

    class Known(Protocol):
        """What is known of one instance."""

        @property
        def name(self) -> str:
            """Keepalived's name for it."""

        @property
        def state(self) -> str:
            """One of `STATES`."""

        @property
        def entered(self) -> Mapping[str, int]:
            """How often it changed into each state."""

        @property
        def since(self) -> float | None:
            """When it changed last, in seconds of the epoch."""

        @property
        def priority(self) -> int | None:
            """What Keepalived said last."""


STATE = "hachecks_vrrp_state"
TRANSITIONS = "hachecks_vrrp_transitions_total"
LAST_TRANSITION = "hachecks_vrrp_last_transition_timestamp_seconds"
PRIORITY = "hachecks_vrrp_priority"
LAST_MESSAGE = "# The last message this tells of: "
SAMPLE = re.compile(
    r'([a-z_]+)\{vrrp_instance="((?:[^"\\]|\\.)*)"(?:,state="([A-Z]+)")?\} ([0-9]{1,15}(?:\.[0-9]{1,9})?)'
)
ESCAPED = re.compile(r"\\([\\\"])")


def families(instances: Sequence[Known]) -> Iterator[Family]:
    """The four families about instances; what is not known is absent."""
    states = [
        (labels(vrrp_instance=one.name, state=state), int(state == one.state)) for one in instances for state in STATES
    ]
    yield Family(STATE, "gauge", "Whether the instance is in this state, as Keepalived says.", states)
    counts = [
        (labels(vrrp_instance=one.name, state=state), count)
        for one in instances
        for state, count in one.entered.items()
    ]
    yield Family(TRANSITIONS, "counter", "Changes into this state.", counts)
    times = [(labels(vrrp_instance=one.name), one.since) for one in instances if one.since is not None]
    yield Family(LAST_TRANSITION, "gauge", "When the instance changed its state, in seconds of the epoch.", times)
    priorities = [(labels(vrrp_instance=one.name), one.priority) for one in instances if one.priority is not None]
    yield Family(PRIORITY, "gauge", "The priority that Keepalived said last.", priorities)


class Instance:
    """What was said of one instance."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = "UNKNOWN"
        self.entered = dict.fromkeys(ENTERED, 0)
        self.since: float | None = None
        self.priority: int | None = None


class InstanceMetrics:
    """What was said of all instances, up to the message with this key; its string is the text for Prometheus."""

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}
        self.key = ""

    @classmethod
    def parse(cls, text: str) -> InstanceMetrics:
        """From the text it gave; what cannot be understood is passed over."""
        known = cls()
        for line in text.split("\n"):
            if line.startswith(LAST_MESSAGE):
                known.key = line[len(LAST_MESSAGE) :]
            match = SAMPLE.fullmatch(line)
            if match:
                known._load(match[1], ESCAPED.sub(r"\1", match[2]), match[3] or "", float(match[4]))
        return known

    def _load(self, family: str, name: str, state: str, value: float) -> None:
        instance = self._of(name)
        if family == STATE and value and state in STATES:
            instance.state = state
        elif family == TRANSITIONS and state in ENTERED:
            instance.entered[state] = int(value)
        elif family == LAST_TRANSITION:
            instance.since = value
        elif family == PRIORITY:
            instance.priority = int(value)

    def _of(self, name: str) -> Instance:
        return self.instances.setdefault(name, Instance(name))

    def add(self, message: Message) -> None:
        """Take in what a message says; once, however often it is sent."""
        if message.key == self.key:
            return
        for event in message.events:
            if event.kind == "INSTANCE" and not event.late:
                self._add(event)
        self.key = message.key

    def _add(self, event: Event) -> None:
        name = visible(event.name)
        if event.state == "DELETED":
            self.instances.pop(name, None)
            return
        instance = self._of(name)
        if event.priority is not None:
            instance.priority = event.priority
        if event.state in ENTERED:
            instance.entered[event.state] += event.changes
            instance.since = event.at if event.changes or instance.since is None else instance.since
            instance.state = event.state

    @property
    def has_stopped(self) -> bool:
        """Whether nothing runs any more."""
        return all(instance.state == "STOP" for instance in self.instances.values())

    def __str__(self) -> str:
        instances = [self.instances[name] for name in sorted(self.instances)]
        return f"{LAST_MESSAGE}{self.key}\n{rendered(families(instances), TEXT)}"
