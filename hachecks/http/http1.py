"""HTTP/1.1 responses read as browsers and curl read them: what they pass over is put right before h11 sees it.

h11 is as strict as a server must be, behind which others could be deceived; behind a check is nobody. What leaves open
where the answer ends stays an error: two lengths, a coding that was not asked for, an end before the end.
"""

from __future__ import annotations

import re

from httpcore._backends.base import NetworkStream
from httpcore._exceptions import RemoteProtocolError

from hachecks.http.headers import is_token
from hachecks.http.reasons import quoted, speaks_otherwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hachecks.http.exchange import HttpcoreStream

STATUS = re.compile(rb"HTTP/\d(?:\.\d)? +([1-9]\d\d)(?!\d)[ \t]*(.*)", re.IGNORECASE | re.DOTALL)
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?", re.DOTALL)
MAX_HEAD_BYTES = 102400
PORTION = 16384
"""Bytes that are read at once; for the four times as many malloc asks the kernel, and gives them back, each time."""
CONTROLS = bytes(code if code > 31 or code in (0, 9) else 32 for code in range(256))
"""Control characters read as blanks, as RFC 9112 (2.2) has it for a bare CR; a NUL stays, and is refused."""


class Tolerant(NetworkStream):
    """An `HttpcoreStream` whose response arrives as h11 wants it."""

    def __init__(self, wire: HttpcoreStream) -> None:
        self.wire = wire
        self._held = b""
        self._at = 0
        self._pieces = self._put_right()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - as the engine wants it
        """The next piece, empty at the end."""
        return next(self._pieces, b"")

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        self.wire.write(buffer, timeout)

    def close(self) -> None:
        """Close the connection."""
        self.wire.close()

    def get_extra_info(self, info: str) -> Any:
        """Nothing."""
        return self.wire.get_extra_info(info)

    def _put_right(self) -> Iterator[bytes]:
        status = b"100"
        while status[:1] == b"1" and status != b"101":  # informational answers come before the one that counts
            line = self._status_line()
            if line is None:
                return
            match = STATUS.match(line)
            if match is None:
                raise RemoteProtocolError(f"its status line is {quoted(line) or 'not text'}")
            status, reason = match.groups()
            fields = _fields(self._lines())
        chunked = _unify_codings(fields)
        head = [b"HTTP/1.1 " + status + b" " + reason.translate(CONTROLS)]
        yield b"\r\n".join([*head, *(name + b": " + value for name, value in fields), b"", b""])
        if chunked:
            yield from self._chunks()
        while self._at < len(self._held) or self._fill():
            rest, self._at = self._held[self._at :], len(self._held)
            yield rest

    def _status_line(self) -> bytes | None:
        """The first line, or None at the end; raises as soon as it cannot become one."""
        while True:
            self._held, self._at = self._held[self._at :].lstrip(b"\r\n"), 0
            if not b"HTTP/".startswith(self._held[:5].upper()):
                raise RemoteProtocolError(speaks_otherwise(self._held, "HTTP"))
            if b"\n" in self._held:
                return self._line()
            if not self._fill():
                if self._held:
                    raise RemoteProtocolError("disconnected")
                return None

    def _lines(self) -> list[bytes]:
        """The lines up to the next empty one, each with those that continue it."""
        lines: list[bytes] = []
        size = 0
        while line := self._line():
            size += len(line)
            if size > MAX_HEAD_BYTES:
                raise RemoteProtocolError("its header is too long")
            if line[0] in b" \t" and lines:
                lines[-1] += line
            else:
                lines.append(line)
        if line is None:
            raise RemoteProtocolError("disconnected")
        return lines

    def _line(self) -> bytes | None:
        """What comes before the next line's end, or None where there is no more."""
        while (end := self._held.find(b"\n", self._at)) < 0:
            if len(self._held) - self._at > MAX_HEAD_BYTES:
                raise RemoteProtocolError("its header is too long")
            if not self._fill():
                return None
        line, self._at = self._held[self._at : end], end + 1
        return line[:-1] if line[-1:] == b"\r" else line

    def _fill(self) -> bool:
        """Whether more has come."""
        data = self.wire.read(PORTION)
        self._held, self._at = self._held[self._at :] + data, 0
        return bool(data)

    def _chunks(self) -> Iterator[bytes]:
        """The chunks without what nobody reads (extensions, blanks, trailers), as many at once as have come."""
        ready: list[bytes] = []
        for piece in self._pieces_of_chunks():
            if piece:
                ready.append(piece)
            elif ready:
                yield b"".join(ready)
                ready.clear()
        if ready:
            yield b"".join(ready)

    def _pieces_of_chunks(self) -> Iterator[bytes]:
        """The chunks piece by piece; an empty one says that the next has to be waited for."""
        while True:
            if self._held.find(b"\n", self._at) < 0:
                yield b""
            line = self._line()
            if line is None:
                return
            match = CHUNK.fullmatch(line)
            if match is None:
                raise RemoteProtocolError(f"where the size of a chunk is due, it said {quoted(line) or 'no text'}")
            left = int(match[1], 16)
            yield match[1] + b"\r\n"
            if not left:
                yield from self._after_chunks()
                return
            while left:
                if self._at == len(self._held):
                    yield b""
                    if not self._fill():
                        return
                piece = self._held[self._at : self._at + left]
                self._at += len(piece)
                left -= len(piece)
                yield piece
            end = self._line()
            if end is None:
                return
            if end:
                raise RemoteProtocolError("a chunk is longer than its size says")
            yield b"\r\n"

    def _after_chunks(self) -> Iterator[bytes]:
        while trailer := self._line():
            pass
        if trailer is not None:
            yield b"\r\n"


def _fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    """The header fields; a line that is none is passed over."""
    fields = []
    for line in lines:
        if b"\0" in line:
            raise RemoteProtocolError("there is a NUL in its header")
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t")
        if colon and is_token(name.decode("latin-1")):
            fields.append((name, value.translate(CONTROLS).strip(b" \t")))
    return fields


def _unify_codings(fields: list[tuple[bytes, bytes]]) -> bool:
    """Whether the body comes in chunks, with one field saying so, and no length beside it."""
    values = [value.lower() for name, value in fields if name.lower() == b"transfer-encoding"]
    codings = [word for word in map(bytes.strip, b",".join(values).split(b",")) if word not in (b"", b"identity")]
    foreign = [word for word in codings if word != b"chunked"]
    if foreign:
        raise RemoteProtocolError(f"its body is coded ({foreign[0].decode('latin-1')}), although nothing was asked for")
    if not values:
        return False
    unwanted = (b"transfer-encoding", b"content-length") if codings else (b"transfer-encoding",)
    fields[:] = [field for field in fields if field[0].lower() not in unwanted]
    if codings:
        fields.append((b"Transfer-Encoding", b"chunked"))
    return bool(codings)
