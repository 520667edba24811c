"""Does a PostgreSQL server answer? As pg_isready asks: no login, no driver."""

from __future__ import annotations

from hachecks.starttls import exactly
from hachecks.verdict import Failure, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.deadline import Deadline
    from hachecks.probes.sql import SqlProbe
    from hachecks.transport import Stream

PROTOCOL_3_0 = (196608).to_bytes(4, "big")
AUTHENTICATION, ERROR = b"R", b"E"
LONGEST_MESSAGE = 30_000
"""libpq's own limit for a message before the login."""
NOT_SERVING = ("53", "57", "58", "XX")
"""Classes of SQLSTATE: no resources left, operator intervention (57P03: starting up), system and internal errors."""


def answers(asked: SqlProbe, deadline: Deadline) -> Iterator[Verdict]:
    """PASS when the server asks who we are, or refuses for any reason that a server which serves may have."""
    with asked.connect(asked.url.target, deadline) as stream:
        yield from asked.secure_postgresql(stream)
        with deadline.during("login"):
            yield _answer(stream, asked.url.user or "hacheck", asked.url.database)


def _answer(stream: Stream, user: str, database: str) -> Verdict:
    parameters = {"user": user, "database": database or user, "application_name": "hacheck"}
    body = b"".join(part.encode() + b"\0" for pair in parameters.items() for part in pair) + b"\0"
    stream.sendall((len(body) + 8).to_bytes(4, "big") + PROTOCOL_3_0 + body)
    header = exactly(stream, 5)
    kind, length = header[:1], int.from_bytes(header[1:], "big") - 4
    if kind not in (AUTHENTICATION, ERROR) or not 4 <= length <= LONGEST_MESSAGE:
        raise Failure(f"{stream.where} does not speak PostgreSQL: it answers {header!r}", "protocol")
    if kind == AUTHENTICATION:
        return Verdict.passing("accepts connections")
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in exactly(stream, length).split(b"\0") if part}
    told, state = fields.get(b"M", ""), fields.get(b"C", "")
    if state.startswith(NOT_SERVING):
        return Verdict.failing(f"does not serve: {told} ({state})", "status")
    return Verdict.passing(f"answers ({told})")
