"""`hacheck` itself: command lines in, a line and an exit status out; the only module that prints or exits.

Exit status: 0 PASS, 1 anything else, 2 a command that cannot be understood; `--format nagios` has that system's own.
"""

from __future__ import annotations

import os
import select
import sys

from hachecks import argv
from hachecks.checks.command_line import RUN, OutputOptions, name_of, signature
from hachecks.checks.publish import publish
from hachecks.checks.runner import RunOptions, attempt
from hachecks.checks.watchdog import call_off_alarm, call_off_watchdog, set_watchdog
from hachecks.deadline import Deadline
from hachecks.node import StateOptions
from hachecks.registry import COMMANDS, Entry
from hachecks.settings import Invalid, build
from hachecks.verdict import Status, Verdict, in_words, one_line, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

    from hachecks.probes import Probe

PATIENCE_WITH_READERS = 0.1
"""Seconds to wait for room in the pipe that a verdict is written to."""
PLAIN = {"name", "config", "state_dir"}
"""What may be given where the agent's verdict will do: anything else makes another check of it."""
PASSED, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
NAGIOS = {Status.PASS: ("OK", 0), Status.FAIL: ("CRITICAL", 2), Status.UNKNOWN: ("UNKNOWN", 3)}

DELIVER = "deliver"
CLICK = Entry("hachecks.commands:main", "the click tree: help, errors and the commands that are no checks")
NAMED = Entry("hachecks.config:named_check", "a check that hacheck.toml declares")
GUARD = Entry("hachecks.checks.guard:Guard", "what a check owes that an agent may run as well")
STREAK_FILES = Entry("hachecks.checks.streak:StreakFiles", "what a check without rise and fall does not owe")
REVIVE = Entry("hachecks.delivery.starting:revive", "a deliverer in the place of one that was killed")
DELIVERING = "delivering"
"""The mark of a deliverer, see `delivery.starting`; while there is none, a check need not look after it."""


def main() -> NoReturn:
    """Run `hacheck`, and end the process with its exit status."""
    try:
        code = dispatch(sys.argv[1:], os.environ)
    except Invalid as error:
        complain(str(error))
        code = USAGE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as error:  # such as a full disk below what is shown
        say(f"UNKNOWN - hacheck: {visible(error.strerror or str(error))}")
        code = FAILED
    except Exception as error:  # noqa: BLE001 - a traceback helps nobody at 3 a.m., and Python's own exit codes mislead
        say(f"UNKNOWN - hacheck: {type(error).__name__}: {one_line(str(error))}")
        code = FAILED
    leave(code)


