"""The delivery loop: what has been recorded on a node is read, remembered and told, step by step.

Whoever has a process for it drives the loop: the deliverer, which ends when there is nothing left to do, or an agent.
"""

from __future__ import annotations

import contextlib
import time

from hachecks.delivery.backlog import Backlog
from hachecks.delivery.channels import channel_name, channel_of, declared_channels
from hachecks.delivery.delivery import Delivery
from hachecks.delivery.mark import leave_mark
from hachecks.delivery.repeat import Repeats
from hachecks.delivery.storm import PACE, Pace, Storm
from hachecks.delivery.watch import JournalWatch
from hachecks.keepalived.vips import vips
from hachecks.messages.standing import Standing
from hachecks.settings import Invalid
from hachecks.transitions import journal
from hachecks.transitions.history import History
from hachecks.transitions.history_files import events
from hachecks.transitions.taken_out import taken_out
from hachecks.transitions.transition import Transition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hachecks.node import Node
    from hachecks.transitions.event import Event

PORTION_PAUSE_SECONDS = 0.01
"""Between two portions of a long journal, and the least between two steps."""


class DeliveryLoop:
    """Delivers what one user records on a node; `with DeliveryLoop.locked(...)`: there is one at a time.

        while True:
            loop.wait(loop.step(time.monotonic()))

    Events are forgotten as soon as every notifier has been told of them. `last_heard` is when something was read last.
    """

    def __init__(
        self,
        reader: History,
        backlog: Backlog,
        node: Node,
        tell: Callable[[str], None],
        pace: Pace = PACE,
        repeat_interval: float = 0.0,
    ) -> None:
        self.reader = reader
        self.backlog = backlog
        self.node = node
        self.tell = tell
        self.pace = pace
        self.watch = JournalWatch()
        self.delivery = Delivery(node.name, {}, reader.directory, {})
        self.repeats = Repeats(repeat_interval)
        self.configure()
        self.last_heard = time.monotonic()
        self._storm: Storm | None = None
        self._sizes: object = None
        self._look_at = self._deliver_at = -float("inf")
        self._trouble = ""

    @classmethod
    @contextlib.contextmanager
    def locked(
        cls, directory: str, node: Node, tell: Callable[[str], None], pace: Pace = PACE, repeat_interval: float = 0.0
    ) -> Iterator[DeliveryLoop]:
        """The loop over the history in this directory, which is read once; `tell` gets a line about all that happens.

        What goes on is told again each `repeat_interval` seconds to those who want it, where that is not 0.
        It leaves its mark, which whoever ends in peace removes (`mark.remove_mark`). Raises `BlockingIOError` while
        another one delivers, else `OSError`.
        """
        backlog = Backlog(remembered=lambda: events(directory))
        with History.locked(directory, node.places, backlog.add) as reader:
            leave_mark(reader)  # before anything is made: the shell's claim may have the last inode
            loop = cls(reader, backlog, node, tell, pace, repeat_interval)
            try:
                yield loop
            finally:
                loop.watch.close()

    def configure(self) -> None:
        """Deliver from now on as the configuration says now; the queues go on where they stand."""
        channels = declared_channels(self.node, self.reader.directory, self.tell)
        queues = self.delivery.queues
        self.delivery = Delivery(self.node.name, channels, self.reader.directory, vips(self.node), queues)
        self.delivery.composer.repeat_interval = self.repeats.interval
        self._known_command_lines: set[tuple[str, ...]] = set()
        self._add_channels_of_command_lines()
        self._deliver_at = -float("inf")

    def learn_vips(self) -> None:
        """Name the VIPs from now on that Keepalived's configuration has now."""
        self.delivery.composer.vips = vips(self.node)

    def step(self, now: float) -> float:
        """Read and tell what is to be read and told now; blocks while notifiers are told.

        Returns the seconds after which it has to be called again, or sooner when something is recorded (see `wait`).
        `now` is the monotonic clock's.
        """
        entered = time.monotonic()
        has_read = self._is_to_be_read(now)
        if has_read:
            self._read()
            self.last_heard = now
        if has_read or now >= self._deliver_at:
            self._deliver()
            self._deliver_at = now + time.monotonic() - entered + self._left_to_deliver()
        if self._storm is None and now >= self.repeats.due:
            self._tell_again(now)
        due = min(self._deliver_at, self.repeats.due)
        if self._storm:
            due = min(due, self._storm.ends, self._look_at)
        return max(PORTION_PAUSE_SECONDS, due - now - (time.monotonic() - entered))

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds, or until something is recorded; for a second at most.

        In a storm not every single record is heard: there is a look at it in each `look_interval`.
        """
        if self._storm:
            time.sleep(seconds)
        else:
            self.watch.wait(seconds)

    @property
    def is_idle(self) -> bool:
        """Whether all that has been heard of has been told."""
        return not self.reader.has_more and self._storm is None and self._deliver_at == float("inf")

    def has_more(self) -> bool:
        """Whether something has been recorded since the last step, or somebody is to be told again."""
        return not self.is_idle or journal.sizes(self.reader.directories) != self._sizes

    def _is_to_be_read(self, now: float) -> bool:
        if self._sizes is not None and self._storm is None and self.reader.has_more:
            # Of a long journal no more is read than those who can be told have been told of.
            return not self.delivery.is_telling(self.backlog)
        if self._storm is None or now >= self._look_at:
            self._look(now)
        if self._storm is None or now < self._storm.ends:
            return False
        self._storm = None
        return True

    def _look(self, now: float) -> None:
        directories = self.reader.directories
        sizes = journal.sizes(directories)
        if self.watch.follow(sizes):
            sizes = journal.sizes(directories)
        self._look_at = now + self.pace.look_interval
        if sizes == self._sizes:
            return
        self._sizes = sizes
        self._storm = self._storm or Storm(now, self.pace)
        self._storm.goes_on(now, self.reader.peek())

    def _read(self) -> None:
        malformed = self.reader.malformed
        self._hear(self.reader.read_on())
        if self._record_what_was_taken_out():
            self._hear(self.reader.read_on())
        if self.reader.malformed > malformed:
            self.tell(f"{self.reader.malformed - malformed} records that were torn, or not ours, were passed over")
        if self.reader.trouble and self.reader.trouble != self._trouble:
            self.tell(self.reader.trouble)
        self._trouble = self.reader.trouble

    def _record_what_was_taken_out(self) -> bool:
        """Record DELETED in Keepalived's place where it does not say so itself; returns whether there was any."""
        path, latest = self.node.keepalived_config, self.reader.log.latest.values()
        gone = taken_out(latest, path) if not self.reader.has_more else []
        with contextlib.suppress(OSError):
            for event in gone:
                deleted = Transition.of_now(event.kind, event.name, "DELETED", options=event.options)
                journal.append(deleted, self.node.places, sync=self.node.syncs)
        return bool(gone)

    def _hear(self, heard: list[Event]) -> None:
        for event in heard:
            self.backlog.add(event)
        self._add_channels_of_command_lines()

    def _add_channels_of_command_lines(self) -> None:
        for words in self.backlog.command_lines - self._known_command_lines:
            self._known_command_lines.add(words)
            if channel_name(words) in self.delivery.channels:
                continue
            try:
                self.delivery.add(channel_of(words, self.node.environ))
            except Invalid as error:
                self.tell(str(error))

    def _deliver(self) -> None:
        for channel, said in self.delivery.deliver(self.backlog):
            self.tell(f"{channel.name}: {said}")
        self.backlog.forget(self.delivery.delivered_up_to)

    def _tell_again(self, now: float) -> None:
        states = {subject: event.state for subject, event in self.reader.log.latest.items()}
        standing = Standing(self.node.name, states, self.repeats.interval, self.reader.directory)
        for channel, said in self.repeats.tell(self.delivery.channels.values(), standing, now):
            self.tell(f"{channel.name}: {said}")

    def _left_to_deliver(self) -> float:
        is_telling = self.delivery.is_telling(self.backlog)
        if self.reader.has_more and self._storm is None and not is_telling:
            return 0.0
        left = self.delivery.waiting(self.backlog)
        if left is None:  # some may want none of what they have looked at, and not have looked at all of it
            left = 0.0 if is_telling else float("inf")
        return left
