"""The bytes of the executable: the prelude, and the zip of modules behind it.

The zip holds the sources, those of a room or of another package in one entry, each below a line with its path, since
together they deflate to three quarters of what they do alone; for each version of Python that modules are compiled
for, a directory with the streams of compiled modules; an `index` of all modules; and for each version, and for the
others in the root, a `start`: an identity, and deflated what the prelude runs (the loader) and what that must know.

Two versions of Python compile a module to much the same bytes. So a stream may have a base, the same modules compiled
for another version, and holds each module deflated with that as its dictionary: a fifth of its size for 3.10 on 3.9,
less than half for 3.12 on 3.11.
"""

from __future__ import annotations

import hashlib
import io
import marshal
import zipfile
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from hachecks.executable.modules import Module

Place = tuple[int, int]
"""Where something begins in the file, and how many bytes it takes."""

HEADING = b"# %s\n"
"""What stands above a source among others, with its path."""
EPOCH = (1980, 1, 1, 0, 0, 0)
IDENTITY_LENGTH = 16
LOCAL_HEADER = 30
LONGEST_DICTIONARY = 32768
WIDTH = 7
"""Digits for a position in the file: positions stand in the prelude, which must not grow by them."""


class Stream:
    """Modules compiled for one version, in one entry of the zip; a package that does nothing has no code."""

    def __init__(
        self, name: str, number: int, modules: Sequence[Module], codes: Sequence[bytes], base: Stream | None
    ) -> None:
        self.name = name
        self.number = number
        self.codes = {module.name: code for module, code in zip(modules, codes)}
        self.base = base

    def text(self) -> bytes:
        """What the entry holds: module -> code, or module and what the loader makes its code of, given the base."""
        if self.base is None:
            return marshal.dumps(self.codes, 2)
        deltas, before = [], b""
        for name, code in self.codes.items():
            deltas.append((name, deflated(code, (before + self.base.codes.get(name, b""))[-LONGEST_DICTIONARY:])))
            before = (before + code)[-LONGEST_DICTIONARY:]
        return marshal.dumps(deltas, 2)

    def size(self) -> int:
        """How many bytes the entry takes in the file."""
        archive = Archive(b"")
        archive.add(self.name, self.text(), stored=self.base is not None)
        return len(archive.bytes())


def deflated(data: bytes, dictionary: bytes) -> bytes:
    """The data as a raw deflate stream with a preset dictionary."""
    options = 9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_DEFAULT_STRATEGY
    deflating = zlib.compressobj(*options, dictionary) if dictionary else zlib.compressobj(*options)
    return deflating.compress(data) + deflating.flush()


class Compiled(NamedTuple):
    """What is carried compiled for one version of Python, and the code that loads it."""

    directory: str
    magic: int
    loader: bytes
    streams: Sequence[Stream]


