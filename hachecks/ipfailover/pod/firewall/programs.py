"""The programs of the firewall, nft and iptables: found where they are, and run within bounds."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACES = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin"
"""Where they are, whatever a service has for a PATH."""
PATIENCE = 5.0
"""Seconds: the rules of a node with 10,000 Services are listed in two."""
MOST_BYTES = 64 * 1024 * 1024


class Refused(OSError):  # noqa: N818 - the name says what happened
    """A program did not do what it was asked; `strerror` is a line on why."""

    def __init__(self, program: str, why: str) -> None:
        super().__init__(0, f"{program}: {one_line(why) or 'it failed and did not say why'}")
        self.why = why


def find(program: str) -> str:
    """The path of a program, or nothing."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{PLACES}") or ""


def run(program: str, *arguments: str, given: str = "", patience: float = PATIENCE) -> str:
    """Run a program that is there, with a text for its standard input, and return what it prints; raises `Refused`."""
    try:
        done = _run([find(program) or program, *arguments], given, patience)
    except subprocess.TimeoutExpired:
        raise Refused(program, f"it did not end within {patience:g} s") from None
    except OSError as error:
        raise Refused(program, error.strerror or str(error)) from None
    if done.returncode:
        raise Refused(program, _reason(done.stderr.decode(errors="replace")))
    if len(done.stdout) > MOST_BYTES:
        raise Refused(program, f"it has more than {MOST_BYTES >> 20} MiB to say")
    return done.stdout.decode(errors="replace")


def _run(command: Sequence[str], given: str, patience: float) -> subprocess.CompletedProcess[bytes]:
    # What it says is compared and read: in English.
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(  # noqa: S603 - a program of this node, by its path
        command, input=given.encode(), capture_output=True, timeout=patience, env=environment, check=False
    )


def _reason(said: str) -> str:
    """The line that says why, of warnings, echoes of the command and marks below it."""
    lines = [line.strip() for line in said.splitlines() if line.strip(" \t^~")]
    telling = [line for line in lines if not line.startswith(("# Warning", "Try `", "Error occurred"))]
    return (telling or lines or [""])[0]
