"""`hacheck notifications`: what waits to be delivered, what could not be, and for how long people want silence."""

from __future__ import annotations

import contextlib
import itertools
import os
import time

from hachecks.delivery.attempt import send
from hachecks.delivery.backlog import Backlog
from hachecks.delivery.channels import channel_name, channel_of, declared_channels
from hachecks.delivery.compose import Composer
from hachecks.delivery.dead_letters import DeadLetters
from hachecks.delivery.pending import start
from hachecks.delivery.queue_state import QUEUE, QueueState
from hachecks.delivery.silence import LONGEST_SILENCE_SECONDS, SILENCE, keep_silence, silence_left
from hachecks.delivery.starting import is_delivering
from hachecks.keepalived.vips import vips
from hachecks.messages.not_delivered import NotDelivered
from hachecks.node import Node, NodeOptions
from hachecks.settings import Invalid, argument, settings
from hachecks.transitions import journal
from hachecks.transitions.history import History
from hachecks.transitions.history_files import events
from hachecks.units import parse_duration
from hachecks.verdict import in_words, one_line, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Literal

    from hachecks.delivery.channel import Channel
    from hachecks.delivery.dead_letters import Letter
    from hachecks.registry import Output


NOWHERE = "/proc/self/nowhere"
"""In the place of a state directory where there is none yet: nobody can make it."""


