"""Metrics of instances: the families that exporter and Prometheus notifier have in common, and the notifier's memory.

The memory is the very text that was written. A file for node_exporter outlives a reboot, which the state directory does
not, and there are no two files that could contradict each other; so counters go on from where the text says.
"""

from __future__ import annotations

import re

from hachecks.services.exposition import TEXT, Table, counter, gauge
from hachecks.services.exposition_text import rendered
from hachecks.transitions.transition import ENTERED, STATES
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.messages.message import Message
    from hachecks.transitions.event import Event

STATE = "hachecks_vrrp_state"
TRANSITIONS = "hachecks_vrrp_transitions_total"
LAST_TRANSITION = "hachecks_vrrp_last_transition_timestamp_seconds"
PRIORITY = "hachecks_vrrp_priority"
LAST_MESSAGE = "# The last message this tells of: "
SAMPLE = re.compile(
    r'([a-z_]+)\{vrrp_instance="((?:[^"\\]|\\.)*)"(?:,state="([A-Z]+)")?\} ([0-9]{1,15}(?:\.[0-9]{1,9})?)'
)
LARGEST = 1e15
"""What is larger, or a fraction alone, may be written in another way than it was read, and is none of ours."""
ESCAPED = re.compile(r"\\([\\\"])")


METRICS = (
    gauge(
        STATE,
        "Whether the instance is in this state, as Keepalived says.",
        lambda one: {state: state == one.state for state in STATES},
        "state",
    ),
    counter(TRANSITIONS, "Changes into this state.", lambda one: one.entered, "state"),
    gauge(LAST_TRANSITION, "When the instance changed its state, in seconds of the epoch.", lambda one: one.since),
    gauge(PRIORITY, "The priority that Keepalived said last.", lambda one: one.priority),
)
"""Rows about an instance that has `state`, `entered` (how often, by state), `since` (seconds) and `priority`."""
TABLE = Table(lambda instances: instances, ("vrrp_instance",), lambda one: (one.name,), METRICS)


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
            value = float(match[4]) if match else 0.0
            if match and (value == 0 or 1 <= value < LARGEST):
                known._load(match[1], ESCAPED.sub(r"\1", match[2]), match[3] or "", value)
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
        return f"{LAST_MESSAGE}{self.key}\n{rendered([TABLE], instances, TEXT)}"
