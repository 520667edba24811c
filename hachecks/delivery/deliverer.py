"""The deliverer: a process that the first notify of a storm starts where no agent runs, and that ends by itself."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time

from hachecks import homes, state
from hachecks.delivery.backlog import Backlog
from hachecks.delivery.channels import channel_name, channel_of, declared_channels
from hachecks.delivery.loop import Delivery
from hachecks.delivery.starting import MARK, is_delivering
from hachecks.keepalived.vips import vips
from hachecks.node import Node, NodeOptions
from hachecks.proc import process_start
from hachecks.settings import Invalid, settings
from hachecks.transitions import history, journal
from hachecks.transitions.history import History
from hachecks.transitions.taken_out import taken_out
from hachecks.transitions.transition import Transition
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hachecks.registry import Output
    from hachecks.transitions.event import Event

QUIET = 1.0
"""Seconds without a new record after which a storm is over."""
LONGEST_STORM = 5.0
"""Seconds after which people are told of a storm that is not over."""
GOODBYE_QUIET, LONGEST_GOODBYE = 0.1, 0.4
"""The same once Keepalived says STOP: its pod ends a second later, and the deliverer has to start within that."""
LINGER = 5.0
"""Seconds for which the deliverer waits for more when everything has been told."""
LONGEST = 3600.0
"""Seconds after which the configuration is read again."""
LOOK, SHORT_LOOK = 0.1, 0.01
CLAIM = "claim-"
"""The shell's notify makes such a file to be the one that starts the deliverer."""
DIARY = "deliveries.log"
LARGEST_DIARY = 1024 * 1024


@settings
class Deliver(NodeOptions):
    """Deliver what has been recorded, until there is nothing left to deliver."""

    def run(self, environ: Mapping[str, str], output: Output) -> bool:
        """Deliver, apart from Keepalived, which may have started us."""
        leave_keepalived()
        deliver(Node(self, environ), output.say)
        return True


def deliver(node: Node, tell: Callable[[str], None]) -> None:
    """Deliver until everything has been told and nothing has come for a while; one process of each user at a time.

    Raises `OSError` where there is no place to keep what is delivered.
    """
    directory = journal.state_directory(node.places)
    until = time.monotonic() + LINGER
    while True:
        try:
            with History.locked(directory, node.places) as reader:
                while _round(reader, node, DeliveryLog(directory, tell).tell):
                    pass
            return
        except BlockingIOError:
            # Who has the lock sees what has been recorded as long as its mark is there; without, it is about to end.
            if is_delivering(directory) or time.monotonic() > until:
                return
            time.sleep(LOOK)


def _round(reader: History, node: Node, tell: Callable[[str], None]) -> bool:
    """Deliver with the configuration as it is now; returns whether there is more to do.

    Where that fails the mark stays, as that of one who was killed: a check starts the next deliverer.
    """
    _mark(reader)
    loop = _Loop(reader, node, tell)
    loop.run()
    _unmark(reader)
    # Whoever recorded something while the mark was there relies on us.
    return loop.has_more()


class DeliveryLog:
    """What came of it, also for those who look later: the deliverer that notify starts has no standard output.

    Where the file cannot be written, a container's output is.
    """

    def __init__(self, directory: str, tell: Callable[[str], None]) -> None:
        self.path = os.path.join(directory, DIARY)
        self.further = tell

    def tell(self, line: str) -> None:
        """Write the line down with the time, and pass it on."""
        text = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {visible(line)}\n"
        try:
            self._write(text)
        except OSError:
            with contextlib.suppress(OSError):
                journal.say_on_console(f"hacheck: {text}")
        self.further(line)

    def _write(self, text: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if os.lstat(self.path).st_size > LARGEST_DIARY:
                os.replace(self.path, f"{self.path}.1")
        with open(state.written(self.path, os.O_WRONLY | os.O_APPEND), "a", encoding="utf-8") as file:
            file.write(text)


def _mark(reader: History) -> None:
    """Say who delivers, by pid and start, wherever the shell looks for it; nobody has to claim it any more."""
    for directory in {reader.directory, *reader.directories}:
        for name in os.listdir(directory):
            if name.startswith(CLAIM):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(directory, name))
        if directory == reader.directory or homes.has_inodes(directory):  # the last one is the log's
            with contextlib.suppress(OSError):
                state.replace(os.path.join(directory, MARK), f"{os.getpid()} {process_start()}\n")


