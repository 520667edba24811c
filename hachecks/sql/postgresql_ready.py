"""Readiness of PostgreSQL, asked for as pg_isready does: no password, no driver."""

from __future__ import annotations

from hachecks.verdict import Failure, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.deadline import Deadline
    from hachecks.net.transport import Stream
    from hachecks.sql.options import SqlOptions

PROTOCOL_3_0 = (196608).to_bytes(4, "big")
AUTHENTICATION, ERROR, READY = b"R", b"E", b"Z"
OF_A_LOGIN = b"SKNv"
"""ParameterStatus, BackendKeyData, NoticeResponse, NegotiateProtocolVersion."""
LET_IN = bytes(4)
TERMINATE = b"X\0\0\0\4"
MAX_MESSAGES = 100
MAX_MESSAGE_BYTES = 30_000
"""libpq's own limit for a message before the login; what seems longer after an E is a message of protocol 2."""
SERVING = ("28", "3D", "42501", "0A")
"""SQLSTATEs of a server that has looked us up: invalid authorization, no such database, no privilege, not supported.

Any other may come from one that serves nobody: 08 from a pooler that has lost its server (and for whatever else
pgbouncer refuses), 53, 57P0x, 58, XX, and what proxies make up.
"""


def answers(options: SqlOptions, deadline: Deadline) -> Iterator[Verdict]:
    """PASS when the server asks who we are, lets us in, or refuses as one does that knows its users and databases."""
    with options.connect(options.url.target, deadline) as stream:
        yield from options.secure_postgresql(stream)
        with deadline.during("login"):
            yield _answer(stream, options.url.user or "hacheck", options.url.database)


def _answer(stream: Stream, user: str, database: str) -> Verdict:
    parameters = {"user": user, "database": database or user, "application_name": "hacheck"}
    body = b"".join(part.encode() + b"\0" for pair in parameters.items() for part in pair) + b"\0"
    stream.sendall((len(body) + 8).to_bytes(4, "big") + PROTOCOL_3_0 + body)
    for _ in range(MAX_MESSAGES):
        kind, content = _message(stream)
        if kind == ERROR:
            return _judged(content)
        if kind == READY:
            stream.sendall(TERMINATE)
        if kind == READY or (kind == AUTHENTICATION and content[:4] != LET_IN):
            return Verdict.passing("accepts connections")
    raise Failure(f"{stream.where} does not speak PostgreSQL: its login has no end", "protocol")


def _message(stream: Stream) -> tuple[bytes, bytes]:
    """The kind and the content of a message, which is one of a login's; raises `Failure`."""
    header = stream.read_exactly(5)
    kind, length = header[:1], int.from_bytes(header[1:], "big") - 4
    if kind == ERROR and not 4 <= length <= MAX_MESSAGE_BYTES:  # as a server says that it cannot fork
        return ERROR, b"M" + header[1:] + stream.recv(MAX_MESSAGE_BYTES)
    if kind not in (AUTHENTICATION, ERROR, READY) and kind not in OF_A_LOGIN:
        raise Failure(f"{stream.where} does not speak PostgreSQL: it answers {_shown(header)}", "protocol")
    if not 0 <= length <= MAX_MESSAGE_BYTES:
        raise Failure(f"{stream.where} does not speak PostgreSQL: it announces {length} bytes", "protocol")
    return kind, stream.read_exactly(length)


def _judged(error: bytes) -> Verdict:
    """What a refusal says of the server."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in error.split(b"\0") if part}
    told, state = fields.get(b"M", "an error without a message"), fields.get(b"C", "")
    if state.startswith(SERVING):
        return Verdict.passing(f"answers ({told})")
    return Verdict.failing(f"does not serve: {told}{f' ({state})' if state else ''}", "status")


def _shown(data: bytes) -> str:
    """Bytes as a person reads them."""
    text = data.decode("ascii", "replace")
    return repr(text) if text.isprintable() else f"the bytes {data.hex(' ')}"
