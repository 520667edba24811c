"""The end of a FAULT that is to last for seconds, whatever becomes of the process that began it."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager, suppress

from hachecks import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

WAITING = 'read -r _ || mv -f "$0" "$1"'


@contextmanager
def put_there_at_the_end(path: str, text: str) -> Iterator[None]:
    """Put this text in the place of the file when the block ends, or when this process is killed in it.

    A shell with a pipe to us waits for our end. Raises `OSError` where nothing can be written; the file is what it was.
    """
    spare = f"{path}~then"
    state.replace(spare, text, sync=True)
    words = ["sh", "-c", WAITING, spare, path]
    with subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True) as shell:  # noqa: S603 - they are ours
        is_there = False
        try:
            yield
        finally:
            try:
                state.replace(path, text, sync=True)
                is_there = True
            finally:
                # Where it could not be done, it is the shell's to do, as when we are killed.
                shell.communicate(b"\n" if is_there else b"")
                with suppress(FileNotFoundError):
                    os.unlink(spare)
