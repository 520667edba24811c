"""Log notifier: appends a line for each event to a file, or to a container's output."""

from __future__ import annotations

import json
import os
import time

from hachecks import homes, state
from hachecks.messages.not_delivered import NotDelivered
from hachecks.settings import option, settings
from hachecks.units import Size
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hachecks.deadline import Deadline
    from hachecks.messages.message import Change, Message
    from hachecks.transitions.event import Event


@settings
class LogNotifier:
    """Append to a file, or to a container's output.

    One line for each change, as text or as JSON. The file is opened anew for each message, so that logrotate may move
    it away at any time; with --max-size it is rotated here. In a container, /proc/1/fd/1 is what `kubectl logs` shows.
    """

    wants_all_events = True

    file: str = option(default="/run/hacheck/transitions.log", metavar="FILE", help="The file to append to.")
    log_format: Literal["text", "json"] = option(default="text", help="Lines for people, or JSON objects.")
    max_size: Size | None = option(default=None, help="Rotate the file when it has grown to this.")
    keep: int = option(default=4, metavar="N", help="With --max-size: keep this many old files, as FILE.1 and so on.")

    def send(self, message: Message, deadline: Deadline) -> str:
        """Append the lines with one write."""
        deadline.remaining()
        line = self._as_json if self.log_format == "json" else self._as_text
        lines = [line(message, change, event) for change in message.changes for event in change.events]
        try:
            self._rotate()
            self._append("".join(f"{text}\n" for text in lines).encode("utf-8", "replace"), message.state_dir)
        except OSError as error:
            raise NotDelivered(f"{self.file}: {error.strerror}", retryable=True) from None
        return f"wrote {len(lines)} {'line' if len(lines) == 1 else 'lines'} to {self.file}"

    def _as_text(self, message: Message, change: Change, event: Event) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(event.at))
        return f"{at} {visible(message.node)} {'[test] ' if message.test else ''}{change.line(event)}"

    def _as_json(self, message: Message, change: Change, event: Event) -> str:
        facts = {**event.facts(), "node": message.node, "vips": change.vips, "severity": change.severity.name}
        if change.why:
            facts["why"] = change.why
        if message.test:
            facts["test"] = True
        return json.dumps(facts, ensure_ascii=False)

    def _append(self, data: bytes, state_dir: str) -> None:
        data = b"\n" * self._is_torn() + data
        descriptor = self._opened(state_dir)
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(28, "only a part could be written")
        finally:
            os.close(descriptor)

    def _opened(self, state_dir: str) -> int:
        directory = os.path.dirname(self.file) or "."
        if directory in homes.own((state_dir, *state.PLACES)):
            return state.written(self.file, os.O_WRONLY | os.O_APPEND)
        # No link of another user's is followed, and no FIFO waited for; /proc/1/fd/1 is a link, of the kernel's.
        guard = os.O_NOFOLLOW if os.stat(directory).st_mode & state.OTHERS_WRITE else 0
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        return os.open(self.file, flags | guard, 0o644)

    def _is_torn(self) -> bool:
        """Whether a writer was killed, or found no more room, in the middle of a line."""
        if not os.path.isfile(self.file) or os.stat(self.file).st_size == 0:
            return False
        with open(os.open(self.file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"

    def _rotate(self) -> None:
        if self.max_size is None or not os.path.isfile(self.file) or os.stat(self.file).st_size < self.max_size:
            return
        for number in range(self.keep, 0, -1):
            older = self.file if number == 1 else f"{self.file}.{number - 1}"
            if os.path.exists(older):
                os.replace(older, f"{self.file}.{number}")
