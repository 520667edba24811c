"""Messages to tell: of one instance, of a storm, and of whatever a name may hold."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from hachecks.messages.message import Message, changes_of
from hachecks.transitions.event import Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AT = 1_795_366_800.25
"""2026-11-22T17:00:00.250Z."""
NODE = "node-1"


def event(
    name: str = "VI_1",
    state: str = "FAULT",
    before: str | None = "MASTER",
    *,
    number: int = 1,
    at: float = AT,
    since: float | None = AT - 3600,
    kind: str = "INSTANCE",
    priority: int | None = 100,
    late: bool = False,
) -> Event:
    """An event as the history keeps it."""
    return Event(
        number=number,
        key=f"{number:032x}",
        at=at,
        kind=kind,
        name=name,
        state=state,
        priority=priority,
        before=before,
        since=since if before else None,
        late=late,
        options=(),
        order=("boot", number, number),
    )


def message(
    *events: Event, vips: Mapping[str, Sequence[str]] | None = None, why: str = "", node: str = NODE, **more: object
) -> Message:
    """The message about these events, by default a FAULT of VI_1."""
    changes = changes_of(events or (event(),), {"VI_1": ["10.0.0.1"]} if vips is None else vips, why)
    state_dir = os.environ.get("HACHECK_STATE_DIR", "")
    return Message(node, changes, **{"state_dir": state_dir, **more})  # type: ignore[arg-type]


def storm(count: int = 255, state: str = "FAULT", before: str = "MASTER", why: str = "", at: float = AT) -> Message:
    """The message about so many instances at once."""
    names = [f"VI_{number}" for number in range(1, count + 1)]
    vips = {name: [f"10.0.{number // 256}.{number % 256}"] for number, name in enumerate(names, 1)}
    events = [event(name, state, before, number=number, at=at) for number, name in enumerate(names, 1)]
    return message(*events, vips=vips, why=why)


TEXTS = st.text(max_size=300) | st.sampled_from(
    [
        "<!channel>",
        "&amp;",
        "a&b",
        "@everyone",
        "```",
        "*_~`|",
        "\ud800",
        "\x00\x1b[31m",
        "\N{GRINNING FACE}" * 2000,
        "x" * 9000,
    ]
)
NAMES = st.text(min_size=1, max_size=100) | TEXTS.filter(bool)
STATES = st.sampled_from(["MASTER", "BACKUP", "FAULT", "STOP", "DELETED"])


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Any message."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    copies = draw(st.sampled_from([1, 1, 10, 80]))
    names = [f"{name}{number or ''}" for number in range(copies) for name in names]
    before = draw(STATES)
    events = [event(name, draw(STATES) if at < 8 else "FAULT", before, number=at + 1) for at, name in enumerate(names)]
    vips = draw(st.lists(TEXTS, max_size=3))
    return message(
        *events,
        vips=dict.fromkeys(names, vips),
        why=draw(TEXTS),
        node=draw(NAMES),
        body=draw(st.sampled_from(["$changes", "$changes", "$why\n$changes\n", "$why"])),
        possible_duplicate=draw(st.booleans()),
    )
