"""How is HTTP/2 spoken strictly? httpcore's engine, with h2's checks switched on and its errors translated."""

from __future__ import annotations

import h2.config
from h2.exceptions import H2Error
from httpcore._exceptions import RemoteProtocolError
from httpcore._sync.http2 import HTTP2Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from httpcore._models import Request


class Http2Connection(HTTP2Connection):
    """One HTTP/2 connection; httpcore's own takes an answer without a status for a 200."""

    CONFIG = h2.config.H2Configuration(validate_inbound_headers=True)

    def _receive_response(self, request: Request, stream_id: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        try:
            return super()._receive_response(request, stream_id)
        except ValueError:
            raise RemoteProtocolError("the status is not a number") from None

    def _read_incoming_data(self, request: Request) -> list[Any]:
        try:
            return super()._read_incoming_data(request)
        except H2Error as error:
            raise RemoteProtocolError(str(error) or type(error).__name__) from None