class Contents(NamedTuple):
    """All that is in the file."""

    prelude: str
    loader: bytes
    modules: Sequence[Module]
    streams: Mapping[str, Sequence[Module]]
    """Which modules are compiled together."""
    preloaded: Mapping[str, Sequence[str]]
    """By the first word of a command line, or an empty one for all: what it imports anyway, in that order."""
    licences: Mapping[str, bytes]
    compiled: Sequence[Compiled]

    def file(self) -> bytes:
        """The file's bytes, the same for the same contents."""
        head = self._prelude("0" * IDENTITY_LENGTH, {}).encode()
        archive = Archive(head)
        for group in self._groups():
            archive.add(
                group, b"".join(HEADING % module.path.encode() + module.source for module in self._groups()[group])
            )
        for path, text in self.licences.items():
            archive.add(path, text)
        for version in self.compiled:
            for stream in version.streams:
                archive.add(stream.name, stream.text(), stored=stream.base is not None)
        archive.add("index", self._index(archive.places))
        identity = hashlib.sha256(archive.bytes() + self.loader).hexdigest()[:IDENTITY_LENGTH].encode()
        archive.add("start", identity + self._start(marshal.dumps(self.loader, 2), None, archive.places), stored=True)
        for version in self.compiled:
            start = identity + self._start(version.loader, version, archive.places)
            archive.add(f"{version.directory}/start", start, stored=True)
        return self._prelude(identity.decode(), archive.places).encode() + archive.bytes()[len(head) :]

    def _groups(self) -> dict[str, list[Module]]:
        """The entries of sources, and what is in each."""
        groups: dict[str, list[Module]] = {}
        for module in self.modules:
            groups.setdefault(f"sources/{module.room}.txt", []).append(module)
        return groups

    def _index(self, places: Mapping[str, Place]) -> bytes:
        """Marshalled: where the sources lie; module -> its stream's number, is it a package, where is its source."""
        numbers = {module: number for number, name in enumerate(self.streams) for module in self.streams[name]}
        found, groups = {}, self._groups()
        for number, group in enumerate(groups):
            end = 0
            for module in groups[group]:
                start = end + len(HEADING % module.path.encode())
                end = start + len(module.source)
                found[module.name] = (numbers[module], module.package, number, start, end)
        return marshal.dumps(([places[group] for group in groups], found), 2)

    def _start(self, loader: bytes, version: Compiled | None, places: Mapping[str, Place]) -> bytes:
        """Deflated and marshalled: the loader, and what its `Carried` is made of."""
        streams = version.streams if version else ()
        lies = {stream.number: _lies(stream, places) for stream in streams}
        stream_of = {name: stream.number for stream in streams for name in stream.codes}
        preloaded = {
            word: [(stream_of[name], name, name in self._packages) for name in names if name in stream_of]
            for word, names in self.preloaded.items()
        }
        tops = sorted({module.name.partition(".")[0] for module in self.modules})
        return deflated(_pair(loader, (places["index"], tops, lies, preloaded)), b"")

    @property
    def _packages(self) -> set[str]:
        return {module.name for module in self.modules if module.package}

    def _prelude(self, identity: str, places: Mapping[str, Place]) -> str:
        """The prelude with what it must know, and as long without it: it stands before all that has a place."""

        def told(path: str) -> str:
            at, size = places.get(path, (0, 0))
            return f"{at:{WIDTH}}, {size:{WIDTH}}"

        versions = ", ".join(f"{version.magic}: ({told(f'{version.directory}/start')})" for version in self.compiled)
        filled = self.prelude.replace("@COMPILED@", versions).replace("@SOURCE@", told("start"))
        return filled.replace("@IDENTITY@", identity)


class Archive:
    """A zip behind a head, and what lies where in it."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.file = io.BytesIO(head)
        self.zip = zipfile.ZipFile(self.file, "a")
        self.places: dict[str, Place] = {}

    def add(self, path: str, data: bytes, *, stored: bool = False) -> None:
        """Add an entry that is the same whenever it is added."""
        entry = zipfile.ZipInfo(path, EPOCH)
        entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        entry.create_system = 3
        entry.external_attr = 0o644 << 16
        self.zip.writestr(entry, data, compresslevel=9)
        self.places[path] = (entry.header_offset + LOCAL_HEADER + len(path), entry.compress_size)

    def bytes(self) -> bytes:
        """The file so far; complete once it is no more added to."""
        self.zip.close()
        whole = self.file.getvalue()
        self.zip = zipfile.ZipFile(self.file, "a")
        return whole


def _lies(stream: Stream, places: Mapping[str, Place]) -> tuple[Any, ...]:
    """Where a stream lies, and, if it has a base, where that does, and so on."""
    return (*places[stream.name], *([_lies(stream.base, places)] if stream.base else []))


def _pair(marshalled: bytes, other: tuple[Any, ...]) -> bytes:
    """A marshalled tuple of something that another interpreter has marshalled, and something else."""
    # Version 2 has no references back, which would count from the beginning of the whole.
    return b"(" + (2).to_bytes(4, "little") + marshalled + marshal.dumps(other, 2)
