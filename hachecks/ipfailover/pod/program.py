"""Keepalived as a program: which version it is, and what it says of a file."""

from __future__ import annotations

import re
import subprocess
from time import monotonic
from typing import TYPE_CHECKING

from hachecks.ipfailover.render.keywords import Version, parse
from hachecks.settings import Invalid
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = re.compile(r"Keepalived v([0-9]+\.[0-9]+\.[0-9]+)")
PATIENCE = 8.0
"""Seconds within which it has answered, 255 instances in a part of one: after 10 s we ourselves count as hanging."""
LOOK_EVERY = 0.1
"""Seconds between two looks at whether we are to end meanwhile."""
PLACE = re.compile(r"^\(?(?:\S+: )?Line [0-9]+\) ")
MOST_COMPLAINTS = 10
LONGEST = 300


def _never() -> bool:
    return False


def version(program: str, is_to_end: Callable[[], bool] = _never) -> Version:
    """Which version is installed; raises `Invalid`, also where we are to end before that is known."""
    done = _run([program, "--version"], is_to_end)
    found = VERSION.search(f"{done.stderr}\n{done.stdout}")
    if not found:
        raise Invalid(f"{program} --version: {one_line(done.stderr)[:LONGEST]!r} is no version; name the right program")
    try:
        return parse(found[1])
    except ValueError as error:
        raise Invalid(f"{program}: {error}; install a newer one") from None


def complaints(program: str, path: str, is_to_end: Callable[[], bool] = _never) -> list[str]:
    """What `keepalived --config-test` has against a file, none where it takes it; raises `Invalid` as `version`."""
    done = _run([program, "--config-test", "-f", path], is_to_end)
    if not done.returncode:
        return []
    # A line comes once from each of its processes that reads the file.
    said = dict.fromkeys(PLACE.sub("", one_line(line)) for line in f"{done.stderr}\n{done.stdout}".splitlines())
    found = [line[:LONGEST] for line in said if line.strip()]
    more = len(found) - MOST_COMPLAINTS
    ending = [f"and {more} more"] if more > 0 else []
    return [*found[:MOST_COMPLAINTS], *ending] or [f"exit status {done.returncode}, without a word"]


def _run(words: list[str], is_to_end: Callable[[], bool]) -> subprocess.CompletedProcess[str]:
    """Its end, and what it said; raises `Invalid`, also where we are to end before it does."""
    until = monotonic() + PATIENCE
    try:
        process = subprocess.Popen(  # noqa: S603 - it is named by whoever starts us
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise Invalid(f"{words[0]}: {error.strerror}; install it, or name it by --keepalived") from None
    while True:
        try:
            said, complained = process.communicate(timeout=LOOK_EVERY)
            return subprocess.CompletedProcess(words, process.returncode, said, complained)
        except subprocess.TimeoutExpired:
            why = f"it has not ended within {PATIENCE:g} s; look what it hangs on" if monotonic() > until else ""
            why = "it has not ended before we are to" if is_to_end() else why
        if why:
            process.kill()
            for pipe in filter(None, (process.stdout, process.stderr)):
                pipe.close()  # which another may still have
            raise Invalid(f"{' '.join(words)}: {why}")
