"""A dialogue with a server: what is sent and what must come back, step by step."""

from __future__ import annotations

from hachecks.deadline import TimedOut
from hachecks.verdict import Failure, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from hachecks.net.transport import Stream

MAX_UNMATCHED_BYTES = 65536
"""Bytes read in search of one expectation."""
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
KINDS = ("send", "send-hex", "expect", "expect-hex", "expect-regex")


class Step:
    """One step of a dialogue: bytes to send, bytes to wait for, or a pattern to wait for."""

    __slots__ = ("data", "kind", "pattern", "text")

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        self.text = text
        self.data = b""
        self.pattern: re.Pattern[bytes] | None = None
        if kind == "expect-regex":
            if not text:
                raise ValueError("there is nothing to expect")
            self.pattern = compiled(text)
        else:
            self.data = from_hex(text) if kind.endswith("-hex") else unescaped(text)
            if not self.data:
                raise ValueError(f"there is nothing to {kind}")

    @classmethod
    def parse(cls, text: str) -> Step:
        """From `send TEXT`, `send-hex HEX`, `expect TEXT`, `expect-hex HEX` or `expect-regex PATTERN`."""
        kind, blank, rest = text.partition(" ")
        if kind not in KINDS or not blank:
            raise ValueError(f"{text!r} is not a step; write one of {', '.join(f'{k} …' for k in KINDS)}")
        return cls(kind, rest)

    def __repr__(self) -> str:
        return f"{self.kind} {self.text}"

    def end_in(self, data: bytes) -> int:
        """Where in the data the expectation has been met, or -1."""
        if self.pattern is not None:
            match = self.pattern.search(data)
            return match.end() if match else -1
        at = data.find(self.data)
        return at + len(self.data) if at >= 0 else -1


def hold(dialogue: Sequence[Step], stream: Stream) -> bytes:
    """Take the steps in order, and return the beginning of what was heard; raises `Failure`.

    What comes after a met expectation is left for the next.
    """
    unread = start = b""
    for step in dialogue:
        if step.kind.startswith("send"):
            stream.sendall(step.data)
        else:
            heard, unread = _await(step, unread, stream)
            start = start or heard
    return start


def _await(step: Step, unread: bytes, stream: Stream) -> tuple[bytes, bytes]:
    """What was heard, and what of it comes after the expectation."""
    while True:
        end = step.end_in(unread)
        if end >= 0:
            return unread, unread[end:]
        if len(unread) >= MAX_UNMATCHED_BYTES:
            raise Failure(f"{stream.where} sent {MAX_UNMATCHED_BYTES} bytes without {step.text!r}", "body")
        try:
            more = stream.recv(4096)
        except TimedOut:
            told = f"{_said(unread)}, not {step.text!r}, within {in_words(stream.deadline.seconds)}"
            raise Failure(f"{stream.where} {told}", "body" if unread else "timeout") from None
        if not more:
            told = f"{_said(unread)} and closed the connection; expected {step.text!r}"
            raise Failure(f"{stream.where} {told}", "body" if unread else "protocol")
        unread += more


def _said(data: bytes) -> str:
    return f"said {data[:80].decode('utf-8', 'replace')!r}" if data else "said nothing"


def unescaped(text: str) -> bytes:
    r"""The text in UTF-8, with \r \n \t \0 \\ and \xHH replaced; raises `ValueError` at any other."""
    parts: list[bytes] = []
    rest = text
    while rest:
        plain, backslash, rest = rest.partition("\\")
        parts.append(plain.encode())
        if not backslash:
            break
        code, rest = rest[:1], rest[1:]
        if code == "x":
            parts.append(from_hex(rest[:2]))
            rest = rest[2:]
        elif code in ESCAPES:
            parts.append(ESCAPES[code])
        else:
            raise ValueError(f"{text!r} has an unknown escape \\{code} (known are \\r \\n \\t \\0 \\\\ \\xHH)")
    return b"".join(parts)


def from_hex(text: str) -> bytes:
    """Bytes from pairs of hexadecimal digits, blanks between them allowed."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if not data:
        raise ValueError(f"{text!r} is not pairs of hexadecimal digits")
    return data


def compiled(text: str) -> re.Pattern[bytes]:
    """A regular expression over bytes; raises `ValueError`."""
    import re

    try:
        return re.compile(text.encode(), re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
