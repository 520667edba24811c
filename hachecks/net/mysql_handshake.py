"""How MySQL's handshake begins, and how it is left without harm (protocol version 10).

Tried on MariaDB 10.11, by `performance_schema.host_cache`: whoever hangs up in the handshake is counted in
sum_connect_errors, and max_connect_errors of them block the address, applications on it included. Likewise COM_QUIT
before the login, a login without CLIENT_PLUGIN_AUTH (error 1251), an answer to an AuthSwitchRequest that has not the
plugin's form, and TLS that was asked for and not finished. A login that is denied is not counted, and only one that
succeeds resets the count. Nor is anybody's account locked (FAILED_LOGIN_ATTEMPTS), since nobody has this name.
"""

from __future__ import annotations

from time import sleep

from hachecks.deadline import Deadline, TimedOut
from hachecks.net.reasons import unexpected
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.net.transport import Stream

MAX_PACKET_BYTES = 4096
CONNECT_WITH_DATABASE, PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH = 0x8, 0x200, 0x800, 0x8000, 0x80000
CONNECT_ATTRIBUTES = 0x100000
FLAGS = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH
"""What a login of ours can do; a request for TLS before it must say the same."""
VERSION_10, ERROR = 0x0A, 0xFF
SWITCH, MORE, ACCEPTED = b"\xfe", b"\x01", b"\0"
EMPTY_PASSWORD, COM_QUIT = b"\0", b"\x01"
CLIENT_MAX_PACKET_BYTES, UTF8MB4 = 2**24 - 1, 45
BLOCKED = 1129
NOBODY = "hacheck"
"""A user that no server has; the name is what its log shows."""
ADVICE = "it is a MySQL server, which counts who leaves without a login and may block this node: ask it by sql"
MAX_ROUNDS = 5
SIGNATURE_OF_NOBODY = bytes(64)
TLS_PAUSE_SECONDS = 0.02
"""Seconds for the server to read the request for TLS alone: other clients begin TLS some milliseconds later, and who
reads all that is there, as a small proxy may, takes both for one long request, and answers without TLS."""
LEAVE_SECONDS = 0.25
"""Seconds for the goodbye of a check that did not know whom it asks."""


def looks_like_it(start: bytes) -> bool:
    """Whether these are the first bytes of a greeting, or of a refusal."""
    return len(start) > 4 and start[2:4] == b"\0\0" and start[4] in (VERSION_10, ERROR)


def request_tls(stream: Stream) -> None:
    """Hear the greeting, and ask for TLS; raises `Failure`, `CannotLook` or `TimedOut`."""
    capabilities = greeting(stream)
    if not capabilities & SSL:
        part(stream, 1)
        raise Failure(f"{stream.where} does not offer TLS", "tls")
    stream.sendall(_packet(1, _client(FLAGS | SSL)))
    sleep(min(TLS_PAUSE_SECONDS, stream.deadline.remaining()))


def greeting(stream: Stream) -> int:
    """The capabilities a server greets with; raises `Failure`, or `CannotLook` where this node is blocked."""
    header = stream.read_exactly(4)
    length = int.from_bytes(header[:3], "little")
    if not 1 <= length <= MAX_PACKET_BYTES:
        raise unexpected(stream.where, header, "a MySQL greeting")
    text = stream.read_exactly(length)
    if text[0] == ERROR and length > 3:
        raise _refusal(stream, text)
    # version 10, the server's version up to a NUL, 4 bytes thread id, 8 bytes salt, 1 byte filler, capabilities
    end_of_version = text.find(b"\0")
    if text[0] != VERSION_10 or end_of_version < 0:
        raise unexpected(stream.where, text, "a MySQL greeting")
    return int.from_bytes(text[end_of_version + 14 : end_of_version + 16], "little")


def _refusal(stream: Stream, packet: bytes) -> Failure | CannotLook:
    code = int.from_bytes(packet[1:3], "little")
    said = packet[9:] if packet[3:4] == b"#" else packet[3:]
    told = f"{stream.where} says: {said.decode('utf-8', 'replace')} (error {code})"
    return CannotLook(told, "auth") if code == BLOCKED else Failure(told, "status")


def leave(stream: Stream) -> None:
    """End a handshake in which TLS has begun."""
    part(stream, 2)


def leave_after(heard: bytes, stream: Stream, *, is_read: bool, has_spoken: bool) -> str:
    """Leave a server that happened to say this, if it is MySQL's; returns what to say of it, beside the verdict."""
    if not looks_like_it(heard):
        return ""
    before = stream.deadline
    try:
        stream.deadline = Deadline.after(min(LEAVE_SECONDS, before.remaining()))
        if not is_read:
            greeting(stream)  # raises what a server says that does not greet
        if not has_spoken:
            part(stream, 1)
    except (Failure, CannotLook) as failure:
        if heard[4] == ERROR and not is_read:
            return f"; {failure}"
    except TimedOut:
        pass
    finally:
        stream.deadline = before
    return f"; {ADVICE}"


def part(stream: Stream, number: int, flags: int = FLAGS) -> None:
    """After the greeting, or after TLS began: log in as nobody, and hear the refusal."""
    _say(stream, number, _login(flags))


def part_amid_login(stream: Stream, number: int) -> None:
    """After the server asked for something that we do not give: give an empty password, and hear the refusal."""
    _say(stream, number, EMPTY_PASSWORD)


def part_unheard(stream: Stream) -> None:
    """When time is up and the server has not greeted: leave the login for it to find, and wait for nothing.

    A server that hung finds the connections of all the checks in its queue, and would count them. Not counted if the
    plugin of the account that it pretends to look up needs no answer.
    """
    try:
        stream.sock.settimeout(0)
        stream.sock.sendall(_packet(1, _login(FLAGS)))
    except OSError:
        pass


def _say(stream: Stream, number: int, payload: bytes) -> None:
    try:
        for _ in range(MAX_ROUNDS):
            stream.sendall(_packet(number, payload))
            head = stream.read_exactly(4)
            answer = stream.read_exactly(min(int.from_bytes(head[:3], "little"), MAX_PACKET_BYTES))
            number = head[3] + 1
            if answer[:1] == ACCEPTED:
                stream.sendall(_packet(0, COM_QUIT))
            if answer[:1] not in (SWITCH, MORE):
                return
            # Without a password, in the plugin's form: what has another form counts as a handshake that broke off.
            payload = SIGNATURE_OF_NOBODY if answer[1:].startswith(b"client_ed25519\0") else EMPTY_PASSWORD
    except (Failure, CannotLook, TimedOut):
        return


def _login(flags: int) -> bytes:
    """HandshakeResponse41 of nobody, without a password."""
    body = _client(flags) + NOBODY.encode() + b"\0" + EMPTY_PASSWORD
    body += b"\0" if flags & CONNECT_WITH_DATABASE else b""
    body += b"mysql_native_password\0"
    return body + (b"\0" if flags & CONNECT_ATTRIBUTES else b"")


def _client(flags: int) -> bytes:
    """How the answer to the greeting begins: flags, largest packet, character set, 23 bytes that mean nothing."""
    return flags.to_bytes(4, "little") + CLIENT_MAX_PACKET_BYTES.to_bytes(4, "little") + bytes([UTF8MB4]) + bytes(23)


def _packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload
