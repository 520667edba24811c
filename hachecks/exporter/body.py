"""How is a scrape answered without rendering and compressing again what has not changed?

The answer is made of parts. Each keeps its text and its compressed form until its version changes: raw deflate streams
that end at a byte (zlib's full flush) can be joined (RFC 1951, 3.2.4), only the checksum is of the whole.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
END_OF_DEFLATE = b"\x03\x00"
"""An empty last block."""
LEVEL = 3
"""Level 6 takes three times as long for an eighth less."""


class CachedSection:
    """Text that is made again when its version has changed."""

    def __init__(self, version: Callable[[], object], make: Callable[[str], str]) -> None:
        self._version = version
        self._make = make
        self._made: dict[str, tuple[object, bytes, bytes]] = {}

    def text(self, form: str) -> bytes:
        """The text."""
        return self._fresh(form, compressed=False)[1]

    def deflated(self, form: str) -> tuple[bytes, bytes]:
        """The text, and its compressed form without an end."""
        _, text, compressed = self._fresh(form, compressed=True)
        return text, compressed

    def _fresh(self, form: str, compressed: bool) -> tuple[object, bytes, bytes]:
        version = self._version()
        made = self._made.get(form)
        if made is None or version is None or made[0] != version:
            made = (version, self._make(form).encode(), b"")
        if compressed and not made[2]:
            made = (*made[:2], _deflated(made[1]))
        self._made[form] = made
        return made


def _deflated(text: bytes) -> bytes:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(text) + compressor.flush(zlib.Z_FULL_FLUSH)


def joined(parts: Sequence[CachedSection], form: str, end: bytes = b"") -> bytes:
    """The whole text."""
    return b"".join([*(part.text(form) for part in parts), end])


def gzipped(parts: Sequence[CachedSection], form: str, end: bytes = b"") -> bytes:
    """The whole text as one gzip member (RFC 1952)."""
    pieces, checksum, length = [GZIP_HEADER], 0, 0
    for text, deflated in (*(part.deflated(form) for part in parts), (end, _deflated(end))):
        pieces.append(deflated)
        checksum = zlib.crc32(text, checksum)
        length += len(text)
    return b"".join([*pieces, END_OF_DEFLATE, struct.pack("<II", checksum, length & 0xFFFFFFFF)])
