"""SMTP within a deadline: the standard library's client over our stream."""

from __future__ import annotations

import email.policy
import io
import smtplib

from hachecks.deadline import TimedOut
from hachecks.net.line_protocols import own_name
from hachecks.verdict import CannotLook, Failure, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

    from typing_extensions import Buffer

    from hachecks.net.transport import Stream

REPLIES_LIMIT = 256 * 1024
"""Bytes that a server may say in one conversation; a reply that never ends would fill the memory."""

UNFOLDED = email.policy.SMTP.clone(max_line_length=998)
"""A Message-ID longer than a line of 78 would be written as encoded words, which no mail program takes for one."""


INTACT = (
    smtplib.SMTPAuthenticationError,
    smtplib.SMTPConnectError,
    smtplib.SMTPDataError,
    smtplib.SMTPNotSupportedError,
    smtplib.SMTPResponseException,
    smtplib.SMTPSenderRefused,
)
"""After what a server can still be told goodbye."""


class _Hearing(io.RawIOBase):
    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.heard = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        data = self.stream.recv(len(view))
        self.heard += len(data)
        if self.heard > REPLIES_LIMIT:
            raise Failure(f"{self.stream.where} never ends its SMTP reply")
        view[: len(data)] = data
        return len(data)


class _Socket:
    """As much of a socket as smtplib uses, each operation within the deadline."""

    def __init__(self, stream: Stream) -> None:
        self.sendall = stream.sendall
        self.close = stream.close
        self.stream = stream

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Hearing(self.stream))


class Session(smtplib.SMTP):
    """One conversation over a stream; raises `SMTPException`, `Failure` or `TimedOut`."""

    def __init__(self, stream: Stream, name: str | None = None) -> None:
        super().__init__(local_hostname=name or own_name(stream))  # or it would ask the resolver, with no deadline
        self.stream = stream
        self.refused: dict[str, tuple[int, str]] = {}
        self._talk_over(stream)

    def _talk_over(self, stream: Stream) -> None:
        self.sock = _Socket(stream)  # type: ignore[assignment]
        self.file = None
        self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False

    def begin(self, secure: Callable[[Stream], None] | None) -> None:
        """Hear the greeting, introduce ourselves, and where `secure` makes it TLS, go on in that."""
        code, said = self.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        self.ehlo_or_helo_if_needed()
        if secure is not None:
            self._ask_for_tls()
            secure(self.stream)
            self._talk_over(self.stream)  # what was said before TLS counts no more
            self.ehlo_or_helo_if_needed()

    def _ask_for_tls(self) -> None:
        if not self.has_extn("starttls"):
            raise Failure(f"{self.stream.where} does not offer STARTTLS")
        code, said = self.docmd("STARTTLS")
        if code != 220:
            raise smtplib.SMTPResponseException(code, said)

    def hand_over(self, mail: EmailMessage, recipients: list[str]) -> str:
        """Have the mail accepted for whom it can be, note the others, and return the server's last word."""
        data = mail.as_bytes(policy=UNFOLDED)
        options = [f"size={len(data)}"] if self.has_extn("size") else []
        code, said = self.mail(mail["From"].addresses[0].addr_spec, options)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, said, "")
        for recipient in recipients:
            code, said = self.rcpt(recipient)
            if code not in (250, 251):
                self.refused[recipient] = (code, _text(said))
                if code == 421:
                    raise smtplib.SMTPResponseException(code, said)
        if len(self.refused) == len(recipients):
            return ""
        code, said = self.data(data)
        if code != 250:
            raise smtplib.SMTPDataError(code, said)
        return f"{code} {_text(said)}"

    def __exit__(self, *error: object) -> None:
        """Say goodbye, and do not wait for the answer: what was accepted is accepted."""
        try:
            if self.sock is not None and (error[0] is None or error[0] in INTACT):  # smtplib closes it by itself, too
                self.sock.sendall(b"QUIT\r\n")
        except (Failure, CannotLook, TimedOut):
            pass  # nothing may turn an accepted mail into one that was not
        finally:
            self.close()


def _text(said: bytes) -> str:
    return one_line(said.decode("utf-8", "replace"))
