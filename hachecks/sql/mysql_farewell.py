"""How does a client leave a MySQL server that it does not log in to? By a login that is denied.

Tried on MariaDB 10.11, by `performance_schema.host_cache`: whoever hangs up in the handshake is counted in
sum_connect_errors, and max_connect_errors of them block the address, applications on it included. Likewise COM_QUIT
before the login, a login without CLIENT_PLUGIN_AUTH (error 1251), an answer to an AuthSwitchRequest that has not the
plugin's form, and TLS that was asked for and not finished. A login that is denied is not counted, and only one that
succeeds resets the count. Nor is anybody's account locked (FAILED_LOGIN_ATTEMPTS), since nobody has this name.
"""

from __future__ import annotations

from hachecks.deadline import TimedOut
from hachecks.starttls import exactly
from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.transport import Stream

NOBODY = "hacheck"
CONNECT_WITH_DATABASE, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH = 0x8, 0x200, 0x8000, 0x80000
CONNECT_ATTRIBUTES = 0x100000
FLAGS = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH
"""What a login of ours can do; an SSLRequest before it must say the same."""
LARGEST_PACKET, UTF8MB4 = 2**24 - 1, 45
SWITCH, MORE, ACCEPTED = b"\xfe", b"\x01", b"\0"
EMPTY_PASSWORD, COM_QUIT = b"\0", b"\x01"
SIGNATURE_OF_NOBODY = bytes(64)
ROUNDS = 4


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
        for _ in range(ROUNDS):
            stream.sendall(_packet(number, payload))
            head = exactly(stream, 4)
            answer = exactly(stream, int.from_bytes(head[:3], "little"))
            number = head[3] + 1
            if answer[:1] == ACCEPTED:
                stream.sendall(_packet(0, COM_QUIT))
            if answer[:1] not in (SWITCH, MORE):
                return
            payload = SIGNATURE_OF_NOBODY if answer[1:].startswith(b"client_ed25519\0") else EMPTY_PASSWORD
    except (Failure, CannotLook, TimedOut):
        return


def _login(flags: int) -> bytes:
    """HandshakeResponse41 of nobody, without a password."""
    body = flags.to_bytes(4, "little") + LARGEST_PACKET.to_bytes(4, "little") + bytes([UTF8MB4]) + bytes(23)
    body += NOBODY.encode() + b"\0" + EMPTY_PASSWORD
    body += b"\0" if flags & CONNECT_WITH_DATABASE else b""
    body += b"mysql_native_password\0"
    return body + (b"\0" if flags & CONNECT_ATTRIBUTES else b"")


def _packet(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload
