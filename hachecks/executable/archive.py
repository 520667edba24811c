"""How do the prelude, the modules and their index become one file?

After the prelude comes a zip: the sources, each an entry of its own; for each version of Python that modules are
compiled for a directory with the streams of compiled modules; and the entries `index` and `start`, in the zip's root
for the sources and in the directory for the compiled ones. An `index` says which module is where in which stream, and
where the streams lie; a `start` holds what the prelude reads: an identity, the loader, and where the index lies.

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
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hachecks.executable.modules import Module

Place = tuple[int, int]
"""Where something begins in the file, and how many bytes it takes."""

EPOCH = (1980, 1, 1, 0, 0, 0)
IDENTITY_LENGTH = 16
LOCAL_HEADER = 30
LONGEST_DICTIONARY = 32768
WIDTH = 7
"""Digits for a position in the file: positions stand in the prelude, which must not grow by them."""


class Stream:
    """Modules compiled for one version, in one entry of the zip."""

    def __init__(self, name: str, modules: Sequence[Module], codes: Sequence[bytes], base: Stream | None) -> None:
        self.name = name
        self.modules = modules
        self.codes = codes
        self.base = base

    def spans(self) -> list[tuple[int, int]]:
        """From where to where each module lies in the stream."""
        ends = list(accumulate(map(len, self.codes)))
        return list(zip([0, *ends], ends))

    def text(self) -> bytes:
        """What the entry holds: the code, or what the loader makes it of, given the base."""
        text = b"".join(self.codes)
        if self.base is None:
            return text
        base, known = b"".join(self.base.codes), dict(zip(self.base.modules, self.base.spans()))
        deltas = []
        for module, code, (before, _) in zip(self.modules, self.codes, self.spans()):
            start, end = known.get(module, (0, 0))
            deltas.append((start, end, deflated(code, (text[:before] + base[start:end])[-LONGEST_DICTIONARY:])))
        return marshal.dumps(deltas, 2)

    def size(self) -> int:
        """How many bytes the entry takes in the file."""
        archive = Archive(b"")
        archive.add(f"cpython-3.xx/{self.name}", self.text(), stored=self.base is not None)
        return len(archive.bytes())


def deflated(data: bytes, dictionary: bytes) -> bytes:
    """The data as a raw deflate stream with a preset dictionary."""
    deflating = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return deflating.compress(data) + deflating.flush()


class Compiled(NamedTuple):
    """What is carried compiled for one version of Python, and the code that loads it."""

    directory: str
    magic: int
    loader: bytes
    streams: Sequence[Stream]
    base: str
    """The directory in which the bases of its streams lie, if they have one."""


class Contents(NamedTuple):
    """All that is in the file."""

    prelude: str
    loader: bytes
    modules: Sequence[Module]
    licences: Mapping[str, bytes]
    compiled: Sequence[Compiled]

    def file(self) -> bytes:
        """The file's bytes, the same for the same contents."""
        head = self._prelude("0" * IDENTITY_LENGTH, {}).encode()
        archive = Archive(head)
        for path, text in [*((module.path, module.source) for module in self.modules), *self.licences.items()]:
            archive.add(path, text)
        for version in self.compiled:
            for stream in version.streams:
                archive.add(f"{version.directory}/{stream.name}", stream.text(), stored=stream.base is not None)
        archive.add("index", _index(self.modules, None, archive.places))
        for version in self.compiled:
            archive.add(f"{version.directory}/index", _index(self.modules, version, archive.places))
        identity = hashlib.sha256(archive.bytes() + self.loader).hexdigest()[:IDENTITY_LENGTH]
        for directory, loader in [
            ("", marshal.dumps(self.loader, 2)),
            *((f"{v.directory}/", v.loader) for v in self.compiled),
        ]:
            start = identity.encode() + _pair(loader, archive.places[f"{directory}index"])
            archive.add(f"{directory}start", start, stored=True)
        return self._prelude(identity, archive.places).encode() + archive.bytes()[len(head) :]

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


def _pair(marshalled: bytes, other: Place) -> bytes:
    """A marshalled tuple of something that another interpreter has marshalled, and something else."""
    # Version 2 has no references back, which would count from the beginning of the whole.
    return b"(" + (2).to_bytes(4, "little") + marshalled + marshal.dumps(other, 2)


def _index(modules: Sequence[Module], version: Compiled | None, places: Mapping[str, Place]) -> bytes:
    """Marshalled: stream -> where it and its base lie; module -> (stream, from, to, package?).

    A source is a stream of its own, named by its path.
    """
    lies: dict[str, tuple[int, int, int, int]] = {}
    found: dict[str, tuple[str, int, int, bool]] = {}
    for stream in version.streams if version else ():
        base = places[f"{version.base}/{stream.name}"] if version and stream.base else (0, 0)
        lies[stream.name] = (*places[f"{version.directory}/{stream.name}"], *base) if version else (0, 0, 0, 0)
        for module, span in zip(stream.modules, stream.spans()):
            found[module.name] = (stream.name, *span, module.package)
    for module in modules:
        if module.name not in found:
            lies[module.path] = (*places[module.path], 0, 0)
            found[module.name] = (module.path, 0, len(module.source), module.package)
    return marshal.dumps((lies, found), 2)
