"""A mail is accepted or refused, by real SMTP servers, and never given up or repeated for the wrong reason."""

from __future__ import annotations

import asyncio
import email.policy
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from hachecks.deadline import Deadline, TimedOut
from hachecks.messages.not_delivered import NotDelivered
from hachecks.net.target import Target
from hachecks.notifiers.mail import MailNotifier
from hachecks.services.email_message import MailAddress
from hachecks.verdict import Failure
from tests.cli import hacheck
from tests.events import event, message, storm
from tests.mailservers import PATIENCE, _ended
from tests.servers import Dripping, EndlessLine, Garbage, HangsUp, Mail, Silent
from tests.talker import talking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

    from hachecks.messages.message import Message
    from tests.servers import Server
    from tests.talker import Talker

BASES = ("--to a@b.test", "--to a@b.test --tls", "--to a@b.test --starttls --user u --password-file /f")

A, B, C = (MailAddress.parse(f"{name}@example.org") for name in ("a", "b", "c"))


class Box:
    """What the server was handed, and what it is to answer."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.raw: list[bytes] = []
        self.recipients: dict[str, str] = {}
        self.answer = "250 taken"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        answer = self.recipients.get(address, "250 fine")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.raw.append(envelope.content)
            mail = message_from_bytes(envelope.content, policy=email.policy.default)
            self.mails.append((list(envelope.rcpt_tos), mail))
        return self.answer


def accepts(_server: object, _session: object, _envelope: object, _mechanism: str, given: LoginPassword) -> AuthResult:
    return AuthResult(success=given == LoginPassword(b"alarm", b"s3cret words"), handled=False)


@contextmanager
def server(box: Box, context: ssl.SSLContext | None = None, **options: Any) -> Iterator[Target]:
    loop = asyncio.new_event_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    serving = loop.create_server(lambda: SMTP(box, tls_context=context, loop=loop, **options), sock=listener)
    thread = threading.Thread(target=loop.run_forever)
    open_server = loop.run_until_complete(serving)
    thread.start()
    try:
        yield Target.parse(f"localhost:{listener.getsockname()[1]}")
    finally:
        asyncio.run_coroutine_threadsafe(_ended(open_server), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def send(notifier: MailNotifier, told: Message | None = None, seconds: float = 30) -> str:
    return notifier.send(told or message(), Deadline.after(seconds))


def refused(notifier: MailNotifier, told: Message | None = None) -> NotDelivered:
    with pytest.raises(NotDelivered) as raised:
        send(notifier, told)
    return raised.value


def test_everything_is_in_the_mail(box: Box) -> None:
    told = message(event(name="VI_é"), vips={"VI_é": ["10.0.0.1", "10.0.0.2"]}, why="port 443 refused")
    with server(box) as where:
        said = send(MailNotifier(server=where, to=(A, B), sender=MailAddress.parse("Nöde <ops@example.org>")), told)
    assert said == "250 taken (for 2 recipients)"
    ((recipients, mail),) = box.mails
    assert recipients == ["a@example.org", "b@example.org"]
    assert mail["Subject"] == "critical: VI_é is FAULT on node-1"
    assert mail["From"] == "Nöde <ops@example.org>"
    assert mail["To"] == "a@example.org, b@example.org"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Importance"] == "high"
    assert mail["Message-ID"] == f"<{told.key}@node-1>"
    assert mail["Date"].datetime.timestamp() == int(told.at)
    assert mail.get_content_type() == "text/plain"
    text = mail.get_content()
    assert "VI_é (10.0.0.1, 10.0.0.2): FAULT, was MASTER for 60 min: port 443 refused" in text
    assert "2026-11-22T17:00:00.250Z INSTANCE VI_é (10.0.0.1, 10.0.0.2) FAULT (was MASTER) priority 100" in text
    assert f"Key: {told.key}" in text
    assert all(byte < 128 for byte in box.raw[0]), "not every server takes 8 bits"


def test_a_second_try_is_the_same_mail_and_says_so(box: Box) -> None:
    with server(box) as where:
        send(MailNotifier(server=where, to=(A,)), message())
        send(MailNotifier(server=where, to=(A,)), message(possible_duplicate=True))
    (_, first), (_, second) = box.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert "may have been sent before" in second.get_content()


def test_the_mails_about_an_instance_are_one_thread(box: Box) -> None:
    with server(box) as where:
        notifier = MailNotifier(server=where, to=(A,))
        send(notifier, message(event(number=1)))
        send(notifier, message(event(number=2, state="MASTER", before="FAULT")))
        send(notifier, message(event("VI_2", number=3)))
        send(notifier, storm(255))
    threads = [mail["References"].split() for _, mail in box.mails]
    assert threads[0] == threads[1] == [box.mails[0][1]["In-Reply-To"]]
    assert threads[2] != threads[0]
    assert len(threads[3]) == 20
    with server(box) as where:
        send(MailNotifier(server=where, to=(A,)), message(event(kind="GROUP", number=99)))
    assert box.mails[-1][1]["In-Reply-To"] != threads[0][0]  # a group's name may be an instance's
    assert threads[0][0] in threads[3]


def test_long_names_break_no_header(box: Box) -> None:
    node = "node." * 30 + "example.org"
    with server(box) as where:
        send(MailNotifier(server=where, to=(A,)), message(node=node))
    assert f"Message-ID: <{message().key}@{node}>".encode() in box.raw[0]


def test_a_name_adds_no_header(box: Box) -> None:
    with server(box) as where:
        send(MailNotifier(server=where, to=(A,)), message(event(name="VI\r\nBcc: c@example.org\r\n\r\n.\r\n")))
    ((recipients, mail),) = box.mails
    assert recipients == ["a@example.org"]
    assert mail["Bcc"] is None


def test_starttls_and_a_login_from_a_file(box: Box, context: ssl.SSLContext, trusted: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret words\n")
    with server(box, context, require_starttls=True, auth_required=True, authenticator=accepts) as where:
        login: dict[str, Any] = {"user": "alarm", "password_file": str(tmp_path / "password")}
        said = send(MailNotifier(server=where, to=(A,), starttls=True, ca_file=trusted, **login))
        assert said == "250 taken (for 1 recipient)"
        (tmp_path / "password").write_text("wrong words\n")
        failure = refused(MailNotifier(server=where, to=(A,), starttls=True, ca_file=trusted, **login))
    assert not failure.retryable
    assert str(failure).startswith(f"{where} refused the login: 535")
    assert "words" not in str(failure)


def test_an_authority_that_is_not_trusted_gets_no_mail(box: Box, context: ssl.SSLContext) -> None:
    with server(box, context) as where, pytest.raises(Failure, match="TLS failed: "):
        send(MailNotifier(server=where, to=(A,), starttls=True))
    assert box.mails == []


def test_a_server_without_starttls_gets_no_mail(box: Box) -> None:
    with server(box) as where, pytest.raises(Failure, match="does not offer STARTTLS"):
        send(MailNotifier(server=where, to=(A,), starttls=True))
    assert box.mails == []


def test_tls_from_the_beginning(context: ssl.SSLContext, trusted: str) -> None:
    with talking(smtps, context=context) as talker:
        server = Target.parse(talker.address)
        notifier = MailNotifier(server=server, to=(A,), tls=True, ca_file=trusted, server_name="localhost")
        assert send(notifier) == "250 ok (for 1 recipient)"


def smtps(connection: socket.socket, talker: Talker) -> None:
    """The least that is an SMTP server."""
    connection.sendall(b"220 hello\r\n")
    heard = b""
    while data := connection.recv(65536):
        heard += data
        if heard.endswith(b"data\r\n"):
            connection.sendall(b"354 go on\r\n")
        elif b"data\r\n" not in heard or heard.endswith(b"\r\n.\r\n"):
            connection.sendall(b"250 ok\r\n")
    talker.heard.append(heard)


@pytest.mark.parametrize(("answer", "again"), [("451 try later", True), ("554 spam", False)])
def test_the_code_says_whether_it_is_worth_another_try(box: Box, answer: str, again: bool) -> None:
    box.answer = answer
    with server(box) as where:
        failure = refused(MailNotifier(server=where, to=(A,)))
    assert failure.retryable is again
    assert str(failure) == f"{where} refused the mail: {answer}"


@pytest.mark.parametrize(
    ("answer", "again"),
    [("450 mailbox busy", True), ("500 what?", False), ("550 no such user", False), ("599 no", False)],
)
def test_a_recipient_refused_is_named(box: Box, answer: str, again: bool) -> None:
    box.recipients["a@example.org"] = answer
    with server(box) as where:
        failure = refused(MailNotifier(server=where, to=(A,)))
    assert failure.retryable is again
    assert str(failure) == f"a@example.org refused: {answer}"
    assert box.mails == []


def test_who_was_accepted_is_not_sent_the_mail_again(box: Box) -> None:
    box.recipients = {"b@example.org": "451 greylisted", "c@example.org": "550 no such user"}
    with server(box) as where:
        notifier = MailNotifier(server=where, to=(A, B, C))
        first = refused(notifier)
        assert first.retryable
        assert "b@example.org refused: 451 greylisted" in str(first)
        del box.recipients["b@example.org"]
        last = refused(notifier)
    assert not last.retryable
    assert str(last) == "c@example.org refused: 550 no such user (2 of 3 done)"
    assert [recipients for recipients, _ in box.mails] == [["a@example.org"], ["b@example.org"]]


def test_another_message_goes_to_all_again(box: Box) -> None:
    with server(box) as where:
        notifier = MailNotifier(server=where, to=(A, B))
        send(notifier, message(event(number=1)))
        send(notifier, message(event(number=2)))
    assert [len(recipients) for recipients, _ in box.mails] == [2, 2]


@pytest.mark.parametrize("animal", [Silent, Dripping, Mail], ids=lambda animal: animal.__name__)
def test_no_server_can_hold_it_beyond_the_deadline(animal: type[Server]) -> None:
    began = time.monotonic()
    with animal("127.0.0.1") as peer, pytest.raises((TimedOut, NotDelivered, Failure)):
        send(MailNotifier(server=Target.parse(f"127.0.0.1:{peer.port}"), to=(A,)), seconds=0.5)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("animal", [HangsUp, Garbage, EndlessLine], ids=lambda animal: animal.__name__)
def test_what_is_no_smtp_is_tried_again(animal: type[Server]) -> None:
    with animal("127.0.0.1") as peer, pytest.raises((NotDelivered, Failure, TimedOut)) as raised:
        send(MailNotifier(server=Target.parse(f"127.0.0.1:{peer.port}"), to=(A,)), seconds=2)
    assert getattr(raised.value, "retryable", True)


def test_a_dripping_answer_to_the_mail_ends_at_the_deadline() -> None:
    def drip(connection: socket.socket, _: Talker) -> None:
        connection.sendall(b"220 hello\r\n")
        while data := connection.recv(65536):
            if data.endswith(b".\r\n"):
                while True:
                    connection.sendall(b"250-still thinking\r\n")
                    time.sleep(0.02)
            connection.sendall(b"354 go\r\n" if data == b"data\r\n" else b"250 ok\r\n")

    began = time.monotonic()
    with talking(drip) as talker, pytest.raises(TimedOut):
        send(MailNotifier(server=Target.parse(talker.address), to=(A,)), seconds=2)
    assert time.monotonic() - began < 20


def test_a_mail_that_was_accepted_stays_so_whatever_comes_after() -> None:
    def rude(connection: socket.socket, _: Talker) -> None:
        connection.sendall(b"220 hello\r\n")
        while data := connection.recv(65536):
            connection.sendall(b"354 go\r\n" if data == b"data\r\n" else b"250 ok\r\n")
            if data.endswith(b"\r\n.\r\n"):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                return

    with talking(rude) as talker:
        assert send(MailNotifier(server=Target.parse(talker.address), to=(A,))) == "250 ok (for 1 recipient)"


def test_a_password_file_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    notifier = MailNotifier(to=(A,), starttls=True, user="u", password_file=str(tmp_path / "absent"))
    failure = refused(notifier)
    assert failure.retryable
    assert str(failure) == f"cannot read {tmp_path / 'absent'}: No such file or directory"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param((), "mail: --to is missing", id="nobody"),
        pytest.param(("--to", "nobody"), "notify mail: its options are not understood", id="no-address"),
        pytest.param(
            ("--to", "a@b.c", "--user", "u", "--password-file", "/f"),
            "--user needs --tls or --starttls",
            id="clear-login",
        ),
        pytest.param(("--to", "a@b.c", "--tls", "--user", "u"), "need each other", id="no-password"),
        pytest.param(("--to", "a@b.c", "--ca-file", "/f"), "--ca-file needs TLS", id="no-tls"),
        pytest.param(("--to", "a@b.c", "--tls", "--starttls"), "exclude each other", id="both"),
    ],
)
def test_what_cannot_work_is_refused(words: tuple[str, ...], complaint: str) -> None:
    answer = hacheck("notify", "--test", "mail", *words)
    assert answer.code != 0
    assert complaint in answer.out + answer.err


def test_a_test_mail_from_the_command_line(box: Box) -> None:
    with server(box) as where:
        answer = hacheck("notify", "--test", "mail", "--server", where, "--to", "a@example.org")
    assert answer.code == 0, answer
    assert answer.line.endswith("250 taken (for 1 recipient)")
    ((_, mail),) = box.mails
    assert mail["Subject"].startswith("[test] ")
    assert "nothing has happened" in mail.get_content()
