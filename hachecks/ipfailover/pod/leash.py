"""A program that becomes another one, which the kernel signals when our process ends: nobody is left without it.

It is started by its path, with the number of the signal and the command. A function between fork and exec would do the
same (subprocess calls it preexec_fn), but must not be used beside threads.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
NOT_FOUND = 127
"""The exit status of a shell that does not find a command."""


def main(parent: int, number: int, words: list[str]) -> None:
    """Become the command; `parent` is the process that is to be outlived by nobody. Raises `SystemExit`."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    # It may have ended before it was asked for.
    if os.getppid() != parent:
        raise SystemExit(NOT_FOUND)
    try:
        os.execvp(words[0], words)  # noqa: S606 - that is what it is for
    except OSError as error:
        os.write(2, f"hacheck: {words[0]}: {error.strerror}; install it, or name it\n".encode())
        raise SystemExit(NOT_FOUND) from None


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
