"""Is a port accepting connections, and does it say what it should?"""

from __future__ import annotations

from hachecks.dialogue import Step, hold
from hachecks.settings import argument, option, settings
from hachecks.starttls import PROTOCOLS
from hachecks.target import Endpoint
from hachecks.tls import TlsOptions
from hachecks.transport import NetworkOptions
from hachecks.verdict import Verdict, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hachecks.deadline import Deadline
    from hachecks.transport import Stream


@settings
class TcpProbe(NetworkOptions, TlsOptions):
    r"""Connect to a port, and talk to it.

    PASS when the connection is made, in TLS if asked for, and every --expect is met, in order. FAIL when it is refused
    or not accepted in time, when TLS fails, or when the server says something else, closes, or says nothing.

    Without --expect nothing but the connection is tested, and the kernel accepts connections for a process that hangs:
    give the server something to say. Texts may hold \r, \n, \t, \0, \\ and \xHH.
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
    starttls: Literal["imap", "ldap", "mysql", "postgres", "smtp"] | None = option(
        default=None, help="Ask for TLS in this protocol's way, then speak it."
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
        with self.connect(self.target, deadline) as stream:
            measured = self._secure(stream) if self.tls or self.starttls else {}
            if self.dialogue:
                with deadline.during("dialogue"):
                    hold(self.dialogue, stream)
        connecting = in_words(deadline.phases["connect"])
        told = f"accepted the connection in {connecting}"
        if self.dialogue:
            told += " and answered as expected"
        return Verdict.passing(f"{self.target} {told}", **measured)

    def _secure(self, stream: Stream) -> dict[str, float]:
        if self.starttls is not None:
            PROTOCOLS[self.starttls](stream)
        stream.start_tls(self.context(), self.server_name or self.target.host)
        return self.judge_certificate(stream)
