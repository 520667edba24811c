"""The payload of a message for programs: JSON that does not change its meaning from one version to the next."""

from __future__ import annotations

import json

from hachecks.http.headers import Header
from hachecks.messages.fields import rfc3339
from hachecks.messages.fit import cut
from hachecks.verdict import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hachecks.messages.message import Change, Message

SHORT_REASON = 60
"""Characters of a reason that is told again, where there is not enough room for all."""
TYPE = "hachecks.transitions.transition"
PLAIN = frozenset(map(chr, range(0x21, 0x7F))) - {'"', "%"}
"""What CloudEvents' HTTP binding leaves as it is in a header."""


def encoded(document: Any) -> bytes:
    """The JSON on the wire; what is not Unicode (a name may hold any bytes) becomes question marks."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def data_of(message: Message, limit: int) -> dict[str, Any]:
    """The message in at most `limit` bytes: the worst changes first, and `omitted` says how many are missing."""
    data: dict[str, Any] = {
        "key": message.key,
        "node": message.node,
        "at": rfc3339(message.at),
        "severity": message.severity.name,
        "title": one_line(message.title),
        "summary": message.summary,
        "test": message.test,
        "possible_duplicate": message.possible_duplicate,
        "omitted": len(message.changes),
        "changes": [],
    }
    room = limit - len(encoded(data))
    changes = _as_many_as_fit([facts_of(change) for change in message.changes], room)
    if len(changes) < len(message.changes):  # a long reason in each would push others out
        changes = _as_many_as_fit(_with_reasons_once([facts_of(change) for change in message.changes]), room)
    return {**data, "omitted": len(message.changes) - len(changes), "changes": changes}


def _as_many_as_fit(changes: list[dict[str, Any]], room: int) -> list[dict[str, Any]]:
    for count, facts in enumerate(changes):
        room -= len(encoded(facts)) + 1
        if room < 0:
            return changes[:count]
    return changes


def _with_reasons_once(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The changes with only the beginning of a reason that an earlier one tells whole."""
    told: set[str] = set()
    for facts in changes:
        why = facts["why"]
        facts["why"] = cut(why, SHORT_REASON) if why in told else why
        told.add(why)
    return changes


def facts_of(change: Change) -> dict[str, Any]:
    """What became of one instance or group; `lasted` is in seconds, and null where nothing was known before."""
    return {
        "kind": change.kind,
        "name": change.name,
        "vips": list(change.vips),
        "state": change.state,
        "before": change.before,
        "at": rfc3339(change.at),
        "lasted": None if change.lasted is None else round(change.lasted, 3),
        "severity": change.severity.name,
        "why": change.why,
        "events": [
            {"key": event.key, "state": event.state, "at": rfc3339(event.at), "priority": event.priority}
            for event in change.events
        ],
    }


def plain(message: Message, limit: int) -> bytes:
    """As Standard Webhooks recommends: type, timestamp, data."""
    return encoded({"type": TYPE, "timestamp": rfc3339(message.at), "data": data_of(message, limit)})


def cloud_event(message: Message) -> dict[str, str]:
    """The attributes of a CloudEvent 1.0; its subject is the instance, where there is only one."""
    from urllib.parse import quote

    attributes = {
        "specversion": "1.0",
        "id": message.key,
        "source": f"/hachecks/{quote(message.node.encode('utf-8', 'replace'), safe='')}",
        "type": TYPE,
        "time": rfc3339(message.at),
    }
    return {**attributes, "subject": message.changes[0].label} if len(message.changes) == 1 else attributes


def structured(message: Message, limit: int) -> bytes:
    """A CloudEvent with its attributes beside the data."""
    return encoded({**cloud_event(message), "datacontenttype": "application/json", "data": data_of(message, limit)})


def cloud_event_headers(attributes: Mapping[str, str]) -> list[Header]:
    """The attributes of a CloudEvent whose body is the data alone."""
    return [Header(f"ce-{name}", _percent_encoded(value)) for name, value in attributes.items()]


def _percent_encoded(text: str) -> str:
    return "".join(
        character if character in PLAIN else "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))
        for character in text
    )
