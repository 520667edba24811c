"""Files of `hacheck ipfailover`: what is read once, from a file or standard input, and the ledger, written at once."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from typing import TYPE_CHECKING

from hachecks.ipfailover.ledger_map import held
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LARGEST = 16 * 1024 * 1024
"""Bytes: all Deployments of a cluster are less."""
STDIN = "-"


class Reader:
    """Reads files, and standard input for `-`, which is there once."""

    def __init__(self) -> None:
        self._stdin_read = False

    def text(self, path: str) -> str:
        """The text of a file; raises `Invalid`."""
        if path == STDIN and self._stdin_read:
            raise Invalid("standard input is read once only; name - once")
        try:
            if path == STDIN:
                self._stdin_read = True
                data = sys.stdin.buffer.read(LARGEST + 1)
            else:
                with open(path, "rb") as file:
                    data = file.read(LARGEST + 1)
        except OSError as error:
            raise Invalid(f"{path}: {error.strerror}; name a file that this user may read") from None
        return _decoded(data, self.place(path))

    def texts(self, paths: Iterable[str]) -> list[tuple[str, str]]:
        """The texts of several files, each with what it is called in messages."""
        return [(self.text(path), self.place(path)) for path in paths]

    def place(self, path: str) -> str:
        """What a file is called in messages."""
        return "standard input" if path == STDIN else path


def _decoded(data: bytes, place: str) -> str:
    if len(data) > LARGEST:
        raise Invalid(f"{place}: it is larger than {LARGEST // 1024 // 1024} MiB; name the right file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"{place}: byte {error.start} is no UTF-8; name a text file") from None


def write_files(directory: str, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Write all files with their modes or none, as far as that can be: what may fail is done before any is replaced."""
    made: list[tuple[str, str]] = []
    try:
        for name, (content, mode) in files.items():
            path = os.path.join(directory, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=".hacheck-", dir=os.path.dirname(path))
            made.append((temporary, path))
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
        while made:
            os.replace(*made[0])
            del made[0]
    except OSError as error:
        raise Invalid(f"{directory}: {error.strerror}; name a directory that this user may write") from None
    finally:
        for temporary, _ in made:
            os.unlink(temporary)


class LedgerFile:
    """The file of a ledger; it is replaced whole, and only if nobody else has changed it since it was read.

    `before` is the text of the ledger in it, None where there is none yet.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self.name = path
        self._whole = self._text()
        self._holder = held(self._whole, path, path)
        self.before = self._holder.ledger

    def _text(self) -> str | None:
        try:
            with open(self.path, "rb") as file:
                return _decoded(file.read(LARGEST + 1), self.name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Invalid(f"{self.name}: {error.strerror}; name a file that this user may read") from None

    def replace(self, text: str) -> None:
        """Write the ledger; raises `Invalid` where that is not possible, with the old one left as it was."""
        import tempfile  # a plan that is only shown does not owe it

        whole = self._holder.put(text)
        directory = os.path.dirname(self.path)
        temporary = ""
        try:
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self._text() != self._whole:
                    raise Invalid(f"{self.name}: somebody has changed it meanwhile; plan again")
                mode = os.stat(self.path).st_mode & 0o777 if self._whole is not None else 0o644
                descriptor, temporary = tempfile.mkstemp(prefix=".ledger-", dir=directory)
                with open(descriptor, "w", encoding="utf-8") as file:
                    file.write(whole)
                    file.flush()
                    os.fchmod(descriptor, mode)
                    os.fsync(descriptor)
                os.replace(temporary, self.path)
                temporary = ""
                os.fsync(lock)
            finally:
                os.close(lock)
                if temporary:
                    os.unlink(temporary)
        except OSError as error:
            raise Invalid(f"{self.name}: {error.strerror}; name a file that this user may write") from None
