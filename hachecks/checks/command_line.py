"""The command line of a check: the settings that it takes, and the name under which its runs are remembered."""

from __future__ import annotations

from hachecks import argv
from hachecks.checks.runner import RunOptions
from hachecks.node import ConfigOptions, StateOptions
from hachecks.registry import PROBES
from hachecks.settings import Invalid, argument, build, option, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

RUN = "run"
"""The command that runs a check which hacheck.toml declares."""


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


def signature(command: str) -> tuple[type, ...]:
    """The settings classes a check command takes; none for any other command."""
    if command == RUN:
        return (NamedCheck, RunOptions, StateOptions, OutputOptions)
    return (PROBES[command].load(), RunOptions, StateOptions, OutputOptions) if command in PROBES else ()


def name_of(command: str, subject: Any) -> str:
    """The name of a check: the one that it is declared under, or one made of its probe and all that is asked of it."""
    return str(subject.name) if command == RUN else f"{command}-{fingerprint(repr(subject))}"


def check_name(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """The name of the check that these words run; raises `Invalid`."""
    classes = signature(words[0])
    flags = argv.read(words[1:], classes) if classes else None
    if flags is None:
        raise Invalid(f"{' '.join(words)} is no check")
    return name_of(words[0], build(classes[0], words[0], flags, environ, {}))


def fingerprint(text: str) -> str:
    """A short name for a long text, the same in every process."""
    import zlib

    return f"{zlib.crc32(text.encode()):08x}"
