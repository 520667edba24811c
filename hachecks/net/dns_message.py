"""DNS messages: a query as it is sent, and a response taken apart (RFC 1035, RFC 3596, RFC 2782)."""

from __future__ import annotations

from hachecks.verdict import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping
else:
    import _socket as socket  # see transport

TYPES: Mapping[str, int] = {
    "A": 1, "AAAA": 28, "CNAME": 5, "MX": 15, "NS": 2, "PTR": 12, "SOA": 6, "SRV": 33, "TXT": 16,
}  # fmt: skip
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
IN = 1
HEADER_BYTES = 12
RESPONSE, OPCODE, AUTHORITATIVE, TRUNCATED, RECURSION_DESIRED = 0x8000, 0x7800, 0x0400, 0x0200, 0x0100
MAX_NAME_BYTES = 255
MAX_NAME_STEPS = 192
"""Labels and pointers in one name: 127 labels are the most, and what jumps oftener is a loop."""
SHAPES = {TYPES["MX"]: (2, 0), TYPES["SRV"]: (2, 2, 2, 0), TYPES["SOA"]: (0, 0, 4, 4, 4, 4, 4)}
"""Of what a record's data consists: numbers of so many bytes, and names (0)."""
FAMILIES = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}


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


class Unreadable(Exception):  # noqa: N818 - the name says what happened
    """The bytes are no DNS message, or none that is whole."""


class Answer:
    """A response to a query, taken apart."""

    def __init__(self, data: bytes, query: bytes, where: str) -> None:
        self.flags = int.from_bytes(data[2:4], "big")
        number = self.flags & 0xF
        self.rcode = RCODES[number] if number < len(RCODES) else f"RCODE{number}"
        self.data = data
        self.where = where
        self.kind = int.from_bytes(query[-4:-2], "big")
        self.start = min(len(query), len(data))

    @property
    def authoritative(self) -> bool:
        """Whether the server is an authority for the name."""
        return bool(self.flags & AUTHORITATIVE)

    @property
    def truncated(self) -> bool:
        """Whether the answer did not fit into a datagram."""
        return bool(self.flags & TRUNCATED)

    def records(self) -> list[str]:
        """The records of the type asked for, of the name asked for or its aliases; raises `Failure`."""
        try:
            found = list(self._entries())
            name = self._name(HEADER_BYTES)[0].lower() if found else ""
        except (IndexError, Unreadable):
            raise Failure(f"{self.where} sent an answer that cannot be read", "protocol") from None
        aliases = {owner: text.lower() for owner, kind, text in found if kind == TYPES["CNAME"]}
        names = {name}
        while name in aliases and aliases[name] not in names:  # in whichever order they came
            name = aliases[name]
            names.add(name)
        return [text for owner, kind, text in found if kind == self.kind and owner in names]

    def _entries(self) -> Iterator[tuple[str, int, str]]:
        """The owner, type and text of each record that matters; raises `IndexError` or `Unreadable`."""
        at = self.start
        for _ in range(int.from_bytes(self.data[6:8], "big")):
            owner, at = self._name(at)
            kind, place, length = self._number(at), self._number(at + 2), self._number(at + 8)
            at += 10
            if at + length > len(self.data):
                raise Unreadable
            if place == IN and kind in (self.kind, TYPES["CNAME"]):
                yield owner.lower(), kind, self._text(kind, at, at + length)
            at += length

    def _number(self, at: int, size: int = 2) -> int:
        if at + size > len(self.data):
            raise Unreadable
        return int.from_bytes(self.data[at : at + size], "big")

    def _name(self, at: int) -> tuple[str, int]:
        """The name at an offset, and the offset after it; pointers are followed, loops are not."""
        labels: list[str] = []
        after = length = 0
        for _ in range(MAX_NAME_STEPS):
            size = self.data[at]
            if size & 0xC0 == 0xC0:
                after = after or at + 2
                at = self._number(at) & 0x3FFF
            elif size == 0:
                return ".".join(labels) or ".", after or at + 1
            else:
                length += 1 + size
                if size & 0xC0 or at + 1 + size > len(self.data) or length > MAX_NAME_BYTES:
                    raise Unreadable
                labels.append("".join(map(_shown, self.data[at + 1 : at + 1 + size])))
                at += 1 + size
        raise Unreadable

    def _text(self, kind: int, at: int, end: int) -> str:
        """The data of a record, which has to end where its length says."""
        data = self.data[at:end]
        for name, family in FAMILIES.items():
            if kind == TYPES[name]:
                if len(data) != (4 if name == "A" else 16):
                    raise Unreadable
                return socket.inet_ntop(family, data)
        if kind == TYPES["TXT"]:
            return self._strings(at, end)
        words: list[str] = []
        for size in SHAPES.get(kind, (0,)):
            word, at = self._name(at) if size == 0 else (str(self._number(at, size)), at + size)
            words.append(word)
        if at != end:
            raise Unreadable
        return " ".join(words)

    def _strings(self, at: int, end: int) -> str:
        text = b""
        while at < end:
            size = self.data[at]
            text += self.data[at + 1 : at + 1 + size]
            at += 1 + size
        if at != end:
            raise Unreadable
        return text.decode("utf-8", "replace")


def _shown(byte: int) -> str:
    """A byte of a label as zone files have it (RFC 1035, 5.1): a label may hold anything, dots included."""
    character = chr(byte)
    if character in ".\\":
        return "\\" + character
    return character if "!" <= character <= "~" else f"\\{byte:03}"


def answers(data: bytes, query: bytes) -> bool:
    """Whether a message is a response to this query: its identity, and its question."""
    if len(data) < HEADER_BYTES or data[:2] != query[:2]:
        return False
    flags = int.from_bytes(data[2:4], "big")
    if not flags & RESPONSE or flags & OPCODE:
        return False
    if data[4:6] == b"\0\1":
        return data[HEADER_BYTES : len(query)].lower() == query[HEADER_BYTES:].lower()
    # A server that cannot read the question, or will not, may answer with the header alone; it says so by its code.
    return len(data) == HEADER_BYTES and data[4:6] == b"\0\0" and bool(flags & (0xF | TRUNCATED))


def normal(record: str, kind: str) -> str:
    """A record in the one form in which it is compared; raises `ValueError` for what is no address where one is due."""
    if kind == "TXT":
        return record
    if kind in FAMILIES:
        try:
            return socket.inet_ntop(FAMILIES[kind], socket.inet_pton(FAMILIES[kind], record))
        except (OSError, ValueError):
            raise ValueError(f"{record!r} is not an IPv{4 if kind == 'A' else 6} address") from None
    return " ".join(word.rstrip(".") or "." for word in record.lower().split())