@settings
class Notifications(NodeOptions):
    """Show what waits to be told, and what could not be; `silence 2h [WHY]` tells nobody anything for a while."""

    flags_only = True

    verb: Literal["list", "retry", "drop", "silence", "unsilence"] = argument(
        default="list", help="Show, send dead letters again or drop them, be silent or not."
    )
    words: tuple[str, ...] = argument(default=(), metavar="[DURATION [WHY]]", help="Of silence: for how long, and why.")

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Do it; returns whether all is well. Raises `Invalid` or `OSError`."""
        return Queues(Node(self, environ), output.say).do(self.verb, self.words)


class Queues:
    """The queues and dead letters of a node."""

    def __init__(self, node: Node, tell: Callable[[str], None]) -> None:
        self.node = node
        self.tell = tell
        self._use(journal.known_state_directory(node.places) or NOWHERE)

    def _use(self, directory: str) -> None:
        self.directory = directory
        self.letters = DeadLetters(directory)

    def do(self, verb: str, words: Sequence[str]) -> bool:
        """`list`, `retry`, `drop`, `silence DURATION [WHY]` or `unsilence`; returns whether all is well."""
        try:
            if verb != "list":
                self._use(journal.state_directory(self.node.places))
            if verb == "silence":
                return self.silence(words)
            if verb == "unsilence":
                return self.unsilence()
            if verb == "drop":
                return self.drop()
            return self.retry() if verb == "retry" else self.list()
        except OSError as error:
            self.tell(f"{error.filename or self.letters.path}: {error.strerror or error}")
            return False

    def untried(self) -> int:
        """How many events wait to be told for the first time, each counted for each notifier; raises `OSError`."""
        channels = declared_channels(self.node, "", lambda _: None)
        queues = self._queues(channels)
        waiting = self._waiting(channels, queues)
        return sum(waiting[name] for name, queue in queues.items() if not queue.attempts)

    def _queues(self, channels: Mapping[str, Channel]) -> dict[str, QueueState]:
        return {name: QueueState(os.path.join(self.directory, QUEUE + name)) for name in channels}

    def list(self) -> bool:
        """Tell of every channel what it knows, and what it could not be told; writes nothing."""
        channels = declared_channels(self.node, "", lambda _: None)
        queues = self._queues(channels)
        waiting = self._waiting(channels, queues)
        for name, queue in queues.items():
            trouble = f": {queue.last_error} (try {queue.attempts})" if queue.attempts else ""
            self.tell(visible(f"{name}: {waiting[name] or 'nothing'} waiting{trouble}"))
        if any(waiting.values()) and not is_delivering(self.directory):
            self.tell("nobody delivers at the moment: the next change starts it, or `hacheck deliver` does")
        has_letters = self._list_letters()
        left = silence_left(self.directory)
        if left:
            self.tell(f"silenced for another {in_words(left)}")
        return not has_letters

    def _list_letters(self) -> bool:
        found = unreadable = 0
        for _, letter in self.letters.lines():
            if letter is None:
                unreadable += 1
                continue
            found += 1
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter.at))
            told = f"dead letter of {at}: {len(letter.events)} events, {letter.notifier}: {letter.reason}"
            self.tell(visible(told))
        if unreadable:
            self.tell(f"{self.letters.path}: {unreadable} lines cannot be read; they stay until they are dropped")
        return found + unreadable > 0

    def _waiting(self, channels: Mapping[str, Channel], queues: Mapping[str, QueueState]) -> dict[str, int]:
        """How many events each channel is still to be told of, what nobody has read of the journal yet included."""
        backlog = Backlog()
        reader = History(self.directory, self.node.places, backlog.add)
        fallbacks = {channel.options.fallback for channel in channels.values()}
        silent = silence_left(self.directory) > 0
        waiting = dict.fromkeys(channels, 0)
        known = {
            name: start(queues[name], backlog)
            for name, channel in channels.items()
            if name not in fallbacks and (not silent or channel.wants_all_events)
        }
        for event in itertools.chain(events(self.directory), reader.unread()):
            for name, number in known.items():
                waiting[name] += event.number > number and channels[name].is_told_of(event)
        return waiting

    def drop(self) -> bool:
        """Forget every dead letter."""
        self.tell(f"dropped {self.letters.drop()} dead letters")
        return True

    def retry(self) -> bool:
        """Send every dead letter again; those that are not taken stay."""
        channels = declared_channels(self.node, self.directory, self.tell)
        composer = Composer(self.node.name, vips(self.node), self.directory)
        changed: dict[str, Sequence[Letter]] = {}
        all_taken = True
        try:
            for line, letter in self.letters.lines():
                if letter is None:
                    all_taken = False
                    continue
                changed[line] = self._sent(channels, composer, letter)
                all_taken = all_taken and not changed[line]
        finally:  # what has been delivered when somebody interrupts this is not sent again
            if changed:
                self.letters.rewrite(changed)
        return all_taken

    def _sent(self, channels: Mapping[str, Channel], composer: Composer, letter: Letter) -> Sequence[Letter]:
        """Send it again; returns what is left of it."""
        try:
            channel = channels.get(letter.notifier) or self._of_a_command_line(letter)
            said = send(channel, composer.message(channel, letter.events))
        except NotDelivered as failure:
            self.tell(visible(f"{letter.notifier}: not delivered: {failure}"))
            return [letter._replace(reason=one_line(str(failure)))]
        self.tell(visible(f"{letter.notifier}: {said}"))
        return []

    def _of_a_command_line(self, letter: Letter) -> Channel:
        """The notifier that a notify script's own command line names."""
        words = letter.events[0].options
        if not words or channel_name(words) != letter.notifier:
            raise NotDelivered("it is not declared any more", retryable=False)
        try:
            return channel_of(words, self.node.environ)
        except Invalid as error:
            raise NotDelivered(str(error), retryable=False) from None

    def silence(self, words: Sequence[str]) -> bool:
        """Tell nobody anything for a while; what happens then is recorded all the same."""
        if not words:
            raise Invalid("notifications: silence needs a duration, such as 2h")
        try:
            seconds = parse_duration(words[0])
        except ValueError as error:
            raise Invalid(f"notifications: silence: {error}") from None
        if seconds > LONGEST_SILENCE_SECONDS:
            raise Invalid(f"notifications: silence: {words[0]} is more than {in_words(LONGEST_SILENCE_SECONDS)}")
        keep_silence(self.directory, seconds, " ".join(words[1:]))
        self.tell(f"silenced for {in_words(seconds)}")
        return True

    def unsilence(self) -> bool:
        """Tell everybody again."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.directory, SILENCE))
        return True
