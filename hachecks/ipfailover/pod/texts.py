"""The files that a configuration consists of: read together, kept as they were, and looked at for a change."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hachecks.ipfailover.files import STDIN, Reader
from hachecks.settings import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import TypeAlias

Sign: TypeAlias = "tuple[int, int, int, int] | None"


class Texts(Reader):
    """Reads each file once, whatever becomes of it meanwhile, and may have been given what files said earlier."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.known = dict(known or {})
        """What was read, by path."""
        self.signs: dict[str, Sign] = {}
        """What was there before it was read: who looks afterwards may see what nobody has read."""
        self._is_closed = known is not None

    def text(self, path: str) -> str:
        """The text of a file; raises `Invalid`."""
        if path not in self.known:
            if self._is_closed:
                raise Invalid(f"{path}: it was not there")
            self.see(path)
            if path != STDIN and os.path.exists(path) and not os.path.isfile(path):
                # Whoever opens a FIFO waits for its writer, and process 1 has others to look after.
                raise Invalid(f"{path}: it is no file; name a file of a mounted ConfigMap")
            self.known[path] = super().text(path)
        return self.known[path]

    def optional(self, path: str) -> str | None:
        """The same, and None where there is no such file."""
        self.see(path)
        is_there = path in self.known or (not self._is_closed and os.path.lexists(path))
        return self.text(path) if is_there else None

    def see(self, path: str) -> None:
        """Note which file is there, before it is read the first time."""
        if path not in self.signs:
            self.signs[path] = sign(path)


class Watch:
    """Tells when one of some files is another than before: written anew, replaced, or behind links that lead elsewhere.

    kubelet replaces the files of a volume by putting another directory behind `..data`, through which all of them lead.
    """

    def __init__(self) -> None:
        self._signs: dict[str, Sign] = {}

    def follow(self, paths: Iterable[str], seen: Mapping[str, Sign] | None = None) -> None:
        """Look at these from now on; what is not known yet is as it was seen before it was read, or else as it is."""
        known = {**(seen or {}), **self._signs}
        self._signs = {path: known[path] if path in known else sign(path) for path in paths if path != STDIN}

    def has_changed(self) -> bool:
        """Whether one of them is another than at the last look."""
        now = {path: sign(path) for path in self._signs}
        changed = now != self._signs
        self._signs = now
        return changed


def sign(path: str) -> Sign:
    """What is another where a file is another; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
