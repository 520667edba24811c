"""Mail notifier: sends a mail for each message through an SMTP server."""

from __future__ import annotations

import smtplib

from hachecks.messages.not_delivered import NotDelivered
from hachecks.net.target import CallerName, Target
from hachecks.net.tls import TlsOptions
from hachecks.net.transport import NetworkOptions
from hachecks.secret_file import read_secret
from hachecks.services.email_message import MailAddress, compose_email
from hachecks.services.progress import PartialDelivery
from hachecks.services.smtp import Session
from hachecks.settings import option, settings
from hachecks.verdict import CannotLook, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from email.message import EmailMessage

    from hachecks.deadline import Deadline
    from hachecks.messages.message import Message
    from hachecks.net.transport import Stream

PORT, PORT_OF_STARTTLS, PORT_OF_TLS = 25, 587, 465
REFUSED: dict[type, str] = {
    smtplib.SMTPAuthenticationError: " the login",
    smtplib.SMTPDataError: " the mail",
    smtplib.SMTPSenderRefused: " the sender",
}


@settings
class MailNotifier(NetworkOptions, TlsOptions):
    """Send a mail through an SMTP server.

    One mail for each message, to all recipients. Its Message-ID is the same at every try, and the mails about an
    instance are one thread. An answer 4xx is tried again, 5xx is not.

    Who was accepted is not sent the mail again when others are refused. After the death of the deliverer between the
    server's answer and its note of it, they are: with the same Message-ID, which many servers take for the same mail.
    """

    server: Target = option(
        default=Target.parse("localhost"),
        metavar="HOST[:PORT]",
        help="The SMTP server; without a port it is 25, 587 with --starttls, 465 with --tls.",
    )
    to: tuple[MailAddress, ...] = option(default=(), metavar="ADDRESS", help="A recipient; several may be given.")
    sender: MailAddress | None = option(
        default=None, metavar="ADDRESS", help="Who it is from; hacheck@NODE where nothing is said."
    )
    starttls: bool = option(default=False, help="Ask for TLS, and send nothing without.")
    tls: bool = option(default=False, help="Speak TLS from the beginning (SMTPS).")
    ehlo: CallerName | None = option(
        default=None, metavar="NAME", help="Introduce ourselves by this name, not the node's or its address."
    )
    user: str | None = option(default=None, metavar="NAME", help="Log in as this user; needs TLS.")
    password_file: str | None = option(default=None, metavar="FILE", help="The file with the user's password.")

    def validate(self) -> None:
        """Refuse what contradicts itself, and a password that everybody could read."""
        self.validate_network()
        self.validate_tls(self.tls or self.starttls, "--tls or --starttls")
        if not self.to:
            raise ValueError("--to is missing")
        if self.tls and self.starttls:
            raise ValueError("--tls and --starttls exclude each other")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("--user and --password-file need each other")
        if self.user is not None and not (self.tls or self.starttls):
            raise ValueError("--user needs --tls or --starttls: the password would be readable on the way")
        if (self.tls or self.starttls) and self.server.path and not self.server_name and self.verify:
            raise ValueError("TLS over a unix socket needs --server-name or --no-verify")

    def send(self, message: Message, deadline: Deadline) -> str:
        """Hand the mail to the server, for all who have not been accepted yet."""
        parts = {f"{message.key} {address}": address for address in dict.fromkeys(map(str, self.to))}
        progress = PartialDelivery.of(self)
        progress.begin()
        recipients = [parts[part] for part in progress.left(parts)]
        said, refused = self._hand_over(compose_email(message, self.sender, self.to), recipients, deadline)
        for part, address in parts.items():
            if address in refused:
                code, text = refused[address]
                progress.failed(part, f"{address} refused: {code} {text}", retryable=is_retryable(code))
            elif address in recipients:
                progress.done(part)
        count = progress.result(list(parts))
        return f"{said} (for {count} {'recipient' if count == 1 else 'recipients'})"

    def _hand_over(
        self, mail: EmailMessage, recipients: list[str], deadline: Deadline
    ) -> tuple[str, dict[str, tuple[int, str]]]:
        """One conversation; returns the server's last word, and whom it refused and why."""
        password = None if self.password_file is None else _password(self.password_file)
        default = PORT_OF_TLS if self.tls else PORT_OF_STARTTLS if self.starttls else PORT
        server = Target(self.server.host, self.server.port or default, self.server.path)
        context = self.context() if self.tls or self.starttls else None  # no server is begun with in vain

        def secure(stream: Stream) -> None:
            assert context is not None  # noqa: S101 - for the type checker
            stream.start_tls(context, self.server_name or self.server.host)
            self.judge_certificate(stream)

        with self.connect(server, deadline) as stream:
            if self.tls:
                secure(stream)
            with Session(stream, self.ehlo) as session:
                try:
                    session.begin(secure if self.starttls else None)
                    if self.user is not None and password is not None:
                        session.login(self.user, password)
                    return session.hand_over(mail, recipients), session.refused
                except smtplib.SMTPException as error:
                    raise _not_delivered(str(self.server), error) from None


def _password(path: str) -> str:
    try:
        password = read_secret(path, keep_blanks=True)
    except CannotLook as error:
        raise NotDelivered(str(error), retryable=True) from None
    if not password.isascii():
        raise NotDelivered(f"{path}: an SMTP password is ASCII", retryable=False)
    return password


def is_retryable(code: int) -> bool:
    """Whether an SMTP server that answers this may answer otherwise later."""
    return not 500 <= code <= 599


def _not_delivered(where: str, error: smtplib.SMTPException) -> NotDelivered:
    said = getattr(error, "smtp_error", None)
    if not isinstance(error, smtplib.SMTPResponseException) or not isinstance(said, bytes):
        # Not the server's word: it hung up, or says what is no SMTP. Only what it cannot do at all is final.
        final = type(error) in (smtplib.SMTPException, smtplib.SMTPNotSupportedError)
        return NotDelivered(one_line(f"{where}: {said or error}"), retryable=not final)
    what = REFUSED.get(type(error), "")
    text = one_line(f"{where} refused{what}: {error.smtp_code} {said.decode('utf-8', 'replace')}")
    return NotDelivered(text, retryable=is_retryable(error.smtp_code))
