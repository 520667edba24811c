"""PagerDuty notifier: triggers and resolves incidents by the Events API v2."""

from __future__ import annotations

import hashlib

from hachecks.deadline import TimedOut
from hachecks.http import json_value
from hachecks.http.url import Url
from hachecks.messages.fields import rfc3339
from hachecks.messages.fit import cut, utf16_length
from hachecks.messages.message import Severity
from hachecks.messages.not_delivered import NotDelivered
from hachecks.messages.payload import encoded, facts_of
from hachecks.services.acceptance import encodings_of, excerpt, is_accepted, refusal
from hachecks.services.http_options import JSON, HttpOptions, secret_in
from hachecks.services.progress import PartialDelivery
from hachecks.settings import option, settings
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from hachecks.deadline import Deadline
    from hachecks.http.response import Response
    from hachecks.messages.message import Change, Message

TROUBLE = ("FAULT", "STOP")
THEIR_SEVERITIES = ("critical", "error", "warning", "info", "none")
HOSTS = {"us": "events.pagerduty.com", "eu": "events.eu.pagerduty.com"}
SUMMARY_LIMIT, FIELD_LIMIT = 1024, 255
"""Characters of a summary, and of the other texts."""
PAYLOAD_LIMIT = 500_000
"""Bytes of the 512 KB that an event may have."""
RATE_LIMIT_PAUSE = 60.0
"""Seconds after a 429 that names no time: the documentation wants `a few minutes` at most."""


class SeverityMapping:
    """Which of PagerDuty's severities one of ours becomes."""

    def __init__(self, ours: str, theirs: str) -> None:
        self.ours = ours
        self.theirs = theirs

    @classmethod
    def parse(cls, text: str) -> SeverityMapping:
        """From `OURS=THEIRS`; raises `ValueError`."""
        ours, _, theirs = text.partition("=")
        if ours not in Severity.__members__ or theirs not in THEIR_SEVERITIES:
            known = f"{', '.join(Severity.__members__)} = {', '.join(THEIR_SEVERITIES)}"
            raise ValueError(f"{text!r} is not OURS=THEIRS ({known})")
        return cls(ours, theirs)

    def __repr__(self) -> str:
        return f"{self.ours}={self.theirs}"


