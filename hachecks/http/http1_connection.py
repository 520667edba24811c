"""One HTTP/1.1 request and its response by h11, the engine that httpcore has for it.

httpcore's own connection is left out: it serves many requests and threads, and reports to who traces them, which takes
a fourth of all that a check over HTTP does. What it tells in its own exceptions is told in the same here.
"""

from __future__ import annotations

import h11
from httpcore._exceptions import LocalProtocolError, RemoteProtocolError, WriteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Union

    from httpcore._backends.base import NetworkStream

    Fields = Sequence[tuple[bytes, bytes]]
    Words = tuple[str, Union[str, bytes], tuple[tuple[bytes, bytes], ...]]

MAX_HEAD_BYTES = 100 * 1024
"""Bytes of a header that h11 holds at most, as httpcore has it."""
SWITCHING_PROTOCOLS = 101


MOST_KEPT = 1024
"""Requests that are kept as they were made: the agent makes the same ones again and again."""
KEPT: dict[Words, h11.Request] = {}


def _made(*words: Any) -> h11.Request:
    """The request, looked through once by h11; raises `LocalProtocolError`."""
    if words not in KEPT:
        if len(KEPT) >= MOST_KEPT:
            KEPT.clear()
        method, target, fields = words
        try:
            KEPT[words] = h11.Request(method=method.encode(), target=target, headers=list(fields))
        except h11.LocalProtocolError as error:
            raise LocalProtocolError(error) from None
    return KEPT[words]


class Http1Connection:
    """A connection for one request."""

    def __init__(self, wire: NetworkStream) -> None:
        self.wire = wire
        self._engine = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)

    def ask(self, method: str, target: str | bytes, fields: Fields, body: bytes | None = None) -> None:
        """Send the request; raises `LocalProtocolError` where it is none.

        A server may close early and have answered: that it could not be sent is nothing yet.
        """
        request = _made(method, target, tuple(fields))
        try:
            self._send(request)
            if body:
                self._send(h11.Data(data=body))
            self._send(h11.EndOfMessage())
        except WriteError:
            pass

    def _send(self, event: Any) -> None:
        data = self._engine.send(event)
        if data:
            self.wire.write(data)

    def head(self) -> tuple[int, Fields]:
        """The status and the fields of the answer; raises `RemoteProtocolError`."""
        while True:
            event = self._receive()
            if type(event) is h11.Response or getattr(event, "status_code", 0) == SWITCHING_PROTOCOLS:
                return event.status_code, event.headers.raw_items()

    def body(self, limit: int) -> bytes:
        """The body, up to a portion beyond the limit; raises as `head` does."""
        portions: list[bytes] = []
        read = 0
        while read <= limit:
            event = self._receive()
            if type(event) is h11.Data:
                portions.append(bytes(event.data))
                read += len(event.data)
            elif event is h11.PAUSED or type(event) is h11.EndOfMessage:
                break
        return b"".join(portions)

    def _receive(self) -> Any:
        """The next thing that happens."""
        while True:
            try:
                event = self._engine.next_event()
            except h11.RemoteProtocolError as error:
                raise RemoteProtocolError(error) from None
            if event is not h11.NEED_DATA:
                return event
            data = self.wire.read(MAX_HEAD_BYTES)
            if not data and self._engine.their_state is h11.SEND_RESPONSE:
                raise RemoteProtocolError("Server disconnected without sending a response.")
            self._engine.receive_data(data)
