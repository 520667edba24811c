"""Syslog notifier: writes a message for each event to the node's own syslog, or to a server's."""

from __future__ import annotations

import socket

from hachecks.deadline import Deadline, TimedOut
from hachecks.net.target import Target
from hachecks.net.tls import TlsOptions
from hachecks.net.transport import NetworkOptions, Stream, explained
from hachecks.services import syslog_message
from hachecks.settings import option, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hachecks.messages.message import Message

PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
DATAGRAM_LIMIT = 2048
"""Bytes that every receiver should take (RFC 5424, section 6.1)."""
MESSAGE_LIMIT = 8192
"""Bytes of a message otherwise: rsyslog's own limit."""
CLOSE_TIMEOUT = 2.0
"""Seconds for which a server that took all of it may leave the connection open."""


@settings
class SyslogNotifier(NetworkOptions, TlsOptions):
    """Write to syslog: the node's own, or a server's.

    One message for each event. Over a network it is RFC 5424 with everything known as structured data, by UDP (514, at
    most 2048 bytes), TCP (601, octet-counted: RFC 6587) or TLS (6514: RFC 5425). At a unix socket it is what syslog(3)
    writes there, since rsyslog and journald take RFC 5424 at /dev/log for something else.

    Syslog says nothing back: a datagram may be lost. By TCP and TLS the server is given two seconds to close when it
    has read everything; a connection that it resets is tried again.
    """

    wants_all_events = True

    server: Target = option(
        default=Target.parse("unix:/dev/log"), metavar="TARGET", help="HOST[:PORT] or unix:/PATH of the server."
    )
    transport: Literal["udp", "tcp", "tls"] = option(default="udp", help="The way to a HOST.")
    facility: Literal[
        "user", "daemon", "auth", "syslog", "authpriv",
        "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ] = option(default="daemon", help="The facility.")  # fmt: skip
    app_name: str = option(default="hacheck", metavar="NAME", help="The APP-NAME, or tag.")
    message_format: Literal["auto", "rfc5424", "local"] = option(
        default="auto", help="What is written; auto is local at a unix socket and rfc5424 elsewhere."
    )

    def validate(self) -> None:
        """Refuse what contradicts itself."""
        self.validate_network()
        self.validate_tls(self.transport == "tls", "--transport tls")
        if self.server.path and self.transport != "udp":
            raise ValueError(f"--transport {self.transport} needs a HOST as the --server")

    def send(self, message: Message, deadline: Deadline) -> str:
        """Write a message for each event."""
        streaming = self.transport != "udp"
        local = self.message_format == "local" or (self.message_format == "auto" and bool(self.server.path))
        write = syslog_message.local if local else syslog_message.rfc5424
        longest = MESSAGE_LIMIT if streaming or self.server.path else DATAGRAM_LIMIT
        texts = [
            write(message, change, event, self.facility, self.app_name, longest) for change, event in message.one_by_one
        ]
        server = Target(self.server.host, self.server.port or PORTS[self.transport], self.server.path)
        if streaming:
            self._stream(server, deadline, b"".join(b"%d %s" % (len(text), text) for text in texts))
        else:
            with self.datagrams(server, deadline) as stream:
                for text in texts:
                    stream.sendall(text)
        return f"wrote {len(texts)} {'message' if len(texts) == 1 else 'messages'} to {self.server}"

    def _stream(self, server: Target, deadline: Deadline, data: bytes) -> None:
        context = self.context() if self.transport == "tls" else None
        with self.connect(server, deadline) as stream:
            if context is not None:
                stream.start_tls(context, self.server_name or server.host)
                self.judge_certificate(stream)
                stream.hear_out()  # rsyslog looks at our certificate when the handshake has long ended
            stream.sendall(data)
            _wait_for_the_end(stream)


def _wait_for_the_end(stream: Stream) -> None:
    """Say that nothing more will come, and wait for the server to close: it does when it has read everything."""
    sock = stream.sock
    waiting = Stream(sock, Deadline.after(min(CLOSE_TIMEOUT, stream.deadline.remaining())), stream.where)
    sock.settimeout(waiting.deadline.remaining())
    try:
        if hasattr(sock, "unwrap"):
            sock.unwrap()
            return
        sock.shutdown(socket.SHUT_WR)
        while waiting.recv(4096):
            pass
    except (socket.timeout, TimedOut):
        stream.deadline.remaining()
    except OSError as error:
        if type(error).__name__ != "SSLEOFError":  # closed without TLS's goodbye, as many do
            raise explained(error, stream.where, "be talked to") from None