@settings
class PagerdutyNotifier(HttpOptions):
    """Trigger and resolve incidents of PagerDuty.

    FAULT and STOP of an instance trigger an incident; MASTER or BACKUP after it resolve it, and so does DELETED. The
    incident is that of this instance on this node (and in this --cluster): what another node takes over does not
    resolve it, since the redundancy is gone until this one is back. A failover alone triggers nothing.

    Each instance is an event of its own, the most severe first. What PagerDuty has taken of a storm is not sent again
    while the deliverer lives, and does no harm when it is: the dedup key is the same.

    Leave --severity at info, and use --severity-map to be called for less: recoveries are info, and resolve.
    A test triggers an incident of its own, which is resolved by hand.
    """

    routing_key: str | None = option(default=None, secret=True, metavar="KEY", help="The service's integration key.")
    routing_key_file: str | None = option(
        default=None, metavar="FILE", help="The integration key is in this file, which is read again for each message."
    )
    region: Literal["us", "eu"] = option(default="us", help="Where the account is.")
    api: Url | None = option(default=None, metavar="URL", help="Where an API like PagerDuty's is, if it is another's.")
    cluster: str = option(default="", metavar="NAME", help="Where the node is, if the names of nodes are not unique.")
    severity_map: tuple[SeverityMapping, ...] = option(
        default=(), metavar="OURS=THEIRS", help="info, warning or critical as critical, error, warning, info or none."
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        if (self.routing_key is None) == (self.routing_key_file is None):
            raise ValueError("there must be one integration key: put it in a file and give --routing-key-file FILE")
        self.validate_http(self._base)

    @property
    def _base(self) -> Url:
        return self.api or Url("https", HOSTS[self.region], 443, "/")

    def send(self, message: Message, deadline: Deadline) -> str:
        """Send the events that have not been accepted yet; raises `NotDelivered` at the first that is not."""
        key = secret_in(self.routing_key_file) if self.routing_key_file else str(self.routing_key)
        events = {f"{message.key} {event['dedup_key']}": event for event in self._events(message)}
        progress = PartialDelivery.of(self)
        progress.begin()
        left = progress.left(events)
        for number, part in enumerate(left):
            try:
                self._send(events[part], key, deadline)
            except TimedOut:
                if number == 0:
                    raise
                count = f"{len(events) - len(left) + number} of {len(events)} events were accepted in time"
                raise NotDelivered(count, retryable=True, retry_after=0.0) from None
            progress.done(part)
        triggers = sum(event["event_action"] == "trigger" for event in events.values())
        accepted = f"{self._base.target} accepted {triggers} to trigger, {len(events) - triggers} to resolve"
        return accepted if events else "nothing to trigger or resolve"

    def _send(self, event: dict[str, Any], key: str, deadline: Deadline) -> None:
        deadline.remaining()
        base = self._base
        url = Url(base.scheme, base.host, base.port, f"{base.path.rstrip('/')}/v2/enqueue")
        response = self.ask(url, deadline, [JSON], encoded({"routing_key": key, **event}))
        said = excerpt(response, encodings_of([key]))
        if not is_accepted(response):
            failure = refusal(response, str(url.target), said)
            if response.status == 429 and failure.retry_after is None:
                failure.retry_after = RATE_LIMIT_PAUSE
            raise failure
        if not _is_success(response):
            raise NotDelivered(f"{url.target} answered {response.status}, but not as PagerDuty: {said}", retryable=True)

    def _events(self, message: Message) -> list[dict[str, Any]]:
        """What to trigger and to resolve."""
        events = []
        for change in message.changes:
            severity = self._severity(change)
            if message.test or change.state in TROUBLE:
                if severity != "none":
                    events.append(self._trigger(message, change, severity))
            elif change.before is None or any(event.before in (*TROUBLE, "DELETED") for event in change.events):
                events.append({"event_action": "resolve", "dedup_key": self._dedup_key(message, change)})
        return events

    def _severity(self, change: Change) -> str:
        mapped = {mapping.ours: mapping.theirs for mapping in self.severity_map}
        return mapped.get(change.severity.name, change.severity.name)

    def _dedup_key(self, message: Message, change: Change) -> str:
        """The name of the problem: the same for whatever is said about this instance on this node."""
        if message.test:
            return f"hachecks-test-{message.key}"
        parts = (self.cluster, message.node, change.kind, change.name)
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()

    def _trigger(self, message: Message, change: Change, severity: str) -> dict[str, Any]:
        vips = f" ({', '.join(change.vips)})" if change.vips else ""
        why = f": {change.why}" if change.why else ""
        test = "[test] " if message.test else ""
        summary = visible(f"{test}{change.label}{vips} is {change.state} on {message.node}{why}")
        payload = {
            "summary": cut(summary, SUMMARY_LIMIT, utf16_length),
            "source": cut(visible(message.node), FIELD_LIMIT, utf16_length) or "?",
            "severity": severity,
            "timestamp": rfc3339(change.at),
            "component": cut(visible(change.label), FIELD_LIMIT, utf16_length),
            "group": cut(visible(self.cluster), FIELD_LIMIT, utf16_length),
            "class": f"keepalived {change.kind.lower()}",
            "custom_details": {"key": message.key, **facts_of(change)},
        }
        if len(encoded(payload)) > PAYLOAD_LIMIT:
            payload["custom_details"] = {"key": message.key, "left_out": "the details are too large"}
        event = {"event_action": "trigger", "dedup_key": self._dedup_key(message, change)}
        return {**event, "client": "hacheck", "payload": payload}


def _is_success(response: Response) -> bool:
    return (json_value.parse_object(response.text) or {}).get("status") == "success"
