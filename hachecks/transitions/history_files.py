"""The files of a history, as whoever reads one finds them: `history`, `history.N` for what is older, `history.read`."""

from __future__ import annotations

import contextlib
import os

from hachecks import state
from hachecks.transitions.event import Event
from hachecks.transitions.journal import Offsets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

NAME = "history"
LONGEST_LINE = 256 * 1024
"""Characters of a line that are read at once: what has no line end is no history."""


def events(directory: str) -> Iterator[Event]:
    """Everything that is remembered, oldest first; what cannot be read is passed over."""
    with contextlib.ExitStack() as opened:
        # The open file first. Should it be closed now, this is still it, and the list of the closed ones has it, too.
        latest: IO[str] | None = None
        with contextlib.suppress(OSError):
            latest = opened.enter_context(_text(os.path.join(directory, NAME)))
        for path in closed(directory):
            with contextlib.suppress(OSError), _text(path) as file:
                if latest is None or not os.path.sameopenfile(file.fileno(), latest.fileno()):
                    yield from _parsed(file)
        with contextlib.suppress(OSError):
            yield from _parsed(latest)


def closed(directory: str) -> list[str]:
    """The closed files, oldest first."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    found = (name for name in names if name.startswith(f"{NAME}.") and name[len(NAME) + 1 :].isdigit())
    return [os.path.join(directory, name) for name in sorted(found)]


def offsets_path(directory: str) -> str:
    """The file that says how far the journal has been read by who keeps a history in this directory."""
    return os.path.join(directory, f"{NAME}.read")


def offsets(directory: str) -> Offsets:
    """How far the journal has been read by who keeps a history in this directory; raises `OSError`."""
    return Offsets(state.read(offsets_path(directory)))


def errors(directory: str) -> list[OSError]:
    """Why a history that is there cannot be read."""
    found: list[OSError] = []
    for path in [*closed(directory), os.path.join(directory, NAME), offsets_path(directory)]:
        try:
            os.close(state.opened(path))
        except FileNotFoundError:
            continue
        except OSError as error:
            found.append(error)
    return found


def _text(path: str) -> IO[str]:
    return open(state.opened(path), encoding="utf-8", errors="replace")


def _parsed(file: IO[str] | None) -> Iterator[Event]:
    while file and (line := file.readline(LONGEST_LINE)):
        with contextlib.suppress(ValueError):
            yield Event.parse(line)
