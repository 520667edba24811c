"""How MySQL's handshake begins, and how it is left without harm (protocol version 10).

MySQL and MariaDB count a client that leaves before its login as a failed handshake, COM_QUIT included, and after
`max_connect_errors` of them refuse the whole address. A login that is denied does not count (MariaDB 10.11, column
SUM_CONNECT_ERRORS of performance_schema.host_cache).
"""

from __future__ import annotations

from hachecks.deadline import Deadline, TimedOut
from hachecks.starttls import exactly, unexpected
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.starttls import Caller
    from hachecks.transport import Stream

LONGEST_PACKET = 4096
PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH = 0x200, 0x800, 0x8000, 0x80000
VERSION_10, ERROR, OK, OTHER_PLUGIN = 0x0A, 0xFF, 0x00, 0xFE
BLOCKED = 1129
NOBODY = b"hacheck"
"""A user that no server has; the name is what its log shows."""
ADVICE = "it is a MySQL server, which counts who leaves without a login and may block this node: ask it by sql"
MOST_ANSWERS = 5
SIGNATURE_OF_NOBODY = bytes(64)
TIME_TO_LEAVE = 0.25
"""Seconds for the goodbye of a check that did not know whom it asks."""


def looks_like_it(start: bytes) -> bool:
    """Whether these are the first bytes of a greeting, or of a refusal."""
    return len(start) > 4 and start[2:4] == b"\0\0" and start[4] in (VERSION_10, ERROR)


def mysql(stream: Stream, _caller: Caller) -> None:
    """Hear the greeting, and ask for TLS."""
    capabilities = greeting(stream)
    if not capabilities & SSL:
        log_in_as_nobody(stream, 1)
        raise Failure(f"{stream.where} does not offer TLS", "tls")
    _send(stream, 1, _client(PROTOCOL_41 | SSL | SECURE_CONNECTION | PLUGIN_AUTH))


def greeting(stream: Stream) -> int:
    """The capabilities a server greets with; raises `Failure`, or `CannotLook` where this node is blocked."""
    header = exactly(stream, 4)
    length = int.from_bytes(header[:3], "little")
    if not 1 <= length <= LONGEST_PACKET:
        raise unexpected(stream, header, "a MySQL greeting")
    text = exactly(stream, length)
    if text[0] == ERROR and length > 3:
        raise _refusal(stream, text)
    # version 10, the server's version up to a NUL, 4 bytes thread id, 8 bytes salt, 1 byte filler, capabilities
    end_of_version = text.find(b"\0")
    if text[0] != VERSION_10 or end_of_version < 0:
        raise unexpected(stream, text, "a MySQL greeting")
    return int.from_bytes(text[end_of_version + 14 : end_of_version + 16], "little")


def _refusal(stream: Stream, packet: bytes) -> Failure | CannotLook:
    code = int.from_bytes(packet[1:3], "little")
    said = packet[9:] if packet[3:4] == b"#" else packet[3:]
    told = f"{stream.where} says: {said.decode('utf-8', 'replace')} (error {code})"
    return CannotLook(told, "auth") if code == BLOCKED else Failure(told, "status")


def leave(stream: Stream) -> None:
    """End a handshake in which TLS has begun."""
    log_in_as_nobody(stream, 2)


def leave_after(heard: bytes, stream: Stream, *, is_read: bool, has_spoken: bool) -> str:
    """Leave a server that happened to say this, if it is MySQL's; returns what to say of it, beside the verdict."""
    if not looks_like_it(heard):
        return ""
    before = stream.deadline
    try:
        stream.deadline = Deadline.after(min(TIME_TO_LEAVE, before.remaining()))
        if not is_read:
            greeting(stream)  # raises what a server says that does not greet
        if not has_spoken:
            log_in_as_nobody(stream, 1)
    except (Failure, CannotLook) as failure:
        if heard[4] == ERROR and not is_read:
            return f"; {failure}"
    except TimedOut:
        pass
    finally:
        stream.deadline = before
    return f"; {ADVICE}"


def log_in_as_nobody(stream: Stream, number: int) -> None:
    """Finish the handshake by a login that is denied; should it not be, quit."""
    plugin = b"mysql_native_password\0"
    _send(stream, number, _client(PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH) + NOBODY + b"\0" + b"\0" + plugin)
    for _ in range(MOST_ANSWERS):
        header = exactly(stream, 4)
        answer = exactly(stream, min(int.from_bytes(header[:3], "little"), LONGEST_PACKET))
        if answer[:1] == bytes([ERROR]):
            return
        if answer[:1] == bytes([OK]):
            _send(stream, 0, b"\x01")
            return
        # Without a password, in the plugin's form: what has another form counts as a handshake that broke off.
        _send(stream, header[3] + 1, SIGNATURE_OF_NOBODY if answer[1:].startswith(b"client_ed25519") else b"\0")


def _client(capabilities: int) -> bytes:
    """How the answer to the greeting begins: capabilities, largest packet, utf8, 23 bytes that mean nothing."""
    return capabilities.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x21" + bytes(23)


def _send(stream: Stream, number: int, payload: bytes) -> None:
    stream.sendall(len(payload).to_bytes(3, "little") + bytes([number & 0xFF]) + payload)
