"""How is TLS asked for inside a protocol that begins without it?

Each function takes the stream as it was connected and leaves it where the TLS handshake begins; it raises `Failure`
when the server does not offer TLS.
"""

from __future__ import annotations

from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hachecks.transport import Stream

LONGEST_LINE = 4096
LONGEST_PACKET = 4096
POSTGRES_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
MYSQL_PROTOCOL_41, MYSQL_SSL, MYSQL_SECURE_CONNECTION = 0x200, 0x800, 0x8000
LDAP_STARTTLS_OID = b"1.3.6.1.4.1.1466.20037"


def timed(ask: Callable[[Stream], None]) -> Callable[[Stream], None]:
    """Make it the phase `starttls`."""

    def ask_in_time(stream: Stream) -> None:
        with stream.deadline.during("starttls"):
            ask(stream)

    return ask_in_time


@timed
def smtp(stream: Stream) -> None:
    """RFC 3207."""
    _smtp_reply(stream, b"220")
    stream.sendall(b"EHLO hacheck.invalid\r\n")
    offered = [line[4:].strip().upper() for line in _smtp_reply(stream, b"250")]
    if b"STARTTLS" not in offered:
        raise Failure(f"{stream.where} does not offer STARTTLS", "tls")
    stream.sendall(b"STARTTLS\r\n")
    _smtp_reply(stream, b"220")


def _smtp_reply(stream: Stream, code: bytes) -> list[bytes]:
    lines = [_line(stream)]
    while lines[-1][3:4] == b"-":
        lines.append(_line(stream))
        if len(lines) > 100:
            raise Failure(f"{stream.where} never ends its SMTP reply", "protocol")
    if lines[-1][:3] != code:
        raise _unexpected(stream, lines[-1], f"an SMTP reply {code.decode()}")
    return lines


@timed
def imap(stream: Stream) -> None:
    """RFC 3501, section 6.2.1."""
    greeting = _line(stream)
    if not greeting.startswith(b"* OK"):
        raise _unexpected(stream, greeting, "an IMAP greeting")
    stream.sendall(b"h1 STARTTLS\r\n")
    for _ in range(100):
        line = _line(stream)
        if line.startswith(b"h1 OK"):
            return
        if line.startswith(b"h1 "):
            raise Failure(f"{stream.where} does not offer STARTTLS", "tls")
    raise Failure(f"{stream.where} never answers STARTTLS", "protocol")


@timed
def postgres(stream: Stream) -> None:
    """The PostgreSQL documentation, "SSL Session Encryption": SSLRequest is answered by one byte, S or N."""
    stream.sendall(POSTGRES_SSL_REQUEST)
    answer = stream.recv(1)
    if answer == b"N":
        raise Failure(f"{stream.where} does not offer TLS", "tls")
    if answer != b"S":
        raise _unexpected(stream, answer, "PostgreSQL's answer to SSLRequest")


@timed
def mysql(stream: Stream) -> None:
    """The MySQL protocol, version 10: the server greets, the client answers with an SSLRequest packet."""
    header = exactly(stream, 4)
    length = int.from_bytes(header[:3], "little")
    if not 1 <= length <= LONGEST_PACKET:
        raise _unexpected(stream, header, "a MySQL greeting")
    greeting = exactly(stream, length)
    if greeting[0] != 10:
        raise _unexpected(stream, greeting, "a MySQL greeting")
    # version 10, the server's version up to a NUL, 4 bytes thread id, 8 bytes salt, 1 byte filler, capabilities
    end_of_version = greeting.find(b"\0")
    capabilities = int.from_bytes(greeting[end_of_version + 14 : end_of_version + 16], "little")
    if end_of_version < 0 or not capabilities & MYSQL_SSL:
        raise Failure(f"{stream.where} does not offer TLS", "tls")
    flags = MYSQL_PROTOCOL_41 | MYSQL_SSL | MYSQL_SECURE_CONNECTION
    request = flags.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x21" + bytes(23)
    stream.sendall(len(request).to_bytes(3, "little") + b"\x01" + request)


@timed
def ldap(stream: Stream) -> None:
    """RFC 4511, section 4.14: an extended request, answered by an extended response with a result code."""
    name = b"\x80" + bytes([len(LDAP_STARTTLS_OID)]) + LDAP_STARTTLS_OID
    request = b"\x02\x01\x01" + b"\x77" + bytes([len(name)]) + name
    stream.sendall(b"\x30" + bytes([len(request)]) + request)
    body = _ber(stream)
    # messageID (3 bytes), extendedResp [APPLICATION 24], its length, then ENUMERATED resultCode
    at = body.find(b"\x0a\x01", 4)
    code = body[at + 2 : at + 3]
    if body[:3] != b"\x02\x01\x01" or body[3:4] != b"\x78" or at < 0 or not code:
        raise _unexpected(stream, body, "an LDAP extended response")
    if code != b"\0":
        raise Failure(f"{stream.where} does not offer StartTLS: LDAP result {code[0]}", "tls")


def _ber(stream: Stream) -> bytes:
    """The content of one BER sequence."""
    tag, length = exactly(stream, 2)
    if length & 0x80:
        length = int.from_bytes(exactly(stream, length & 0x7F), "big")
    if tag != 0x30 or not 5 <= length <= LONGEST_PACKET:
        raise _unexpected(stream, bytes([tag]), "an LDAP message")
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


def _line(stream: Stream) -> bytes:
    """One line without its end, read byte by byte, since what follows it may belong to TLS."""
    line = b""
    while not line.endswith(b"\n"):
        byte = stream.recv(1)
        if not byte or len(line) > LONGEST_LINE:
            raise _unexpected(stream, line, "a line of text")
        line += byte
    return line.rstrip(b"\r\n")


def _unexpected(stream: Stream, got: bytes, wanted: str) -> Failure:
    told = f"answered {got[:60].decode('ascii', 'replace')!r}" if got else "closed the connection"
    return Failure(f"{stream.where} {told} instead of {wanted}", "protocol")


PROTOCOLS: Mapping[str, Callable[[Stream], None]] = {
    "imap": imap,
    "ldap": ldap,
    "mysql": mysql,
    "postgres": postgres,
    "smtp": smtp,
}