def _unmark(reader: History) -> None:
    for directory in {reader.directory, *reader.directories}:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(directory, MARK))


def leave_keepalived() -> None:
    """Live on when Keepalived ends its scripts, but end at SIGTERM, which the shell that started us ignored.

    Its umask 0177 is left behind too: what is written is for everybody to read (see `state`).
    """
    os.umask(0o022)
    with contextlib.suppress(PermissionError):  # a session of our own already
        os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class _Loop:
    def __init__(self, reader: History, node: Node, tell: Callable[[str], None]) -> None:
        self.reader = reader
        self.node = node
        self.tell = tell
        channels = declared_channels(node, reader.directory, tell)
        self.delivery = Delivery(node.name, channels, reader.directory, vips(node))
        self.backlog = Backlog(remembered=lambda: history.events(reader.directory))
        self._hear(itertools.chain(history.events(reader.directory), reader.unwritten))
        self.trouble = ""
        self.sizes: object = None

    def run(self) -> None:
        """Look, wait for the end of the storm, read, tell; until there is nothing left to do."""
        started = idle_since = time.monotonic()
        while time.monotonic() - started < LONGEST:
            # Of a long journal no more is read than those who can be told have been told of.
            if self._grown() or (self.reader.has_more and not self.delivery.is_telling(self.backlog)):
                self._await_quiet()
                self._read()
                idle_since = time.monotonic()
            for channel, said in self.delivery.deliver(self.backlog):
                self.tell(f"{channel.name}: {said}")
            self.backlog.forget(self.delivery.known_to_all)
            if self._has_nothing_to_do() and time.monotonic() - idle_since > LINGER:
                return
            time.sleep(SHORT_LOOK if self.reader.has_more else LOOK)

    def has_more(self) -> bool:
        """Whether something has been recorded since the last look, or somebody is to be told again."""
        return self._grown() or not self._has_nothing_to_do()

    def _has_nothing_to_do(self) -> bool:
        return not self.reader.has_more and self.delivery.waiting(self.backlog) is None

    def _read(self) -> None:
        foreign = self.reader.foreign
        self._hear(self.reader.read_on())
        if self._record_what_was_taken_out():
            self._hear(self.reader.read_on())
        if self.reader.foreign > foreign:
            self.tell(f"{self.reader.foreign - foreign} records that were torn, or not ours, were passed over")
        if self.reader.trouble and self.reader.trouble != self.trouble:
            self.tell(self.reader.trouble)
        self.trouble = self.reader.trouble

    def _record_what_was_taken_out(self) -> bool:
        """Record DELETED in Keepalived's place where it does not say so itself; returns whether there was any."""
        path, latest = self.node.keepalived_config, self.reader.understanding.latest.values()
        gone = taken_out(latest, path) if not self.reader.has_more else []
        with contextlib.suppress(OSError):
            for event in gone:
                deleted = Transition.of_now(event.kind, event.name, "DELETED", options=event.options)
                journal.append(deleted, self.node.places, sync=self.node.syncs)
        return bool(gone)

    def _hear(self, events: Iterable[Event]) -> None:
        options = set()
        for event in events:
            self.backlog.add([event])
            options.add(event.options)
        for words in options - {()}:
            name = channel_name(words)
            if name in self.delivery.channels:
                continue
            try:
                self.delivery.channels[name] = channel_of(words, self.node.environ, self.reader.directory)
            except Invalid as error:
                self.tell(str(error))

    def _grown(self) -> bool:
        if self.reader.has_more and self.sizes is not None:
            return False
        sizes = journal.sizes(self.reader.directories)
        grown, self.sizes = sizes != self.sizes, sizes
        return grown

    def _await_quiet(self) -> None:
        began = quiet_since = time.monotonic()
        found = self.reader.peek()
        while not found.more:
            quiet, longest = QUIET, LONGEST_STORM
            if any(transition.state == "STOP" for transition in found.transitions):
                quiet, longest = GOODBYE_QUIET, LONGEST_GOODBYE
            if time.monotonic() - quiet_since >= quiet or time.monotonic() - began >= longest:
                return
            time.sleep(min(LOOK, quiet))
            if self._grown():
                quiet_since = time.monotonic()
                found = self.reader.peek()
