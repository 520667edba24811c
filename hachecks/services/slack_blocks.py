"""How is a message laid out in Slack? Within Block Kit's limits, and with nothing in it that Slack acts on."""

from __future__ import annotations

from hachecks.messages.fit import cut, fit_lines, lines_of, rfc3339, utf16_length
from hachecks.messages.message import Severity
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hachecks.messages.message import Message

HEADER, SECTION = 150, 3000
"""Characters of a header's and of a section's text."""
DETAILS = 7500
"""Characters of all sections: beside 50 blocks of 3000, Slack has a limit somewhere above 11,000 (bolt-js 2509)."""
EARLIER = 2500
"""Characters of what an edited message said before."""
TEXT, NODE, NOTICE = 3000, 200, 1000
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
    details = fit_lines(lines_of(message), DETAILS - (EARLIER if earlier else 0), length)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(cut(title, HEADER, length))}]
    blocks += map(_section, sections(details))
    blocks += [_section(cut(visible(notice), NOTICE, length)) for notice in notices]
    room = EARLIER
    for text in earlier:
        if length(text) > room:
            break
        room -= length(text)
        blocks += [{"type": "divider"}, _section(text)]
    blocks.append({"type": "context", "elements": [_marked(_footer(message))]})
    text = cut("\n".join([title, *details]), TEXT, length)
    return {"text": escaped(text), "blocks": blocks[:49] + blocks[-1:] if len(blocks) > 50 else blocks}


def remembered(message: Message) -> str:
    """What is shown of it once it has been edited: short enough for several to fit."""
    details = fit_lines(lines_of(message), EARLIER // 3, length)
    return "\n".join([cut(f"{rfc3339(message.at)} {visible(message.title)}", HEADER, length), *details])


def sections(lines: Sequence[str]) -> list[str]:
    """The lines, put together to as few texts as a section takes."""
    texts: list[str] = []
    for one in lines:
        one = cut(one, SECTION, length)  # noqa: PLW2901
        if texts and length(texts[-1]) + 1 + length(one) <= SECTION:
            texts[-1] += f"\n{one}"
        elif one:
            texts.append(one)
    return texts


def _footer(message: Message) -> str:
    """Where and when, in the reader's own time."""
    node = escaped(cut(visible(message.node), NODE, length))
    told = f"{node} · <!date^{int(message.at)}^{{date_short_pretty}} {{time_secs}}|{rfc3339(message.at)}>"
    return f"{told} · possibly sent before" if message.possible_duplicate else told


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _plain(text)}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": escaped(text) or " ", "emoji": False}


def _marked(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
