"""The options that every notifier has: what is told, when, and in which words."""

from __future__ import annotations

import fnmatch

from hachecks.messages.message import BODY, TITLE, Severity, TemplateText, weight
from hachecks.settings import option, settings
from hachecks.units import Duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hachecks.transitions.event import Event


@settings
class DeliveryOptions:
    """What is told, and when."""

    heading = "What is told, and when"
    own_variables = True

    states: tuple[str, ...] = option(default=(), metavar="STATE", help="Only changes to these states.")
    instances: tuple[str, ...] = option(
        default=(), metavar="PATTERN", help="Only these instances and groups, such as 'router_*'."
    )
    severity: Literal["info", "warning", "critical"] = option(default="info", help="Minimum severity.")
    send_timeout: Duration = option(default=10.0, help="Timeout of one attempt.")
    max_age: Duration = option(default=86400.0, help="Age at which an undelivered event becomes a dead letter.")
    rate: Duration = option(default=1.0, help="Minimum time between two messages; STOP does not wait.")
    fallback: str | None = option(
        default=None, metavar="NAME", help="The notifier to tell what could not be delivered here, or not soon."
    )
    title: TemplateText = option(default=TITLE, metavar="TEMPLATE", help="Title of a message.")
    body: TemplateText = option(default=BODY, metavar="TEMPLATE", help="Text of a message.")

    def wants(self, event: Event, wants_all_events: bool = False) -> bool:
        """Whether this event is to be told of; a log wants every event, people want what is news to them."""
        if self.instances and not any(fnmatch.fnmatchcase(event.name, pattern) for pattern in self.instances):
            return False
        if self.states and event.state not in self.states:
            return False
        if weight(event.before, event.state) < Severity[self.severity]:
            return False
        if wants_all_events or event.late or event.state == event.before:
            return wants_all_events
        # A start says BACKUP of every instance, whatever follows: no news to anybody who did not ask for it.
        noise = event.before is None and event.state == "BACKUP"
        return bool(self.states) or (event.changes and not noise)
