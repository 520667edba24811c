"""What does the administrator see? The only module that prints or exits.

Exit status: 0 PASS, 1 anything else, 2 a command that cannot be understood; `--format nagios` has that system's own.
"""

from __future__ import annotations

import os
import select
import sys

from hachecks import argv
from hachecks.checks import runner
from hachecks.deadline import Deadline
from hachecks.registry import PROBES, Entry
from hachecks.settings import Invalid, argument, build, option, settings
from hachecks.verdict import Status, Verdict, in_words, one_line, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal, NoReturn

    from hachecks.probes import Probe

PATIENCE_WITH_READERS = 0.1
"""Seconds to wait for room in the pipe that a verdict is written to."""
PASSED, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
NAGIOS = {Status.PASS: ("OK", 0), Status.FAIL: ("CRITICAL", 2), Status.UNKNOWN: ("UNKNOWN", 3)}

CLICK = Entry("hachecks.commands:main", "the click tree: help, errors and the commands that are no checks")
NAMED = Entry("hachecks.config:named_check", "a check that hacheck.toml declares")


@settings
class ConfigOptions:
    """Where checks are declared."""

    heading = "Configuration"

    config: str = option(default="/etc/keepalive/hacheck.toml", metavar="FILE", help="The configuration file.")


@settings
class NamedCheck(ConfigOptions):
    """Run a check that hacheck.toml declares.

    What is given here, or by a variable, counts more than what the file says.
    """

    name: str = argument(help="The check's name: NAME in [check.NAME].")


@settings
class OutputOptions:
    """How the verdict is told."""

    heading = "How the verdict is told"

    format: Literal["text", "json", "nagios"] = option(
        default="text", help="One line for people, one JSON object, or Nagios."
    )
    verbose: bool = option(default=False, short="-v", help="Tell what each phase took.")


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
    classes = signature(words[0]) if words else ()
    flags = argv.read(words[1:], classes) if classes else None
    if flags is None:
        return int(CLICK.load()(list(words), environ))
    return perform(words[0], flags, environ)


def signature(command: str) -> tuple[type, ...]:
    """The settings classes a check command takes; none for any other command."""
    if command == "run":
        return (NamedCheck, runner.RunOptions, OutputOptions)
    return (PROBES[command].load(), runner.RunOptions, OutputOptions) if command in PROBES else ()


def perform(command: str, flags: Mapping[str, Any], environ: Mapping[str, str]) -> int:
    """Run a check command with these flags and return the exit status; raises `Invalid`."""
    asked, _, _ = signature(command)
    subject = build(asked, command, flags, environ, {})
    output = build(OutputOptions, command, flags, environ, {})
    if isinstance(subject, NamedCheck):
        probe, options = NAMED.load()(subject.name, subject.config, flags, environ)
        return check(probe, options, output, subject.name)
    options = build(runner.RunOptions, command, flags, environ, {})
    return check(subject, options, output, f"{command}-{fingerprint(repr(subject))}")


def check(probe: Probe, options: runner.RunOptions, output: OutputOptions, name: str) -> int:
    """Run a probe in a process that ends in time whatever happens, tell the verdict, return the exit status."""

    def end_now() -> NoReturn:
        told = f"{probe.subject} was not judged within {in_words(options.timeout)}"
        verdict = Verdict.failing(told, "timeout")
        leave(conclude(runner.remembered(verdict, options, name, deadline)))

    def conclude(verdict: Verdict) -> int:
        code = tell(verdict, options, output)
        runner.call_off_watchdog()
        runner.publish(probe, verdict, options, name)
        return code

    deadline = Deadline.after(options.timeout)
    runner.watchdog(options.timeout, end_now)
    verdict = runner.run(probe, options, name, deadline)
    runner.call_off_watchdog()
    return conclude(verdict)


def tell(verdict: Verdict, options: runner.RunOptions, output: OutputOptions) -> int:
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


def fingerprint(text: str) -> str:
    """A short name for a long text, the same in every process."""
    import zlib

    return f"{zlib.crc32(text.encode()):08x}"


def say(line: str) -> None:
    """One line to standard output, if anybody can have it: a closed pipe or a full disk changes no verdict."""
    _write(1, line)


def complain(line: str) -> None:
    """One line to standard error."""
    _write(2, f"hacheck: {visible(line)}")


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
