"""TLS asked for in the protocols whose words are lines of text, and in XMPP; and how each is left."""

from __future__ import annotations

import os

from hachecks.net.reasons import unexpected
from hachecks.net.target import NAME_CHARACTERS
from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.net.transport import Stream

MAX_LINE_BYTES = 4096
MAX_STANZA_BYTES = 16384
MAX_LINES = 100
XMPP_TLS = "urn:ietf:params:xml:ns:xmpp-tls"

GOODBYES = {
    "ftp": b"QUIT\r\n",
    "imap": b"h2 LOGOUT\r\n",
    "lmtp": b"QUIT\r\n",
    "pop3": b"QUIT\r\n",
    "sieve": b"LOGOUT\r\n",
    "smtp": b"QUIT\r\n",
    "xmpp": b"</stream:stream>",
}


class Caller:
    """Who asks: the name for EHLO, if it was given, and the host that was asked for."""

    __slots__ = ("host", "name")

    def __init__(self, name: str | None = None, host: str = "") -> None:
        self.name = name
        self.host = host


def smtp(stream: Stream, caller: Caller, greet: str = "EHLO") -> None:
    """RFC 3207."""
    _reply(stream, b"220", "SMTP")
    stream.sendall(f"{greet} {caller.name or own_name(stream)}\r\n".encode())
    offered = [line[4:].strip().upper() for line in _reply(stream, b"250", "SMTP")]
    if b"STARTTLS" not in offered:
        raise _not_offered(stream)
    stream.sendall(b"STARTTLS\r\n")
    _reply(stream, b"220", "SMTP")


def lmtp(stream: Stream, caller: Caller) -> None:
    """RFC 2033: SMTP with another greeting."""
    smtp(stream, caller, "LHLO")


def ftp(stream: Stream, _caller: Caller) -> None:
    """RFC 4217."""
    _reply(stream, b"220", "FTP")
    stream.sendall(b"AUTH TLS\r\n")
    answer = _reply(stream, b"", "FTP")[-1]
    if not answer.startswith(b"234"):
        raise Failure(f"{stream.where} does not offer TLS: {_text(answer)}", "tls")


def _reply(stream: Stream, code: bytes, protocol: str) -> list[bytes]:
    """The lines of a reply, which ends with one that has its code and a blank (RFC 959, section 4.2)."""
    lines = [_line(stream)]
    end = lines[0][:3] + b" "
    while lines[0][3:4] == b"-" and not lines[-1].startswith(end):
        lines.append(_line(stream))
        if len(lines) > MAX_LINES:
            raise Failure(f"{stream.where} never ends its {protocol} reply", "protocol")
    if not lines[0][:3].isdigit() or not lines[-1].startswith(code):
        raise unexpected(stream.where, lines[-1], f"an {protocol} reply {code.decode()}".rstrip())
    return lines


def imap(stream: Stream, _caller: Caller) -> None:
    """RFC 9051, section 6.2.1; a server that has logged us in already (PREAUTH) may refuse it."""
    greeting = _line(stream)
    if not greeting.upper().startswith((b"* OK", b"* PREAUTH")):
        raise unexpected(stream.where, greeting, "an IMAP greeting")
    stream.sendall(b"h1 STARTTLS\r\n")
    for _ in range(MAX_LINES):
        line = _line(stream)
        if line.upper().startswith(b"H1 OK"):
            return
        if line.startswith(b"h1 "):
            raise _not_offered(stream)
    raise Failure(f"{stream.where} never answers STARTTLS", "protocol")


def pop3(stream: Stream, _caller: Caller) -> None:
    """RFC 2595, section 4."""
    greeting = _line(stream)
    if not greeting.startswith(b"+OK"):
        raise unexpected(stream.where, greeting, "a POP3 greeting")
    stream.sendall(b"STLS\r\n")
    answer = _line(stream)
    if answer.startswith(b"-ERR"):
        raise _not_offered(stream)
    if not answer.startswith(b"+OK"):
        raise unexpected(stream.where, answer, "a POP3 reply")


def sieve(stream: Stream, _caller: Caller) -> None:
    """RFC 5804, section 2.2: what the server can stands before the OK of its greeting."""
    _sieve_reply(stream, "a ManageSieve greeting")
    stream.sendall(b"STARTTLS\r\n")
    if not _sieve_reply(stream, "a ManageSieve reply"):
        raise _not_offered(stream)


def _sieve_reply(stream: Stream, wanted: str) -> bool:
    """Whether it ends with OK, and not with NO."""
    for _ in range(MAX_LINES):
        line = _line(stream)
        word = line.split(b" ", 1)[0].upper()
        if word in (b"OK", b"NO"):
            return word == b"OK"
        if not line.startswith(b'"'):
            raise unexpected(stream.where, line, wanted)
    raise Failure(f"{stream.where} never ends its ManageSieve reply", "protocol")


def xmpp(stream: Stream, caller: Caller) -> None:
    """RFC 6120, section 5.4."""
    names = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
    host = caller.host.replace("&", "").replace("<", "").replace("'", "")
    stream.sendall(f"<?xml version='1.0'?><stream:stream to='{host}' {names} version='1.0'>".encode())
    offer = _until(stream, (b"</stream:features>", b"<stream:features/>", b"</stream:stream>"))
    if b"<host-unknown" in offer:
        raise Failure(f"{stream.where} does not serve {host!r} (--server-name)", "tls")
    if b"<stream:features" not in offer:
        raise unexpected(stream.where, offer, "an XMPP stream")
    if XMPP_TLS.encode() not in offer:
        raise _not_offered(stream)
    stream.sendall(f"<starttls xmlns='{XMPP_TLS}'/>".encode())
    answer = _until(stream, (b">",))
    if not answer.lstrip().startswith(b"<proceed"):
        raise unexpected(stream.where, answer, "leave to proceed with TLS")
    if not answer.endswith(b"/>"):
        _until(stream, (b"</proceed>",))


def _until(stream: Stream, ends: tuple[bytes, ...]) -> bytes:
    """What comes until one of these, read byte by byte, since what follows it may belong to TLS."""
    text = b""
    while not text.endswith(ends):
        byte = stream.recv(1)
        if not byte or len(text) > MAX_STANZA_BYTES:
            raise unexpected(stream.where, text, "an XMPP stream")
        text += byte
    return text


def _line(stream: Stream) -> bytes:
    """One line without its end, read byte by byte, since what follows it may belong to TLS."""
    line = b""
    while not line.endswith(b"\n"):
        byte = stream.recv(1)
        if not byte or len(line) > MAX_LINE_BYTES:
            raise unexpected(stream.where, line, "a line of text")
        line += byte
    return line.rstrip(b"\r\n")


def _not_offered(stream: Stream) -> Failure:
    return Failure(f"{stream.where} does not offer STARTTLS", "tls")


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def own_name(stream: Stream) -> str:
    """By what name a client of SMTP introduces itself (RFC 5321, section 4.1.1.1): the node's, or its address.

    A node's name without a dot says nothing to others, and asking the resolver for a better one knows no deadline.
    """
    name = os.uname().nodename.rstrip(".")
    if "." in name and not name.startswith("localhost") and set(name) <= NAME_CHARACTERS:
        return name
    address = stream.sock.getsockname()
    if not isinstance(address, tuple):
        return "localhost"
    text = str(address[0]).partition("%")[0]
    return f"[IPv6:{text}]" if ":" in text else f"[{text}]"
