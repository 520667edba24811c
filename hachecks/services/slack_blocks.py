"""A message in Slack's Block Kit: within its limits, and with nothing in it that Slack acts on."""

from __future__ import annotations

from hachecks.messages.fields import rfc3339
from hachecks.messages.fit import cut, fit_lines, lines_of, utf16_length
from hachecks.messages.message import Severity
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hachecks.messages.message import Message

HEADER_LIMIT, SECTION_LIMIT = 150, 3000
"""Characters of a header's and of a section's text."""
DETAILS_LIMIT = 7500
"""Characters of all sections: beside 50 blocks of 3000, Slack has a limit somewhere above 11,000 (bolt-js 2509)."""
EARLIER_LIMIT = 2500
"""Characters of what an edited message said before."""
TEXT_LIMIT, NODE_LIMIT, NOTICE_LIMIT = 3000, 200, 1000
"""Characters of the text for notifications, of a node's name and of a notice."""
MOST_BLOCKS = 50
SIGNS = {Severity.info: "\N{LARGE GREEN CIRCLE}", Severity.warning: "\N{LARGE YELLOW CIRCLE}"}
WORST_SIGN = "\N{LARGE RED CIRCLE}"


def escaped(text: str) -> str:
    """The text without the three signs that begin mentions, links and entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def length(text: str) -> int:
    """How long Slack finds it."""
    return utf16_length(escaped(text))


def content(message: Message, notices: Sequence[str] = (), earlier: Sequence[str] = ()) -> dict[str, Any]:
    """`text`, for notifications and screen readers, and `blocks`, which people see.

    `notices` are said below the details. `earlier` is what the message said before it was edited, the newest first.
    """
    title = f"{SIGNS.get(message.severity, WORST_SIGN)} {visible(message.title)}"
    details = fit_lines(lines_of(message), DETAILS_LIMIT - (EARLIER_LIMIT if earlier else 0), length)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(cut(title, HEADER_LIMIT, length))}]
    blocks += map(_section, sections(details))
    blocks += [_section(cut(visible(notice), NOTICE_LIMIT, length)) for notice in notices]
    room = EARLIER_LIMIT
    for text in earlier:
        if length(text) > room:
            break
        room -= length(text)
        blocks += [{"type": "divider"}, _section(text)]
    blocks.append({"type": "context", "elements": [_marked(_footer(message))]})
    text = cut("\n".join([title, *details]), TEXT_LIMIT, length)
    if len(blocks) > MOST_BLOCKS:
        blocks[MOST_BLOCKS - 1 : -1] = []
    return {"text": escaped(text), "blocks": blocks}


def remembered(message: Message) -> str:
    """What is shown of it once it has been edited: short enough for several to fit."""
    details = fit_lines(lines_of(message), EARLIER_LIMIT // 3, length)
    return "\n".join([cut(f"{rfc3339(message.at)} {visible(message.title)}", HEADER_LIMIT, length), *details])


def sections(lines: Sequence[str]) -> list[str]:
    """The lines, put together to as few texts as a section takes."""
    texts: list[str] = []
    for one in lines:
        one = cut(one, SECTION_LIMIT, length)  # noqa: PLW2901
        if texts and length(texts[-1]) + 1 + length(one) <= SECTION_LIMIT:
            texts[-1] += f"\n{one}"
        elif one:
            texts.append(one)
    return texts


def _footer(message: Message) -> str:
    """Where and when, in the reader's own time."""
    node = escaped(cut(visible(message.node), NODE_LIMIT, length))
    footer = f"{node} · <!date^{int(message.at)}^{{date_short_pretty}} {{time_secs}}|{rfc3339(message.at)}>"
    return f"{footer} · possibly sent before" if message.possible_duplicate else footer


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _plain(text)}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": escaped(text) or " ", "emoji": False}


def _marked(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
