"""The TCP probe: whether a port accepts connections, and says what it should."""

from __future__ import annotations

from time import monotonic

from hachecks.net.dialogue import Step, hold
from hachecks.net.target import CallerName, Endpoint
from hachecks.net.tls import TlsOptions
from hachecks.net.transport import NetworkOptions
from hachecks.settings import argument, option, settings
from hachecks.verdict import Verdict, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from hachecks.deadline import Deadline
    from hachecks.net.tls import TlsContext
    from hachecks.net.transport import Stream

GREETING_SECONDS = 0.005
"""Seconds in which a server that greets may do so, so that a MySQL server is not left in its handshake."""
MYSQL_PORTS = (3306, 3307)
MYSQL_GREETING_SECONDS = 0.25
"""The same where a MySQL server is likely."""


@settings
class TcpProbe(NetworkOptions, TlsOptions):
    r"""Connect to a port, and talk to it.

    PASS when the connection is made, in TLS if asked for, and every --expect is met, in order. FAIL when it is refused
    or not accepted in time, when TLS fails, or when the server says something else, closes, or says nothing.

    Without --expect nothing but the connection is tested, and the kernel accepts connections for a process that hangs:
    give the server something to say. Texts may hold \r, \n, \t, \0, \\ and \xHH.

    Ask MySQL and MariaDB by sql: they count who connects and leaves without a login, and then block the node
    (max_connect_errors). A greeting of theirs that comes at once is answered with a login that is denied.
    """

    target: Endpoint = argument(metavar="TARGET", help="HOST:PORT, [ADDRESS6]:PORT or unix:/PATH.")
    dialogue: tuple[Step, ...] = option(
        default=(),
        metavar="STEP",
        help='The steps in order, such as ["send PING\\r\\n", "expect PONG"].',
        flags={
            "--send": "Send this text.",
            "--send-hex": "Send these bytes, such as 'de ad be ef'.",
            "--expect": "Read until this text has come.",
            "--expect-hex": "Read until these bytes have come.",
            "--expect-regex": "Read until this regular expression matches (^ and $ match at line ends).",
        },
    )
    tls: bool = option(default=False, help="Speak TLS from the beginning.")
    starttls: Literal[
        "ftp", "imap", "ldap", "lmtp", "mysql", "pop3", "postgres", "sieve", "smtp", "xmpp"
    ] | None = option(default=None, help="Ask for TLS in this protocol's way, then speak it.")  # fmt: skip
    ehlo: CallerName | None = option(
        default=None,
        metavar="NAME",
        help="Introduce ourselves to SMTP and LMTP by this name, not the node's or its address.",
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        self.validate_network()
        self.validate_tls(self.tls or self.starttls is not None, "--tls or --starttls")
        if self.tls and self.starttls is not None:
            raise ValueError("--tls and --starttls exclude each other")
        if (self.tls or self.starttls) and self.target.path and not self.server_name and self.verify:
            raise ValueError("TLS over a unix socket needs --server-name or --no-verify")

    @property
    def subject(self) -> str:
        """The target."""
        return str(self.target)

    def check(self, deadline: Deadline) -> Verdict:
        """Connect, secure, talk."""
        context = self.context() if self.tls or self.starttls else None  # a server is not begun with in vain
        with self.connect(self.target, deadline) as stream:
            if context is None:
                measured, advice = {}, self._talk_plainly(stream)
            else:
                measured, advice = self._talk_in_tls(stream, context), ""
        return self._accepted(deadline, measured, advice)

    def begin(self, deadline: Deadline) -> Verdict | Greeting:
        """As `check`, but for the wait for a greeting, which nobody needs to sit through."""
        if self.dialogue or self.tls or self.starttls or self._is_likely_mysql:
            return self.check(deadline)
        return Greeting(self, self.connect(self.target, deadline))

    def _accepted(self, deadline: Deadline, measured: Mapping[str, float], advice: str) -> Verdict:
        told = f"accepted the connection in {in_words(deadline.phases['connect'])}"
        if self.dialogue:
            told += " and answered as expected"
        return Verdict.passing(f"{self.target} {told}{advice}", **measured)

    @property
    def _is_likely_mysql(self) -> bool:
        return self._goal(self.target).port in MYSQL_PORTS

    def _talk_plainly(self, stream: Stream) -> str:
        """Hold the dialogue; returns advice where there is any."""
        if self.dialogue:
            with stream.deadline.during("dialogue"):
                heard = hold(self.dialogue, stream)
        else:
            heard = stream.peek(MYSQL_GREETING_SECONDS if self._is_likely_mysql else GREETING_SECONDS)
        return self._advice(heard, stream)

    def _advice(self, heard: bytes, stream: Stream) -> str:
        if not (len(heard) > 4 and heard[2:4] == b"\0\0"):
            return ""
        from hachecks.net.mysql_handshake import leave_after  # what a plain check does not owe

        has_spoken = any(step.kind.startswith("send") for step in self.dialogue)
        return leave_after(heard, stream, is_read=bool(self.dialogue), has_spoken=has_spoken)

    def _talk_in_tls(self, stream: Stream, context: TlsContext) -> dict[str, float]:
        if self.starttls is None:
            return self._secure(stream, context)
        from hachecks.net.line_protocols import Caller  # what a plain check does not owe
        from hachecks.net.starttls import Conversation

        name = self.server_name or self.target.host
        with Conversation(self.starttls, stream, Caller(self.ehlo, name)):
            return self._secure(stream, context)

    def _secure(self, stream: Stream, context: TlsContext) -> dict[str, float]:
        name = self.server_name or self.target.host
        if self.starttls == "mysql":
            from hachecks.net import tls_afterwards  # MySQL blocks the node whose handshakes break off

            tls_afterwards.start_tls(stream, self, name)
        else:
            stream.start_tls(context, name)
        measured = self.judge_certificate(stream)
        if self.dialogue:
            with stream.deadline.during("dialogue"):
                hold(self.dialogue, stream)
        else:
            stream.hear_out()
        return measured


class Greeting:
    """The wait for a greeting, which a server may send or not."""

    __slots__ = ("at", "began", "probe", "stream")

    def __init__(self, probe: TcpProbe, stream: Stream) -> None:
        self.probe = probe
        self.stream = stream
        self.began = monotonic()
        self.at = self.began + GREETING_SECONDS

    def end(self, deadline: Deadline) -> Verdict:
        """Hear whether it greets, and leave."""
        with self.stream as stream:
            advice = self.probe._advice(stream.glance(), stream)
        return self.probe._accepted(deadline, {}, advice)
