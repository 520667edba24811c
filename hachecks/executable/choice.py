"""The choice of what is carried compiled, where there is no room for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.executable.archive import Compiled, Contents, Stream
from hachecks.executable.interpreters import compile_with, interpreters
from hachecks.executable.modules import Module

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BASES = {"3.10": "3.9", "3.11": "3.9", "3.12": "3.11", "3.13": "3.11"}
"""Versions whose streams are written down as what differs from another version's."""
SWIFT = ("3.11",)
"""Those of them for which what a check imports at once is written down whole: it takes less time to read."""

TOMLLIB_SINCE = ("3.11", "3.12", "3.13")


class Choice:
    """Which streams are carried compiled for which version: what there is room for, in a fixed order.

    Every version gets a stream before any gets the next one; other versions, and streams without room, make do with the
    sources.
    """

    def __init__(self, bare: Contents, room: int) -> None:
        self.streams = bare.streams
        at_once = {name for names in bare.preloaded.values() for name in names}
        self.hot = {name for name in self.streams if at_once & {module.name for module in self.streams[name]}}
        self.sizes: dict[tuple[str, str], int] = {}
        self.compiled: dict[str, Compiled] = {}
        self.codes: dict[str, dict[str, bytes]] = {}
        self.made: dict[tuple[str, str, bool], tuple[Stream, int]] = {}
        for version, path in interpreters().items():
            self._start(version, path, bare)
        left = room - len(bare._replace(compiled=self.versions).file())
        self._fill(left)
        while (excess := len(bare._replace(compiled=self.versions).file()) - room) > 0:
            left -= excess  # for a stream takes room beside its entry, too
            self._fill(left)

    @property
    def versions(self) -> Sequence[Compiled]:
        """What is carried for each version."""
        return list(self.compiled.values())

    def _start(self, version: str, path: str, bare: Contents) -> None:
        loader = Module("loader", False, bare.loader)
        magic, (code, *codes) = compile_with(path, [loader, *bare.modules])
        self.codes[version] = {module.name: code for module, code in zip(bare.modules, codes)}
        self.compiled[version] = Compiled(f"cpython-{version}", magic, code, ())

    def _fill(self, left: int) -> None:
        """Choose anew, with so many bytes for the entries of streams."""
        self.sizes.clear()
        self.compiled = {version: compiled._replace(streams=()) for version, compiled in self.compiled.items()}
        for name in (name for name in self.streams if not name.endswith(" late")):
            for version, before in self.compiled.items():
                stream, size = self._stream(version, name)
                if size <= left:
                    left -= size
                    self.sizes[version, name] = size
                    self.compiled[version] = before._replace(streams=[*before.streams, stream])

    def _stream(self, version: str, name: str) -> tuple[Stream, int]:
        """The stream for this version, and what it takes."""
        is_whole = version in SWIFT and name in self.hot
        base = None if is_whole else self._found(BASES.get(version), name)
        key = version, name, base is not None
        if key not in self.made:
            unused = "tomli" if version in TOMLLIB_SINCE else None
            members = [module for module in self.streams[name] if module.name.partition(".")[0] != unused]
            number = list(self.streams).index(name)
            directory = self.compiled[version].directory
            stream = Stream(
                f"{directory}/{name}", number, members, [self.codes[version][module.name] for module in members], base
            )
            self.made[key] = stream, stream.size()
        return self.made[key]

    def _found(self, version: str | None, name: str) -> Stream | None:
        streams = self.compiled[version].streams if version in self.compiled else ()
        return next((stream for stream in streams if stream.name.endswith(f"/{name}")), None)

    def table(self) -> Iterator[str]:
        """A line for each stream: the bytes it takes compiled for each version, or a dash where it is source alone."""
        width = max(map(len, self.streams))
        yield " ".join(["compiled for".ljust(width), *(f"{version:>6}" for version in self.compiled)])
        for name in self.streams:
            cells = (self.sizes.get((version, name), "-") for version in self.compiled)
            yield " ".join([name.ljust(width), *(f"{cell:>6}" for cell in cells)])
