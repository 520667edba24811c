"""The mail about a message: its headers, threads and text."""

from __future__ import annotations

import email.policy
import hashlib
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, parseaddr

from hachecks.messages.fields import rfc3339
from hachecks.messages.fit import cut
from hachecks.verdict import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hachecks.messages.message import Message

PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.\[\]:-]+")
SUBJECT_LIMIT = 400
"""Characters."""
MOST_THREADS = 20
"""Instances whose threads one mail is put into; a header with 255 would be cut by some."""


class MailAddress:
    """An address for mail, with the name of its owner or without."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address

    @classmethod
    def parse(cls, text: str) -> MailAddress:
        """From `user@host` or `Name <user@host>`; raises `ValueError`."""
        name, address = parseaddr(text)
        if not PLAIN_ADDRESS.fullmatch(address) or not text.isprintable():
            raise ValueError(f"{text!r} is not a mail address (write user@host or Name <user@host>)")
        return cls(name, address)

    @property
    def header(self) -> Address:
        """As the headers of a mail take it."""
        return Address(self.name, addr_spec=self.address)

    def __str__(self) -> str:
        return self.address

    __repr__ = __str__


def compose_email(message: Message, sender: MailAddress | None, recipients: Sequence[MailAddress]) -> EmailMessage:
    """The mail about a message: the same at every try, but for the note that it may be one too many."""
    node = re.sub(r"[^A-Za-z0-9.-]", "-", message.node).strip(".-") or "localhost"
    sender = sender or MailAddress("", f"hacheck@{node}")
    mail = EmailMessage(email.policy.SMTP)
    mail["From"] = sender.header
    mail["To"] = [recipient.header for recipient in recipients]
    mail["Subject"] = cut(visible(message.title), SUBJECT_LIMIT)
    mail["Date"] = formatdate(message.at, localtime=True)
    mail["Message-ID"] = f"<{message.key}@{node}>"
    threads = [_thread(change.kind, change.name, sender) for change in message.changes][:MOST_THREADS]
    mail["In-Reply-To"] = threads[0]
    mail["References"] = " ".join(threads)
    mail["Auto-Submitted"] = "auto-generated"
    if message.severity.name == "critical":
        mail["Importance"] = "high"
    mail.set_content(_text(message), charset="utf-8", cte="quoted-printable")
    return mail


def _thread(kind: str, name: str, sender: MailAddress) -> str:
    """The mail that all about an instance answer; it was never sent, and mail programs put the answers together."""
    identity = hashlib.sha256(f"{kind} {name}".encode("utf-8", "replace")).hexdigest()[:16]
    return f"<{identity}.thread@{sender.address.rpartition('@')[2]}>"


def _text(message: Message) -> str:
    lines = [message.body, ""]
    for change, event in message.one_by_one:
        lines.append(f"{rfc3339(event.at)} {change.line(event)}")
    lines += ["", f"Node: {visible(message.node)}", f"Severity: {message.severity.name}", f"Key: {message.key}"]
    if message.test:
        lines.append("This is a test: nothing has happened.")
    if message.possible_duplicate:
        lines.append("This may have been sent before, with the same key.")
    return "\n".join(lines) + "\n"
