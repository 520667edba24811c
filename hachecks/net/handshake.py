"""The TLS handshake and what it tells: the certificates that were sent, and whether the server may yet refuse ours.

Told by the one hook of Python's `ssl` for it, which is there from 3.8 to 3.14 but has no documentation; without it the
server's own certificate is still had, and every server that speaks TLS 1.3 is waited for.
"""

from __future__ import annotations

import select
import ssl
from time import monotonic

from hachecks.net.certificate import Certificate
from hachecks.net.reasons import explained
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hachecks.net.transport import Stream

HANDSHAKE, TICKET, CERTIFICATE, CERTIFICATE_REQUEST = 22, 4, 11, 13
TLS_1_3 = 0x0304
READ_BYTES = 16384
NAME_MISMATCHES = (62, 64)
"""OpenSSL's codes for a host name and an address that the certificate does not bear."""
REFUSAL_WAIT_SECONDS = 0.1
"""Seconds, beside three round trips, in which a server that asked for our certificate may say what it thinks of it."""


class Handshake:
    """What is heard of a handshake, and what comes after it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.wants_ours = not hasattr(context, "_msg_callback")
        self.has_tickets = False
        self._sent: list[bytes] = []
        self._before = getattr(context, "_msg_callback", None)
        context._msg_callback = self._hear  # type: ignore[attr-defined]

    def _hear(self, socket: object, way: str, version: int, kind: int, message: Any, data: bytes) -> None:
        if self._before is not None:
            self._before(socket, way, version, kind, message, data)
        if way != "read" or kind != HANDSHAKE:
            return
        if message == CERTIFICATE:
            self._sent = list(sent_certificates(data, version == TLS_1_3))
        elif message == CERTIFICATE_REQUEST:
            self.wants_ours = True
        elif message == TICKET:
            self.has_tickets = True

    def shake(self, stream: Stream, context: ssl.SSLContext, server_name: str) -> None:
        """Make it TLS; raises `Failure`, `CannotLook` or `TimedOut`."""
        sock: Any = stream.sock
        try:
            # Left to wrap_socket, this takes 2 ms to import IDNA, and fails at a long label.
            name = server_name.encode("ascii" if server_name.isascii() else "idna")
            sock.settimeout(stream.deadline.remaining())
            stream.sock = sock = context.wrap_socket(sock, server_hostname=name or None)
            if self.wants_ours and _is_reset(sock):
                raise _closed(stream)
            # wrap_socket says nothing, and does nothing, when the server has reset the connection already.
            sock.getpeername()
        except ssl.SSLCertVerificationError as error:  # a ValueError, too
            raise self._not_verified(error, stream.where) from None
        except ValueError as error:
            raise CannotLook(f"{server_name!r} cannot be a TLS server name: {error}") from None
        if self.wants_ours and sock.version() == "TLSv1.3":
            # What it thinks of our certificate, or of none, it says after what OpenSSL takes for the end.
            self.hear_out(stream, until_tickets=True)

    def _not_verified(self, error: ssl.SSLCertVerificationError, where: str) -> Failure | CannotLook:
        for certificate in self._read(self._sent[:1]) if error.verify_code in NAME_MISMATCHES else ():
            if not certificate.has_alternative_names:
                told = f"the certificate has no subjectAltName, only the CN {certificate.name!r}, which counts no more"
                return Failure(f"{where}: TLS failed: {told}", "tls")
        return explained(error, where, "be talked to")

    def hear_out(self, stream: Stream, *, until_tickets: bool) -> None:
        """Give the server its chance to refuse; raises `Failure` when it does, or closes.

        Session tickets are sent by a server that is content, though nginx looks at the certificate after them.
        """
        sock: Any = stream.sock
        patience = REFUSAL_WAIT_SECONDS + 3 * stream.deadline.phases.get("connect", 0.0)
        until = monotonic() + min(patience, stream.deadline.remaining())
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        sock.settimeout(0)
        while not (until_tickets and self.has_tickets):
            try:
                if not sock.pending() and not poll.poll(max(0.0, until - monotonic()) * 1000):
                    return
                stream.ahead = sock.recv(READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
            except ConnectionResetError:  # which overtakes the alert of who closes without having read all of ours
                stream.ahead = b""
            except OSError as error:
                raise explained(error, stream.where, "be talked to") from None
            if not stream.ahead:
                raise _closed(stream)
            return

    def certificates(self, sock: Any) -> list[Certificate]:
        """What the server sent, its own certificate first."""
        return self._read(self._sent or [sock.getpeercert(True)])

    def _read(self, ders: list[bytes]) -> list[Certificate]:
        found = []
        for der in ders:
            try:
                found.append(Certificate(der))
            except ValueError:
                continue  # OpenSSL has taken it; nobody else has to
        return found


def _is_reset(sock: Any) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return True
    return False


def _closed(stream: Stream) -> Failure:
    told = "closed the connection after it asked for a client certificate (--cert-file)"
    return Failure(f"{stream.where} {told}", "tls")


def sent_certificates(message: bytes, is_1_3: bool) -> list[bytes]:
    """The DER of each certificate in a Certificate message (RFC 5246, 7.4.2; RFC 8446, 4.4.2)."""
    found = []
    at = 4 + (1 + int.from_bytes(message[4:5], "big") if is_1_3 else 0) + 3
    while at + 3 <= len(message):
        end = at + 3 + int.from_bytes(message[at : at + 3], "big")
        found.append(message[at + 3 : end])
        at = end + (2 + int.from_bytes(message[end : end + 2], "big") if is_1_3 else 0)
    return found


def say_goodbye(sock: Any) -> None:
    """Send close_notify, so that the server knows of no broken connection, and wait for nothing."""
    try:
        sock.settimeout(0)
        sock.unwrap()
    except (OSError, ValueError):
        pass
