"""The mark of the process that delivers, as that process leaves it and takes it away; `starting` looks for it."""

from __future__ import annotations

import contextlib
import os

from hachecks import homes, state
from hachecks.delivery.starting import MARK
from hachecks.proc import process_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.transitions.history import History

CLAIM_PREFIX = "claim-"
"""The shell's notify makes such a file to be the one that starts the deliverer."""


def leave_mark(reader: History) -> None:
    """Say who delivers, by pid and start, wherever the shell looks for it; nobody has to claim it any more."""
    for directory in {reader.directory, *reader.directories}:
        for name in os.listdir(directory):
            if name.startswith(CLAIM_PREFIX):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(directory, name))
        if directory == reader.directory or homes.has_inodes(directory):  # the last one is the log's
            with contextlib.suppress(OSError):
                state.replace(os.path.join(directory, MARK), f"{os.getpid()} {process_start()}\n")


def remove_mark(reader: History) -> None:
    """Deliver no more: whoever records from now on starts another."""
    for directory in {reader.directory, *reader.directories}:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(directory, MARK))
