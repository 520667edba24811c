"""How is a DNS question asked on the wire, and what does an answer say? (RFC 1035, RFC 3596, RFC 2782)"""

from __future__ import annotations

from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
else:
    import _socket as socket  # see transport

TYPES: Mapping[str, int] = {
    "A": 1, "AAAA": 28, "CNAME": 5, "MX": 15, "NS": 2, "PTR": 12, "SOA": 6, "SRV": 33, "TXT": 16,
}  # fmt: skip
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
IN = 1
HEADER = 12
RESPONSE, AUTHORITATIVE, TRUNCATED, RECURSION_DESIRED = 0x8000, 0x0400, 0x0200, 0x0100
MOST_JUMPS = 64


class Name:
    """A domain name."""

    @staticmethod
    def parse(text: str) -> str:
        """The name without its final dot; raises `ValueError`."""
        name = text[:-1] if text.endswith(".") else text
        if not text.isascii():
            raise ValueError(f"{text!r} is not ASCII; write an internationalised name in its xn-- form")
        labels = name.split(".") if name else []
        if len(name) > 253 or any(not 1 <= len(label) <= 63 for label in labels) or not text.isprintable():
            raise ValueError(f"{text!r} is not a domain name")
        return name


def question(name: str, kind: str, identity: int, recursion: bool) -> bytes:
    """A query for the records of one type."""
    flags = RECURSION_DESIRED if recursion else 0
    header = b"".join(number.to_bytes(2, "big") for number in (identity, flags, 1, 0, 0, 0))
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    return header + labels + b"\0" + TYPES[kind].to_bytes(2, "big") + IN.to_bytes(2, "big")


class Answer:
    """A response, taken apart; raises `Failure` when it is none to this query."""

    def __init__(self, data: bytes, query: bytes, where: str) -> None:
        asked = query[HEADER:]
        same_question = data[HEADER : HEADER + len(asked)].lower() == asked.lower()
        # A server that cannot read the question may answer with the header alone.
        header_alone = len(data) == HEADER and data[4:6] == b"\0\0"
        if not same_question and not header_alone:
            raise Failure(f"{where} sent what is no answer to the question", "protocol")
        self.flags = int.from_bytes(data[2:4], "big")
        number = self.flags & 0xF
        self.rcode = RCODES[number] if number < len(RCODES) else f"RCODE{number}"
        self.data = data
        self.where = where
        self.kind = int.from_bytes(asked[-4:-2], "big")
        self.start = HEADER + len(asked)

    @property
    def authoritative(self) -> bool:
        """Whether the server is an authority for the name."""
        return bool(self.flags & AUTHORITATIVE)

    @property
    def truncated(self) -> bool:
        """Whether the answer did not fit into a datagram."""
        return bool(self.flags & TRUNCATED)

    def records(self) -> list[str]:
        """The records of the type asked for, as text; raises `Failure` when they cannot be read."""
        found: list[str] = []
        try:
            at = self.start
            for _ in range(int.from_bytes(self.data[6:8], "big")):
                _, at = self._name(at)
                kind, length = self._number(at), self._number(at + 8)
                at += 10
                if kind == self.kind:
                    found.append(self._text(at, length))
                at += length
        except (IndexError, OSError, UnicodeDecodeError):
            raise Failure(f"{self.where} sent an answer that cannot be read", "protocol") from None
        return found

    def _number(self, at: int, size: int = 2) -> int:
        if at + size > len(self.data):
            raise IndexError
        return int.from_bytes(self.data[at : at + size], "big")

    def _name(self, at: int) -> tuple[str, int]:
        """The name at an offset, and the offset after it; pointers are followed, loops are not."""
        labels: list[str] = []
        after = 0
        for _ in range(MOST_JUMPS + 128):
            size = self.data[at]
            if size & 0xC0 == 0xC0:
                after = after or at + 2
                at = self._number(at) & 0x3FFF
            elif size == 0:
                return ".".join(labels) or ".", after or at + 1
            else:
                labels.append(self.data[at + 1 : at + 1 + size].decode("ascii"))
                at += 1 + size
        raise IndexError

    def _text(self, at: int, length: int) -> str:
        data = self.data[at : at + length]
        if self.kind == TYPES["A"]:
            return socket.inet_ntop(socket.AF_INET, data)
        if self.kind == TYPES["AAAA"]:
            return socket.inet_ntop(socket.AF_INET6, data)
        if self.kind == TYPES["MX"]:
            return f"{self._number(at)} {self._name(at + 2)[0]}"
        if self.kind == TYPES["SRV"]:
            return " ".join([*(str(self._number(at + n)) for n in (0, 2, 4)), self._name(at + 6)[0]])
        if self.kind == TYPES["TXT"]:
            return self._strings(at, at + length)
        if self.kind == TYPES["SOA"]:
            primary, at = self._name(at)
            mailbox, at = self._name(at)
            return " ".join([primary, mailbox, *(str(self._number(at + n, 4)) for n in range(0, 20, 4))])
        return self._name(at)[0]

    def _strings(self, at: int, end: int) -> str:
        text = b""
        while at < end:
            size = self.data[at]
            text += self.data[at + 1 : at + 1 + size]
            at += 1 + size
        return text.decode("utf-8", "replace")
