"""Journald notifier: writes an entry to systemd's journal for each event."""

from __future__ import annotations

import fcntl
import os
import socket

from hachecks.messages.fields import facts, severity
from hachecks.net.target import Target
from hachecks.net.transport import NetworkOptions
from hachecks.settings import option, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.deadline import Deadline
    from hachecks.messages.message import Message
    from hachecks.net.transport import Stream

PRIORITIES = {"info": "6", "warning": "4", "critical": "2"}
MESSAGE_IDS = {
    "MASTER": "8cbac58075434b8283511069428bd486",
    "BACKUP": "6dafab6925cf4000b43d682a77a764a6",
    "FAULT": "abc10e2d8d534f8bbbc2f16575bf8b93",
    "STOP": "36f64767fa6c4703bf75e83a489ddf60",
    "DELETED": "788dccd3e2d74f7ca860d53e3a20decf",
}
MESSAGE_ID_OF_OTHERS = "551c682b3e994693bed93363f6a3704c"
LARGEST_DATAGRAM = 64 * 1024
"""Bytes beyond which an entry is handed over as a file, as the protocol has it; the kernel takes about 200 KiB."""
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


@settings
class JournaldNotifier:
    """Write to systemd's journal.

    One entry for each event, with a MESSAGE_ID for each state (journalctl MESSAGE_ID=abc10e2d8d534f8bbbc2f16575bf8b93
    shows all FAULTs) and everything known in fields of its own: HACHECK_NAME, HACHECK_STATE, HACHECK_BEFORE,
    HACHECK_VIPS, HACHECK_KEY and so on. In a container, the node's /run/systemd/journal must be mounted.
    """

    wants_all_events = True

    socket: str = option(default="/run/systemd/journal/socket", metavar="PATH", help="The journal's socket.")
    identifier: str = option(default="hacheck", metavar="NAME", help="The SYSLOG_IDENTIFIER of the entries.")

    def send(self, message: Message, deadline: Deadline) -> str:
        """Write an entry for each event."""
        entries = list(self._entries(message))
        with NetworkOptions().datagrams(Target("", None, self.socket), deadline) as stream:
            for entry in entries:
                _write(stream, entry)
        return f"wrote {len(entries)} {'entry' if len(entries) == 1 else 'entries'} to {self.socket}"

    def _entries(self, message: Message) -> Iterator[bytes]:
        for change, event in message.one_by_one:
            known = facts(message, change, event)
            fields = {
                "MESSAGE": f"{'[test] ' if message.test else ''}{change.line(event)}",
                "MESSAGE_ID": MESSAGE_IDS.get(event.state, MESSAGE_ID_OF_OTHERS),
                "PRIORITY": PRIORITIES[severity(event).name],
                "SYSLOG_IDENTIFIER": self.identifier,
                **{f"HACHECK_{name.upper()}": value for name, value in known.items() if value},
            }
            yield b"".join(field(name, value) for name, value in fields.items())


def field(name: str, value: str) -> bytes:
    """One field as the journal's native protocol has it: with its length where the value has several lines."""
    data = value.encode("utf-8", "replace")
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode(), data)
    return b"%s\n%s%s\n" % (name.encode(), len(data).to_bytes(8, "little"), data)


def _write(stream: Stream, entry: bytes) -> None:
    if len(entry) <= LARGEST_DATAGRAM:
        stream.sendall(entry)
        return
    file = os.memfd_create("hacheck", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.write(file, entry)
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, SEALS)
        stream.sock.settimeout(stream.deadline.remaining())
        socket.send_fds(stream.sock, [b""], [file])
    finally:
        os.close(file)
