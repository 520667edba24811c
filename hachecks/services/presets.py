"""Webhook presets: what Teams, Discord and ntfy take, within their limits, with nothing that is markup by chance."""

from __future__ import annotations

import json
import re

from hachecks.messages.fields import rfc3339
from hachecks.messages.fit import cut, fit_lines, lines_of, utf16_length
from hachecks.messages.message import Severity
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hachecks.messages.message import Message

TEAMS_LIMIT = 20000
"""Bytes of lines: Teams refuses 28 KB, and was seen to refuse 21."""
TEAMS_LINE_OVERHEAD = 120
"""Bytes that a line takes besides its text."""
TEAMS_COLOURS = {Severity.info: "Good", Severity.warning: "Warning", Severity.critical: "Attention"}
DISCORD_DESCRIPTION_LIMIT = 4096
"""Characters; of an embed's 6000 in all, node and key leave enough for it."""
DISCORD_COLOURS = {Severity.info: 0x2EB67D, Severity.warning: 0xECB22E, Severity.critical: 0xE01E5A}
DISCORD_MARKUP = re.compile(r"([\\`*_~|<>@\[\]]|^[#+-])")
NTFY_MESSAGE_LIMIT, NTFY_TITLE_LIMIT = 4096, 250
"""Bytes: what is longer becomes an attachment."""
NTFY_PRIORITIES = {Severity.info: 3, Severity.warning: 4, Severity.critical: 5}
NTFY_TAGS = {Severity.info: "white_check_mark", Severity.warning: "warning", Severity.critical: "rotating_light"}
TITLE_LIMIT, NAME_LIMIT = 250, 100
"""Characters."""


def teams(message: Message) -> dict[str, Any]:
    """An adaptive card; text runs, for a text block would take a name for Markdown."""
    title = cut(_line(message.title), TITLE_LIMIT)
    lines = fit_lines(lines_of(message), TEAMS_LIMIT, lambda text: len(json.dumps(text)) + TEAMS_LINE_OVERHEAD)
    footer = " · ".join(filter(None, (*_footer(message), "possibly sent before" if message.possible_duplicate else "")))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "fallbackText": title,
        "msteams": {"width": "Full"},
        "body": [
            _run(title, weight="Bolder", size="Medium", color=TEAMS_COLOURS[message.severity]),
            *(_run(line) for line in lines),
            _run(footer, isSubtle=True, size="Small"),
        ],
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content_type, "contentUrl": None, "content": card}]}


def _run(text: str, **look: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}


def discord(message: Message) -> dict[str, Any]:
    """The title, which a phone shows, and an embed with the rest; nobody is mentioned, whatever a name says."""
    lines = fit_lines(lines_of(message), DISCORD_DESCRIPTION_LIMIT, lambda text: utf16_length(_unmarked(text)))
    embed = {
        "description": "\n".join(map(_unmarked, lines)),
        "color": DISCORD_COLOURS[message.severity],
        "timestamp": rfc3339(message.at),
        "footer": {"text": " · ".join(_footer(message))},
    }
    again = " (possibly sent before)" if message.possible_duplicate else ""
    content = cut(_line(message.title), TITLE_LIMIT) + again
    return {"content": _unmarked(content), "embeds": [embed], "allowed_mentions": {"parse": []}}


def _unmarked(text: str) -> str:
    """The text with every sign escaped that Discord's Markdown may take for its own."""
    return DISCORD_MARKUP.sub(r"\\\1", text)


def ntfy(message: Message, topic: str) -> dict[str, Any]:
    """A message to a topic, louder the more it matters."""
    lines = fit_lines(lines_of(message), NTFY_MESSAGE_LIMIT, _bytes)
    return {
        "topic": topic,
        "title": cut(_line(message.title), NTFY_TITLE_LIMIT, _bytes),
        "message": "\n".join(lines),
        "priority": NTFY_PRIORITIES[message.severity],
        "tags": [NTFY_TAGS[message.severity], *(["repeat"] if message.possible_duplicate else [])],
    }


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _line(text: str) -> str:
    return visible(text) or "…"


def _footer(message: Message) -> tuple[str, ...]:
    return (cut(_line(message.node), NAME_LIMIT), rfc3339(message.at), message.key)