def dispatch(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the command line says and return the exit status; raises `Invalid`."""
    if list(words) == [DELIVER]:  # by each storm's first notify; click would be a quarter of what it costs
        options = build(COMMANDS[DELIVER].load(), DELIVER, {}, environ, {})
        return PASSED if options.run(environ, sys.modules[__name__]) else FAILED
    classes = signature(words[0]) if words else ()
    flags = argv.read(words[1:], classes) if classes else None
    if flags is None:
        return int(CLICK.load()(list(words), environ))
    return perform(words[0], flags, environ)


def perform(command: str, flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """Run a check command with these flags and return the exit status; raises `Invalid`."""
    asked, *_ = signature(command)
    subject = build(asked, command, flags, environ, {})
    output = build(OutputOptions, command, flags, environ, {})
    state_dir = build(StateOptions, command, flags, environ, {}).state_dir
    name = name_of(command, subject)
    if command == RUN:
        return run_named(name, subject.config, flags, output, state_dir, environ)
    options = build(RunOptions, command, flags, environ, {})
    return check(subject, options, output, name, state_dir, environ)


def run_named(
    name: str, config: str, flags: Mapping[str, Any], output: OutputOptions, state_dir: str, environ: Mapping[str, str]
) -> int:
    """Run a check that hacheck.toml declares, unless the agent has; return the exit status; raises `Invalid`."""
    guard = GUARD.load()(name, config, state_dir, environ) if flags.keys() <= PLAIN else None
    if guard and output.format == "text" and not output.verbose and (found := guard.answer()):
        say(found.line)
        return PASSED if found.good else FAILED
    probe, options, schedule = NAMED.load()(name, config, flags, environ, state_dir)
    then = guard.mending(schedule, options) if guard else None
    return check(probe, options, output, name, state_dir, environ, then)


def check(
    probe: Probe,
    options: RunOptions,
    output: OutputOptions,
    name: str,
    state_dir: str,
    environ: Mapping[str, str],
    then: Callable[[Verdict], Verdict] | None = None,
) -> int:
    """Run a probe in a process that ends in time whatever happens, tell the verdict, return the exit status.

    `then` is given the verdict that has been told, and returns the one that is published.
    """
    memory = STREAK_FILES.load()(state_dir) if options.needs_memory else None
    deadline = Deadline.after(options.timeout)

    def end_now() -> NoReturn:
        told = f"{probe.subject} was not judged within {in_words(options.timeout)}"
        leave(conclude(counted(Verdict.failing(told, "timeout"))))

    def counted(verdict: Verdict) -> Verdict:
        return memory.counted(verdict, options, name, deadline) if memory else verdict

    def conclude(verdict: Verdict) -> int:
        code = tell(verdict, options, output)
        call_off_watchdog()
        publish(probe, then(verdict) if then else verdict, options, name, state_dir, revive_delivery)
        return code

    def revive_delivery(directory: str) -> None:
        if os.path.lexists(f"{directory}/{DELIVERING}"):
            REVIVE.load()(directory, {**environ, "HACHECK_STATE_DIR": state_dir})

    set_watchdog(options.timeout, end_now)
    verdict = attempt(probe, options, deadline)
    call_off_alarm()  # in the middle of what follows it would have the run counted twice
    verdict = counted(verdict)
    call_off_watchdog()
    return conclude(verdict)


def tell(verdict: Verdict, options: RunOptions, output: OutputOptions) -> int:
    """Print the verdict in the wanted format and return the exit status for it."""
    if output.format == "nagios":
        word, code = NAGIOS[verdict.status]
        say(f"{word} - {verdict.reason} | {perfdata(verdict)}")
        return code if not options.counts_as_good(verdict.status) else PASSED
    if output.format == "json":
        say(as_json(verdict))
    else:
        say(f"{verdict!r}{phases(verdict) if output.verbose else ''}")
    return PASSED if options.counts_as_good(verdict.status) else FAILED


def phases(verdict: Verdict) -> str:
    """` (resolve 2 ms, connect 1 ms)`."""
    told = ", ".join(f"{name.replace('_', ' ')} {in_words(seconds)}" for name, seconds in verdict.phases.items())
    return f" ({told})" if told else ""


def as_json(verdict: Verdict) -> str:
    """The verdict as one JSON object on one line."""
    import json

    facts = {"status": verdict.status.value, "reason": verdict.reason}
    return json.dumps({**facts, "measured": verdict.measured, "phases": verdict.phases}, ensure_ascii=False)


def perfdata(verdict: Verdict) -> str:
    """What was measured, as the monitoring plugins' guidelines want it: `label=value[unit]`."""
    units = {"seconds": "s", "bytes": "B"}
    facts = {**verdict.measured, **{f"{name}_seconds": value for name, value in verdict.phases.items()}}
    parts = ((name.rpartition("_"), value) for name, value in facts.items())
    return " ".join(
        f"{name}={value:.6g}{units[unit]}" if unit in units else f"{name}_{unit}={value:.6g}".lstrip("_")
        for (name, _, unit), value in parts
    )


def say(line: str) -> None:
    """One line to standard output, if anybody can have it: a closed pipe or a full disk changes no verdict."""
    _write(1, line)


def hand_out(text: str) -> None:
    """A document to standard output, as a whole; raises `OSError`, lest somebody takes a part of it for all."""
    data = f"{text}\n".encode("utf-8", "replace")
    while data:
        data = data[os.write(1, data) :]


def complain(line: str) -> None:
    """One line to standard error."""
    _write(2, f"hacheck: {visible(line)}")


def on_terminal() -> bool:
    """Whether standard output is a terminal."""
    return os.isatty(1)


def _write(descriptor: int, line: str) -> None:
    try:
        if not select.select([], [descriptor], [], PATIENCE_WITH_READERS)[1]:
            return  # a pipe that nobody empties
        os.write(descriptor, f"{line}\n".encode("utf-8", "replace"))
    except (OSError, ValueError):
        pass


def leave(code: int) -> NoReturn:
    """End the process at once: threads that hang in a resolver are not waited for."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass
    os._exit(code)
