"""What does Prometheus read about instances? A text that is also our memory: counters go on from where it says."""

from __future__ import annotations

import re

from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.messages.message import Message
    from hachecks.transitions.event import Event

STATES = ("UNKNOWN", "BACKUP", "MASTER", "FAULT", "STOP")
ENTERED = STATES[1:]
STATE = "hachecks_vrrp_state"
TRANSITIONS = "hachecks_vrrp_transitions_total"
LAST_TRANSITION = "hachecks_vrrp_last_transition_timestamp_seconds"
PRIORITY = "hachecks_vrrp_priority"
FAMILIES = (
    (STATE, "gauge", "Whether the instance is in this state, as Keepalived says."),
    (TRANSITIONS, "counter", "Changes into this state."),
    (LAST_TRANSITION, "gauge", "When the instance changed its state, in seconds of the epoch."),
    (PRIORITY, "gauge", "The priority that Keepalived said last."),
)
TOLD = "# The last message this tells of: "
SAMPLE = re.compile(
    r'([a-z_]+)\{vrrp_instance="((?:[^"\\]|\\.)*)"(?:,state="([A-Z]+)")?\} ([0-9]{1,15}(?:\.[0-9]{1,9})?)'
)
ESCAPES = {"\\": "\\\\", '"': '\\"'}
UNESCAPES = {written: plain for plain, written in ESCAPES.items()}


class Instance:
    """What is known of one instance."""

    def __init__(self) -> None:
        self.state = "UNKNOWN"
        self.entered = dict.fromkeys(ENTERED, 0)
        self.at: float | None = None
        self.priority: int | None = None


class Exposition:
    """What is known of all instances, and up to which message."""

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}
        self.told = ""

    @classmethod
    def parse(cls, text: str) -> Exposition:
        """From the text it gave; what cannot be understood is passed over."""
        known = cls()
        for line in text.split("\n"):
            if line.startswith(TOLD):
                known.told = line[len(TOLD) :]
            match = SAMPLE.fullmatch(line)
            if match:
                known._learn(match[1], _unescaped(match[2]), match[3] or "", float(match[4]))
        return known

    def _learn(self, family: str, name: str, state: str, value: float) -> None:
        instance = self.instances.setdefault(name, Instance())
        if family == STATE and value and state in STATES:
            instance.state = state
        elif family == TRANSITIONS and state in ENTERED:
            instance.entered[state] = int(value)
        elif family == LAST_TRANSITION:
            instance.at = value
        elif family == PRIORITY:
            instance.priority = int(value)

    def tell(self, message: Message) -> None:
        """Take in what a message says; once, however often it is sent."""
        if message.key == self.told:
            return
        for event in message.events:
            if event.kind == "INSTANCE" and not event.late:
                self._tell(event)
        self.told = message.key

    def _tell(self, event: Event) -> None:
        name = visible(event.name)
        if event.state == "DELETED":
            self.instances.pop(name, None)
            return
        instance = self.instances.setdefault(name, Instance())
        if event.priority is not None:
            instance.priority = event.priority
        if event.state in ENTERED:
            instance.entered[event.state] += event.changes
            instance.at = event.at if event.changes or instance.at is None else instance.at
            instance.state = event.state

    @property
    def has_stopped(self) -> bool:
        """Whether nothing runs any more."""
        return all(instance.state == "STOP" for instance in self.instances.values())

    def __str__(self) -> str:
        lines = [f"{TOLD}{self.told}"]
        for family, kind, meaning in FAMILIES:
            samples = [
                f'{family}{{vrrp_instance="{_escaped(name)}"{labels}}} {value!r}'
                for name, instance in sorted(self.instances.items())
                for labels, value in _samples(family, instance)
            ]
            if samples:
                lines += [f"# HELP {family} {meaning}", f"# TYPE {family} {kind}", *samples]
        return "\n".join(lines) + "\n"


def _samples(family: str, instance: Instance) -> Iterator[tuple[str, float]]:
    if family == STATE:
        yield from ((f',state="{state}"', int(state == instance.state)) for state in STATES)
    elif family == TRANSITIONS:
        yield from ((f',state="{state}"', count) for state, count in instance.entered.items())
    elif family == LAST_TRANSITION and instance.at is not None:
        yield "", instance.at
    elif family == PRIORITY and instance.priority is not None:
        yield "", instance.priority


def _escaped(text: str) -> str:
    return "".join(ESCAPES.get(character, character) for character in text)


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", lambda match: UNESCAPES.get(match[0], match[0]), text)
