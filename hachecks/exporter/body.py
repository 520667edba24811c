"""The body of a scrape: sections of which only the pieces are compressed again that have changed.

Each section keeps its pieces and their compressed form until it has news: raw deflate streams that end at a byte
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
    """Text that is made again when what it is made of is not what it was; always, where `made_of` is None.

    What makes it gives a text, or pieces of one: those that are as they were are not compressed again.
    """

    def __init__(
        self, made_of: Callable[[View], object] | None, make: Callable[[View, str], str | Sequence[bytes]]
    ) -> None:
        self._made_of = made_of
        self._make = make
        self._made: dict[str, tuple[object, list[Piece]]] = {}

    def pieces(self, view: View, format: str) -> list[Piece]:
        """The text, in pieces."""
        made_of, made = self._made_of and self._made_of(view), self._made.get(format)
        if made and made_of is not None and made[0] == made_of:
            return made[1]
        found = self._make(view, format)
        texts = (found.encode(),) if isinstance(found, str) else found
        old = made[1] if made else []
        pieces = [
            old[number] if number < len(old) and old[number].text == text else Piece(text)
            for number, text in enumerate(texts)
        ]
        self._made[format] = made_of, pieces
        return pieces


class Piece:
    """A piece of text, and its compressed form when that has been asked for."""

    __slots__ = ("_deflated", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._deflated: bytes | None = None

    def deflated(self) -> bytes:
        """The compressed form without an end."""
        if self._deflated is None:
            compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            self._deflated = compressor.compress(self.text) + compressor.flush(zlib.Z_FULL_FLUSH)
        return self._deflated


def joined(sections: Sequence[CachedSection], view: View, format: str, end: bytes = b"") -> bytes:
    """The whole text."""
    return b"".join([*(piece.text for section in sections for piece in section.pieces(view, format)), end])


def gzipped(sections: Sequence[CachedSection], view: View, format: str, end: bytes = b"") -> bytes:
    """The whole text as one gzip member (RFC 1952)."""
    answer, checksum, length = [GZIP_HEADER], 0, 0
    for piece in (*(piece for section in sections for piece in section.pieces(view, format)), Piece(end)):
        answer.append(piece.deflated())
        checksum = zlib.crc32(piece.text, checksum)
        length += len(piece.text)
    return b"".join([*answer, END_OF_DEFLATE, struct.pack("<II", checksum, length & 0xFFFFFFFF)])
