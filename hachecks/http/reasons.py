"""Reasons why there is no HTTP response: the engines' errors in words for people, and whose fault they are."""

from __future__ import annotations

import re

from hachecks.verdict import CannotLook, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hachecks.http.exchange import HttpcoreStream

QUOTED_BYTES = 60
PYTHON_BYTES = re.compile(r"(?:bytearray\()?\bb(['\"])(.*?)\1\)?")
WORDS = (
    ("Receive buffer too long", "its header is too long"),
    ("Received server", "it switched to another protocol, unasked"),
    ("bad Content-Length", "its Content-Length is not a number"),
)
"""What h11 says in its own words, by how it begins."""
CLOSED = ("disconnected", "unexpectedly closed")


class NotProcessed(Exception):  # noqa: N818 - the name says what happened
    """The server has not begun with the request, so it may be made again on a new connection (RFC 9113, 6.8, 8.7)."""


def explained(error: Exception, wire: HttpcoreStream) -> Failure | CannotLook:
    """The engine's error as a reason, and as our inability where it is our request that breaks the protocol."""
    where, said = wire.stream.where, str(error)
    if type(error).__name__ == "LocalProtocolError":
        return CannotLook(f"{where} cannot be asked this: {plain(said)}")
    if wire.unsent is not None and not wire.has_heard:
        return wire.unsent
    if wire.unsent is not None or any(word in said for word in CLOSED):
        how_far = "in the middle of" if wire.has_heard else "without"
        return Failure(f"{where} closed the connection {how_far} an answer", "protocol")
    if said.startswith("does not speak"):
        return Failure(f"{where} {said}", "protocol")
    return Failure(f"{where} gave no proper HTTP answer: {plain(said)}", "protocol")


def plain(said: str) -> str:
    """What an engine says, without Python's way to write bytes."""
    for beginning, words in WORDS:
        if said.startswith(beginning):
            return words
    return PYTHON_BYTES.sub(r"'\2'", said) or "it broke the rules"


def quoted(data: bytes) -> str:
    """The first line of what was said, if it is text."""
    line = data.strip().partition(b"\n")[0][:QUOTED_BYTES].decode("utf-8", "replace").strip()
    return repr(line) if line and line.isprintable() and "\N{REPLACEMENT CHARACTER}" not in line else ""


def speaks_otherwise(data: bytes, protocol: str) -> str:
    """That the protocol is not spoken, and what is instead, as far as it can be seen."""
    instead = ""
    if data[:1] in (b"\x15", b"\x16") and data[1:2] == b"\3":
        instead = ", but TLS"
    elif data[:2] == b"\0\0" and data[3:5] == b"\4\0":
        instead = ", but HTTP/2"
    elif quoted(data):
        instead = f": it said {quoted(data)}"
    return f"does not speak {protocol}{instead}"
