"""What is carried compiled, where there is no room for all?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.executable.archive import Compiled, Contents, Stream
from hachecks.executable.interpreters import compile_with, interpreters
from hachecks.executable.modules import Module
from hachecks.executable.streams import streams

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BASES = {"3.10": "3.9", "3.12": "3.11", "3.13": "3.11"}
"""Versions whose streams are written down as what differs from another version's."""

TOMLLIB_SINCE = ("3.11", "3.12", "3.13")


class Choice:
    """Which streams are carried compiled for which version: what there is room for, in a fixed order.

    Every version gets a stream before any gets the next one; other versions, and streams without room, make do with the
    sources.
    """

    def __init__(self, bare: Contents, room: int) -> None:
        self.streams = streams(bare.modules)
        self.sizes: dict[tuple[str, str], int] = {}
        self.compiled: dict[str, Compiled] = {}
        self.codes: dict[str, dict[str, bytes]] = {}
        for version, path in interpreters().items():
            self._start(version, path, bare)
        for _ in range(2):  # what a stream takes beside its entry is known only then
            self.left = room - len(bare._replace(compiled=self.versions).file())
            for name in (name for name in self.streams if not name.endswith(" late")):
                for version in self.compiled:
                    self._consider(version, name)

    @property
    def versions(self) -> Sequence[Compiled]:
        """What is carried for each version."""
        return list(self.compiled.values())

    def _start(self, version: str, path: str, bare: Contents) -> None:
        loader = Module("loader", False, bare.loader)
        magic, (code, *codes) = compile_with(path, [loader, *bare.modules])
        self.codes[version] = {module.name: code for module, code in zip(bare.modules, codes)}
        self.compiled[version] = Compiled(f"cpython-{version}", magic, code, (), f"cpython-{BASES.get(version)}")

    def _consider(self, version: str, name: str) -> None:
        unused = "tomli" if version in TOMLLIB_SINCE else None
        members = [module for module in self.streams[name] if module.name.partition(".")[0] != unused]
        base = next((s for s in self._streams_of(BASES.get(version)) if s.name == name), None)
        stream = Stream(name, members, [self.codes[version][module.name] for module in members], base)
        size = stream.size()
        if size <= self.left and (version, name) not in self.sizes:
            self.left -= size
            self.sizes[version, name] = size
            before = self.compiled[version]
            self.compiled[version] = before._replace(streams=[*before.streams, stream])

    def _streams_of(self, version: str | None) -> Sequence[Stream]:
        return self.compiled[version].streams if version in self.compiled else ()

    def table(self) -> Iterator[str]:
        """A line for each stream: the bytes it takes compiled for each version, or a dash where it is source alone."""
        width = max(map(len, self.streams))
        yield " ".join(["compiled for".ljust(width), *(f"{version:>6}" for version in self.compiled)])
        for name in self.streams:
            cells = (self.sizes.get((version, name), "-") for version in self.compiled)
            yield " ".join([name.ljust(width), *(f"{cell:>6}" for cell in cells)])
