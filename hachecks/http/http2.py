"""HTTP/2 by httpcore's engine, with GOAWAY and refusals read as RFC 9113 means them.

h2 closes its books at any GOAWAY, and would refuse the answer that comes behind it. But a server that is about to
close (nginx at its last `keepalive_requests`) says GOAWAY first, and then answers what it has accepted.
"""

from __future__ import annotations

import h2.config
from h2.errors import ErrorCodes
from h2.events import ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import FrameTooLargeError, H2Error
from httpcore._exceptions import RemoteProtocolError, WriteError
from httpcore._models import URL, Request
from httpcore._sync.http2 import HTTP2Connection

from hachecks.deadline import TimedOut
from hachecks.http.reasons import NotProcessed, speaks_otherwise
from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hachecks.http import request as ours
    from hachecks.http.exchange import Answer, HttpcoreStream

FRAME_HEADER_BYTES = 9
MAX_FRAME_BYTES = 16384
SETTINGS, GOAWAY = 4, 7
OF_THE_CONNECTION = bytes(4)
"""The number of no stream, which SETTINGS and GOAWAY have."""
OUR_STREAM = 1
"""The number of the only request that a connection is used for."""


def answer(asked: ours.Request, fields: Sequence[tuple[bytes, bytes]], wire: HttpcoreStream) -> Answer:
    """Ask, and read the answer; raises httpcore's exceptions and `NotProcessed`."""
    url = asked.url
    goal = URL(scheme=url.scheme, host=url.host, port=url.port, target=url.request_target)
    connection = Http2Connection(goal.origin, wire)
    response = connection.handle_request(Request(asked.method, goal, headers=fields, content=asked.body))
    body = b""
    for portion in response.iter_stream():
        body += portion
        if len(body) > asked.body_limit:
            break
    connection.leave()
    return response.status, response.headers, body


class _Answered(Exception):  # noqa: N818 - the name says what happened
    """The server has answered, or refused, before all of the request was sent."""


class Http2Connection(HTTP2Connection):
    """One HTTP/2 connection for one request."""

    CONFIG = h2.config.H2Configuration(validate_inbound_headers=False)  # as lenient as curl with blanks around values

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._unread = b""
        self._has_settings = False
        self._farewell: Exception | None = None

    def leave(self) -> None:
        """Say GOAWAY, so that the server need not find out."""
        try:
            self._h2_state.close_connection()
            self._network_stream.write(self._h2_state.data_to_send())
        except (H2Error, WriteError, Failure, TimedOut):
            return

    def _receive_response(self, request: Request, stream_id: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        event: Any = None
        while not isinstance(event, ResponseReceived):
            event = self._receive_stream_event(request, stream_id)
        status = b"".join(value for name, value in event.headers if name == b":status")
        if not (len(status) == 3 and status.isdigit()):
            raise RemoteProtocolError("its status is not a number" if status else "it has no status")
        fields = ((name, value.strip(b" \t")) for name, value in event.headers)
        return int(status), [(name, value) for name, value in fields if not name.startswith(b":")]

    def _receive_stream_event(self, request: Request, stream_id: int) -> Any:
        while not self._events.get(stream_id):
            self._receive_events(request, stream_id)
        event = self._events[stream_id].pop(0)
        if not isinstance(event, StreamReset):
            return event
        if event.error_code == ErrorCodes.REFUSED_STREAM:
            raise NotProcessed
        raise RemoteProtocolError(f"it reset the stream ({named(event.error_code)})")

    def _send_request_body(self, request: Request, stream_id: int) -> None:
        try:
            super()._send_request_body(request, stream_id)
        except (_Answered, H2Error):  # the stream is closed: what has come says why
            return

    def _receive_events(self, request: Request, stream_id: int | None = None) -> None:
        super()._receive_events(request, stream_id)
        if stream_id is None and any(
            isinstance(event, (StreamEnded, StreamReset)) for event in self._events[OUR_STREAM]
        ):
            raise _Answered

    def _write_outgoing_data(self, request: Request) -> None:
        try:
            super()._write_outgoing_data(request)
        except WriteError:  # a server that has closed may have said why, or answered already
            return

    def _read_incoming_data(self, request: Request) -> list[Any]:  # noqa: ARG002 - as the engine wants it
        if self._farewell is not None:
            raise self._farewell
        data = self._network_stream.read(self.READ_NUM_BYTES)
        if not data:
            raise RemoteProtocolError("disconnected")
        try:
            return [event for frame in self._frames(data) for event in self._h2_state.receive_data(frame)]
        except H2Error as error:
            raise RemoteProtocolError(in_words(error)) from None

    def _frames(self, data: bytes) -> list[bytes]:
        """The whole frames that have come, up to a GOAWAY that ends the connection, and without any other."""
        data = self._unread + data
        if not self._has_settings and len(data) >= FRAME_HEADER_BYTES:
            if data[3] != SETTINGS or data[5:9] != OF_THE_CONNECTION:  # any 256th byte is 4, in any protocol
                raise RemoteProtocolError(speaks_otherwise(data, "HTTP/2"))
            self._has_settings = True
        frames = []
        at = 0
        while self._farewell is None and len(data) >= at + FRAME_HEADER_BYTES:
            end = at + FRAME_HEADER_BYTES + int.from_bytes(data[at : at + 3], "big")
            if end - at > FRAME_HEADER_BYTES + MAX_FRAME_BYTES:
                raise RemoteProtocolError(in_words(FrameTooLargeError()))
            if len(data) < end:
                break
            if data[at + 3] == GOAWAY:
                self._farewell = farewell(data[at + FRAME_HEADER_BYTES : end])
            else:
                frames.append(data[at:end])
            at = end
        self._unread = data[at:]
        return frames


def farewell(payload: bytes) -> Exception | None:
    """What a GOAWAY means for our request; None where it will still be answered."""
    if len(payload) < 8:
        return RemoteProtocolError("it sent half a GOAWAY")
    last, code = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF, int.from_bytes(payload[4:8], "big")
    if code != ErrorCodes.NO_ERROR:
        return RemoteProtocolError(f"it said GOAWAY ({named(code)})")
    return NotProcessed() if last < OUR_STREAM else None


def in_words(error: H2Error) -> str:
    """What h2 found wrong, in the words of the RFC."""
    if type(error).__name__ == "InvalidBodyLengthError":
        return f"its body has {error.actual_length} bytes, although {error.expected_length} were announced"  # type: ignore[attr-defined]
    return f"it broke the rules of HTTP/2 ({named(getattr(error, 'error_code', ErrorCodes.PROTOCOL_ERROR))})"


def named(code: int) -> str:
    """The name of an error code."""
    try:
        return ErrorCodes(code).name
    except ValueError:
        return f"error {code}"
