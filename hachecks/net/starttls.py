"""TLS asked for inside a protocol that begins without it, and that protocol left as it wants to be left.

Each function takes the stream as it was connected and leaves it where the TLS handshake begins; it raises `Failure`
when the server does not offer TLS.
"""

from __future__ import annotations

from hachecks.deadline import Deadline, TimedOut
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.net.transport import Stream

LONGEST_PACKET = 4096
TIME_TO_CLOSE = 0.1
"""Seconds for which a server that was told goodbye may leave the connection open."""
POSTGRES_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
LDAP_STARTTLS_OID = b"1.3.6.1.4.1.1466.20037"
LDAP_UNBIND = bytes.fromhex("30050201024200")
PROTOCOLS = ("ftp", "imap", "ldap", "lmtp", "mysql", "pop3", "postgres", "sieve", "smtp", "xmpp")


class Caller:
    """Who asks: the name for EHLO, if it was given, and the host that was asked for."""

    __slots__ = ("host", "name")

    def __init__(self, name: str | None = None, host: str = "") -> None:
        self.name = name
        self.host = host


class Conversation:
    """`with Conversation("smtp", stream, caller):` is where TLS may begin, and left politely whatever comes.

    A server may count, or log, who hangs up; MySQL blocks the whole node for it.
    """

    def __init__(self, protocol: str, stream: Stream, caller: Caller) -> None:
        self.protocol = protocol
        self.stream = stream
        self.caller = caller

    def __enter__(self) -> None:
        try:
            with self.stream.deadline.during("starttls"):
                request(self.protocol)(self.stream, self.caller)
        except Failure:
            if self.protocol != "mysql":
                self._leave()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, Failure):
            self._leave()

    def _leave(self) -> None:
        stream = self.stream
        before = stream.deadline
        try:
            stream.deadline = Deadline.after(min(TIME_TO_CLOSE, before.remaining()))
            self._say_goodbye()
        except (Failure, CannotLook, TimedOut):
            pass  # the verdict is found, and no goodbye changes it
        finally:
            stream.deadline = before

    def _say_goodbye(self) -> None:
        if self.protocol == "mysql":
            from hachecks.net import mysql_handshake

            mysql_handshake.leave(self.stream)
        elif self.protocol != "postgres":  # PostgreSQL takes whoever closes here for a check, and logs nothing
            self.stream.sendall(_goodbye(self.protocol))
            while self.stream.recv(LONGEST_PACKET):
                pass


def request(protocol: str) -> Callable[[Stream, Caller], None]:
    """How TLS is asked for in this protocol."""
    if protocol in ("ldap", "postgres"):
        return {"ldap": ldap, "postgres": postgres}[protocol]
    from hachecks.net import line_protocols, mysql_handshake

    found: Callable[[Stream, Caller], None] = getattr(
        mysql_handshake if protocol == "mysql" else line_protocols, protocol
    )
    return found


def _goodbye(protocol: str) -> bytes:
    if protocol == "ldap":
        return LDAP_UNBIND
    from hachecks.net.line_protocols import GOODBYES

    return GOODBYES[protocol]


def postgres(stream: Stream, _caller: Caller | None = None) -> None:
    """The PostgreSQL documentation, "SSL Session Encryption": SSLRequest is answered by one byte, S or N."""
    with stream.deadline.during("starttls"):
        stream.sendall(POSTGRES_SSL_REQUEST)
        answer = stream.recv(1)
    if answer == b"N":
        raise Failure(f"{stream.where} does not offer TLS", "tls")
    if answer != b"S":
        raise unexpected(stream, answer, "PostgreSQL's answer to SSLRequest")


def ldap(stream: Stream, _caller: Caller) -> None:
    """RFC 4511, section 4.14: an extended request, answered by an extended response with a result code."""
    name = b"\x80" + bytes([len(LDAP_STARTTLS_OID)]) + LDAP_STARTTLS_OID
    request = b"\x02\x01\x01" + b"\x77" + bytes([len(name)]) + name
    stream.sendall(b"\x30" + bytes([len(request)]) + request)
    body = _ber(stream)
    # messageID (3 bytes), extendedResp [APPLICATION 24], its length, then ENUMERATED resultCode
    at = body.find(b"\x0a\x01", 4)
    code = body[at + 2 : at + 3]
    if body[:3] != b"\x02\x01\x01" or body[3:4] != b"\x78" or at < 0 or not code:
        raise unexpected(stream, body, "an LDAP extended response")
    if code != b"\0":
        raise Failure(f"{stream.where} does not offer StartTLS: LDAP result {code[0]}", "tls")


def _ber(stream: Stream) -> bytes:
    """The content of one BER sequence."""
    tag, length = exactly(stream, 2)
    if length & 0x80:
        length = int.from_bytes(exactly(stream, length & 0x7F), "big")
    if tag != 0x30 or not 5 <= length <= LONGEST_PACKET:
        raise unexpected(stream, bytes([tag]), "an LDAP message")
    return exactly(stream, length)


def exactly(stream: Stream, size: int) -> bytes:
    """So many bytes; raises `Failure` when the server closes before."""
    data = b""
    while len(data) < size:
        more = stream.recv(size - len(data))
        if not more:
            raise Failure(f"{stream.where} closed the connection after {len(data)} of {size} bytes", "protocol")
        data += more
    return data


def unexpected(stream: Stream, got: bytes, wanted: str) -> Failure:
    """What came instead of what was wanted."""
    told = f"answered {got[:60].decode('ascii', 'replace')!r}" if got else "closed the connection"
    return Failure(f"{stream.where} {told} instead of {wanted}", "protocol")
