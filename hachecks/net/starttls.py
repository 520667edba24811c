"""TLS asked for inside a protocol that begins without it, and that protocol left as it wants to be left.

A request leaves the stream where the TLS handshake begins, and raises `Failure` when the server does not offer TLS.
"""

from __future__ import annotations

from hachecks.deadline import Deadline, TimedOut
from hachecks.net.reasons import unexpected
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.net.line_protocols import Caller
    from hachecks.net.transport import Stream

MAX_PACKET_BYTES = 4096
CLOSE_WAIT_SECONDS = 0.1
"""Seconds for which a server that was told goodbye may leave the connection open."""
LDAP_STARTTLS_OID = b"1.3.6.1.4.1.1466.20037"
LDAP_UNBIND = bytes.fromhex("30050201024200")
PROTOCOLS = ("ftp", "imap", "ldap", "lmtp", "mysql", "pop3", "postgres", "sieve", "smtp", "xmpp")


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
                request_tls(self.protocol, self.stream, self.caller)
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
            if self.protocol != "mysql":  # which counts who does not wait for its answer, however busy it is
                stream.deadline = Deadline.after(min(CLOSE_WAIT_SECONDS, before.remaining()))
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
            while self.stream.recv(MAX_PACKET_BYTES):
                pass


def request_tls(protocol: str, stream: Stream, caller: Caller) -> None:
    """Ask for TLS in this protocol; raises `Failure`, `CannotLook` or `TimedOut`."""
    if protocol == "ldap":
        _request_of_ldap(stream)
    elif protocol == "mysql":
        from hachecks.net import mysql_handshake

        mysql_handshake.request_tls(stream)
    elif protocol == "postgres":
        from hachecks.net import postgres_tls

        postgres_tls.request_tls(stream)
    else:
        from hachecks.net import line_protocols

        getattr(line_protocols, protocol)(stream, caller)


def _goodbye(protocol: str) -> bytes:
    if protocol == "ldap":
        return LDAP_UNBIND
    from hachecks.net.line_protocols import GOODBYES

    return GOODBYES[protocol]


def _request_of_ldap(stream: Stream) -> None:
    """RFC 4511, section 4.14: an extended request, answered by an extended response with a result code."""
    name = b"\x80" + bytes([len(LDAP_STARTTLS_OID)]) + LDAP_STARTTLS_OID
    request = b"\x02\x01\x01" + b"\x77" + bytes([len(name)]) + name
    stream.sendall(b"\x30" + bytes([len(request)]) + request)
    body = _ber(stream)
    # messageID (3 bytes), extendedResp [APPLICATION 24], its length, then ENUMERATED resultCode
    at = body.find(b"\x0a\x01", 4)
    code = body[at + 2 : at + 3]
    if body[:3] != b"\x02\x01\x01" or body[3:4] != b"\x78" or at < 0 or not code:
        raise unexpected(stream.where, body, "an LDAP extended response")
    if code != b"\0":
        raise Failure(f"{stream.where} does not offer StartTLS: LDAP result {code[0]}", "tls")


def _ber(stream: Stream) -> bytes:
    """The content of one BER sequence."""
    tag, length = stream.read_exactly(2)
    if length & 0x80:
        length = int.from_bytes(stream.read_exactly(length & 0x7F), "big")
    if tag != 0x30 or not 5 <= length <= MAX_PACKET_BYTES:
        raise unexpected(stream.where, bytes([tag]), "an LDAP message")
    return stream.read_exactly(length)
