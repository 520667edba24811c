"""The body of a scrape: sections of which only those are rendered and compressed again that have changed.

Each section keeps its text and its compressed form until its version changes: raw deflate streams that end at a byte
(zlib's full flush) can be joined (RFC 1951, 3.2.4), only the checksum is of the whole.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hachecks.exporter.view import View

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
END_OF_DEFLATE = b"\x03\x00"
"""An empty last block."""
LEVEL = 3
"""Of deflate: level 6 takes three times as long for an eighth less."""


class CachedSection:
    """Text that is made again when what it is made of is not what it was; always, where `made_of` is None."""

    def __init__(self, made_of: Callable[[View], object] | None, make: Callable[[View, str], str]) -> None:
        self._made_of = made_of
        self._make = make
        self._made: dict[str, _Made] = {}

    def text(self, view: View, format: str) -> bytes:
        """The text."""
        return self._fresh(view, format).text

    def deflated(self, view: View, format: str) -> tuple[bytes, bytes]:
        """The text, and its compressed form without an end."""
        made = self._fresh(view, format)
        if made.deflated is None:
            made.deflated = _deflated(made.text)
        return made.text, made.deflated

    def _fresh(self, view: View, format: str) -> _Made:
        made_of, made = self._made_of and self._made_of(view), self._made.get(format)
        if made and made_of is not None and made.made_of == made_of:
            return made
        text = self._make(view, format).encode()
        if made and made.text == text:
            made.made_of = made_of
            return made
        fresh = self._made[format] = _Made(made_of, text)
        return fresh


class _Made:
    """A text, what it was made of, and its compressed form when that has been asked for."""

    __slots__ = ("deflated", "made_of", "text")

    def __init__(self, made_of: object, text: bytes) -> None:
        self.made_of = made_of
        self.text = text
        self.deflated: bytes | None = None


def _deflated(text: bytes) -> bytes:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(text) + compressor.flush(zlib.Z_FULL_FLUSH)


def joined(sections: Sequence[CachedSection], view: View, format: str, end: bytes = b"") -> bytes:
    """The whole text."""
    return b"".join([*(section.text(view, format) for section in sections), end])


def gzipped(sections: Sequence[CachedSection], view: View, format: str, end: bytes = b"") -> bytes:
    """The whole text as one gzip member (RFC 1952)."""
    pieces, checksum, length = [GZIP_HEADER], 0, 0
    for text, deflated in (*(section.deflated(view, format) for section in sections), (end, _deflated(end))):
        pieces.append(deflated)
        checksum = zlib.crc32(text, checksum)
        length += len(text)
    return b"".join([*pieces, END_OF_DEFLATE, struct.pack("<II", checksum, length & 0xFFFFFFFF)])
