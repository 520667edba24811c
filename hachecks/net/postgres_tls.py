"""PostgreSQL's request for TLS, which is answered by one byte ("SSL Session Encryption" in its documentation)."""

from __future__ import annotations

from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.net.transport import Stream

SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


def request_tls(stream: Stream) -> None:
    """Ask for TLS, which then begins; raises `Failure` when the server offers none, and as `Stream` does."""
    with stream.deadline.during("starttls"):
        stream.sendall(SSL_REQUEST)
        answer = stream.recv(1)
    if answer == b"N":
        raise Failure(f"{stream.where} does not offer TLS", "tls")
    if answer != b"S":
        from hachecks.net.reasons import unexpected  # owed by what fails alone

        raise unexpected(stream.where, answer, "PostgreSQL's answer to SSLRequest")
