"""Exec notifier: runs a command for each event."""

from __future__ import annotations

import os
import shlex

from hachecks.deadline import TimedOut
from hachecks.messages.fields import facts
from hachecks.services.command import run
from hachecks.services.progress import PartialDelivery
from hachecks.settings import option, settings
from hachecks.transitions.transition import label
from hachecks.verdict import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hachecks.deadline import Deadline
    from hachecks.messages.message import Change, Message
    from hachecks.transitions.event import Event

EX_TEMPFAIL = 75


@settings
class ExecNotifier:
    """Run a command.

    For each event, in Keepalived's order, one after another, with the words that Keepalived gives appended (INSTANCE
    NAME STATE PRIORITY) and everything known in variables: HACHECK_KIND, HACHECK_NAME, HACHECK_STATE, HACHECK_BEFORE,
    HACHECK_PRIORITY, HACHECK_VIPS, HACHECK_NODE, HACHECK_SEVERITY, HACHECK_AT, HACHECK_EPOCH, HACHECK_SINCE,
    HACHECK_REASON, HACHECK_KEY, HACHECK_NUMBER, HACHECK_TEST, HACHECK_DUPLICATE. No shell reads the command.

    Exit status 0 is done, 75 (EX_TEMPFAIL) asks to be run again, anything else is a failure. A command still running at
    --send-timeout is ended with all processes of its group, first by TERM, then by KILL, and is a failure too. After
    one to be run again, later events of the same instance wait for it, those of others do not.

    A command may be run twice for the same event, when the deliverer died meanwhile: HACHECK_KEY is then the same, and
    HACHECK_DUPLICATE is 1. An event older than one already told is passed over, since the last run must win.
    """

    wants_all_events = True
    may_grow_on_retry = True

    command: tuple[str, ...] = option(
        default=(),
        metavar="COMMAND",
        help="The command; one text is split as a shell would, several are its words (and --command=-x begins with -).",
    )
    mode: Literal["every", "latest"] = option(
        default="every", help="Run it for every event, or only for the latest of each instance."
    )
    again: bool = option(default=False, help="Run it again at any failure, until --max-age, not only at status 75.")

    def validate(self) -> None:
        """Refuse a command without words."""
        try:
            words = self.words
        except ValueError as error:
            raise ValueError(f"--command: {error}") from None
        if not words or not words[0]:
            raise ValueError("--command is missing")

    @property
    def words(self) -> list[str]:
        """The command's words; raises `ValueError`."""
        return shlex.split(self.command[0]) if len(self.command) == 1 else list(self.command)

    def send(self, message: Message, deadline: Deadline) -> str:
        """Run the command for what has not been done yet, last for those where it failed before."""
        progress = PartialDelivery.of(self)
        turns = self._turns(message)
        left = set(progress.left(event.key for _, event in turns))
        turns = [turn for turn in turns if turn[1].key in left]
        failed_before = {event.subject for _, event in turns if progress.retryable.get(event.key)}
        progress.begin()
        waiting: set[tuple[str, str]] = set()
        said = ""
        for number, (change, event) in enumerate(sorted(turns, key=lambda turn: turn[1].subject in failed_before)):
            if event.subject not in waiting:
                said = self._run(message, change, event, deadline, others_had_time=number > 0) or said
            else:
                progress.failed(event.key, "", retryable=True)
            if event.key in progress.retryable:
                waiting.add(event.subject)
        count = progress.result([event.key for _, event in turns])
        return one_line(f"ran {count} {'command' if count == 1 else 'commands'}{said and f': {said}'}")

    def _run(self, message: Message, change: Change, event: Event, deadline: Deadline, *, others_had_time: bool) -> str:
        """Run it for one event, note what came of it, and return what it said."""
        progress = PartialDelivery.of(self)
        try:
            ended = run([*self.words, *words_of(event)], variables(message, change, event), deadline)
        except TimedOut:
            progress.failed(event.key, "", retryable=True)
            return ""
        if ended.status == 0:
            progress.done(event.key)
        else:
            # Killed when others had used up the time is no failure of its own.
            again = self.again or ended.status == EX_TEMPFAIL or (ended.killed and others_had_time)
            progress.failed(event.key, f"{label(*event.subject)} {event.state}: {ended}", retryable=again)
        return ended.output

    def _turns(self, message: Message) -> list[tuple[Change, Event]]:
        """The events to run it for, in order."""
        turns = [(change, event) for change, event in message.one_by_one if not event.late]
        if self.mode == "every":
            return turns
        latest = {event.subject: event for _, event in turns}
        return [turn for turn in turns if turn[1] in latest.values()]


def words_of(event: Event) -> list[str]:
    """What Keepalived appends to a notify script's words."""
    priority = [] if event.priority is None else [str(event.priority)]
    return [event.kind, event.name, event.state, *priority]


def variables(message: Message, change: Change, event: Event) -> dict[str, str]:
    """Our own environment, and everything known about the event."""
    known = facts(message, change, event)
    return {**os.environ, **{f"HACHECK_{name.upper()}": value for name, value in known.items()}}
