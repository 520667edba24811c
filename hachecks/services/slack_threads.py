"""Slack threads: which message another one follows up, remembered in the state directory for each channel."""

from __future__ import annotations

import contextlib
import json
import os
import time
import zlib

from hachecks import state
from hachecks.kept import is_number, is_text, is_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hachecks.messages.message import Change, Message

MOST_THREADS = 20
"""Of one channel that are remembered."""
MOST_EARLIER = 10
"""Messages of a thread whose texts and keys are remembered."""
OPEN_LIFETIME = 7 * 86400.0
"""Seconds after which nothing is a follow-up, even where nothing has recovered."""
RECOVERED = ("MASTER", "BACKUP", "DELETED")


class Thread:
    """A first message, what it and its follow-ups tell of, and what of that has not recovered."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.ts: str = facts["ts"]
        self.channel: str = facts["channel"]
        self.at: float = facts["at"]
        self.names: set[str] = set(facts["names"])
        self.open: list[str] = facts["open"]
        self.earlier: list[str] = facts["earlier"]
        self.keys: list[str] = facts["keys"]

    @classmethod
    def load(cls, facts: object) -> Thread | None:
        """From what `dump` returned, as JSON gives it back; None where it is something else."""
        if not isinstance(facts, dict) or not all(is_right(facts.get(name)) for name, is_right in _FIELDS.items()):
            return None
        return cls(facts)

    @classmethod
    def started(cls, ts: str, channel: str) -> Thread:
        """A thread of the message that Slack calls `ts`."""
        return cls({"ts": ts, "channel": channel, "at": 0.0, "names": [], "open": [], "earlier": [], "keys": []})

    def dump(self) -> dict[str, Any]:
        """Everything about it, as JSON takes it."""
        return {**vars(self), "names": sorted(self.names)}

    def may_be_followed_up(self, lasting: float, now: float) -> bool:
        """Whether something may follow: a problem stays open until it is solved."""
        return abs(now - self.at) < (OPEN_LIFETIME if self.open else lasting)  # a clock may have been set back

    def still_open(self, message: Message) -> list[str]:
        """What has not recovered once this message has been posted."""
        news = {_name(change): change.state not in RECOVERED for change in message.changes}
        return [name for name in dict.fromkeys([*self.open, *news]) if news.get(name, True)]

    def add(self, message: Message, text: str) -> None:
        """Take in a message that was posted, and the text to show of it later."""
        self.open = self.still_open(message)
        self.names |= {_name(change) for change in message.changes}
        self.at = message.at
        self.earlier = [text, *self.earlier][:MOST_EARLIER]
        self.keys = [message.key, *self.keys][:MOST_EARLIER]


_FIELDS: dict[str, Callable[[object], bool]] = {
    "ts": is_text,
    "channel": is_text,
    "at": is_number,
    "names": is_words,
    "open": is_words,
    "earlier": is_words,
    "keys": is_words,
}


class Threads:
    """The threads of one channel; where they cannot be remembered, every message stands alone."""

    def __init__(self, directory: str, api: str, channel: str) -> None:
        self.path = ""
        self.threads: list[Thread] = []
        with contextlib.suppress(OSError, ValueError, RecursionError):
            name = f"slack-{zlib.crc32(f'{api} {channel}'.encode()):08x}"
            self.path = os.path.join(directory, name) if directory else ""
            kept = json.loads(state.read(self.path) or "[]")
            threads = map(Thread.load, kept if isinstance(kept, list) else ())
            self.threads = [thread for thread in threads if thread is not None]

    def has(self, key: str) -> bool:
        """Whether Slack took the message of this key already, and only we did not live to note it."""
        return any(key in thread.keys for thread in self.threads)

    def followed_up_by(self, message: Message, lasting: float) -> Thread | None:
        """The newest thread that has told of every instance of the message."""
        names = {_name(change) for change in message.changes}
        now = time.time()
        following = (one for one in self.threads if names <= one.names and one.may_be_followed_up(lasting, now))
        return max(following, key=lambda thread: thread.at, default=None)

    def forget(self, thread: Thread) -> None:
        """Never follow it up again."""
        self.threads = [other for other in self.threads if other is not thread]

    def keep(self, thread: Thread) -> None:
        """Remember it from now on."""
        self.forget(thread)
        self.threads = [thread, *self.threads][:MOST_THREADS]
        if not self.path:
            return
        with contextlib.suppress(OSError):
            state.replace(self.path, json.dumps([thread.dump() for thread in self.threads]), sync=True)


def _name(change: Change) -> str:
    return change.name if change.kind == "INSTANCE" else f"{change.kind.lower()} {change.name}"
