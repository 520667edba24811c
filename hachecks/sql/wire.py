"""The socket that SQL drivers read and write: a stream in the shape of a socket and its file, with a ration.

A driver believes the length a server announces: eight bytes of garbage make pg8000 ask for a gigabyte.
"""

from __future__ import annotations

import struct

from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.net.transport import Stream

NONSENSE_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError,
    struct.error,
)  # fmt: skip
"""What a driver raises at bytes that mean nothing to it."""
MAX_BYTES = 2**20
"""Bytes read in one session, so that the check stays small whatever the server sends."""
MAX_READS = 10_000
"""Reads in one session; a driver takes two for each message."""
MAX_ROWS = 1000
READ_BYTES = 16384


class SocketAdapter:
    """What pg8000 and PyMySQL take for a socket and for its file, over a `Stream`."""

    def __init__(self, stream: Stream, protocol: str) -> None:
        self.stream = stream
        self.protocol = protocol
        self.unread = bytearray()
        self.unsent = bytearray()
        self.bytes_left = MAX_BYTES
        self.reads_left = MAX_READS

    @property
    def where(self) -> str:
        """The server, as a reason names it."""
        return self.stream.where

    def read(self, size: int) -> bytes:
        """Exactly so many bytes; raises `Failure` at the end of the stream, or of the ration."""
        if not 0 <= size <= MAX_BYTES:
            told = f"announces a message of {size} bytes, which a check does not read"
            raise Failure(f"{self.where} {told}; does it speak {self.protocol}?", "protocol")
        self.bytes_left -= size
        self.reads_left -= 1
        if self.bytes_left < 0 or self.reads_left < 0:
            told = f"sent more than the {MAX_ROWS} rows or {MAX_BYTES} bytes that a check reads"
            raise Failure(f"{self.where} {told}", "body")
        while len(self.unread) < size:
            more = self.stream.recv(READ_BYTES)
            if not more:
                raise Failure(f"{self.where} closed the connection", "protocol")
            self.unread += more
        data = bytes(self.unread[:size])
        del self.unread[:size]
        return data

    def write(self, data: bytes) -> None:
        """Keep it for `flush`."""
        self.unsent += data

    def flush(self) -> None:
        """Send what was written."""
        data, self.unsent = bytes(self.unsent), bytearray()
        self.stream.sendall(data)

    def sendall(self, data: bytes) -> None:
        """Send it now."""
        self.stream.sendall(data)

    def makefile(self, *_: object, **__: object) -> SocketAdapter:
        """Itself, since it reads and writes like a file."""
        return self

    def settimeout(self, _seconds: float | None) -> None:
        """Nothing: the stream has a deadline."""

    def close(self) -> None:
        """Nothing: the session closes the stream, when the farewell has been said."""

    @property
    def secure(self) -> bool:
        """Whether it is in TLS."""
        return hasattr(self.stream.sock, "getpeercert")

    def start_tls(self, begin: Callable[[Stream], None]) -> None:
        """Continue in TLS, which `begin` begins.

        Raises `Failure` when something has come before it, which could be somebody else's (as CVE-2021-23222).
        """
        if self.unread:
            raise Failure(f"{self.where} sent more than was asked for before TLS began", "tls")
        begin(self.stream)


def as_asked(rows: list[list[str | None]], columns: int, wire: SocketAdapter) -> list[list[str | None]]:
    """The rows, if each has as many columns as were asked for (0: any); raises `Failure`."""
    if columns and any(len(row) != columns for row in rows):
        raise Failure(f"{wire.where} answers something else than was asked", "protocol")
    return rows
