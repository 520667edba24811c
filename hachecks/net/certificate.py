"""What a certificate says of itself, read from its DER (RFC 5280, section 4.1).

Python's `ssl` reads the server's own certificate alone, and only once it is trusted; the others that were sent it gives
out from 3.13 on.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

COMMON_NAME = bytes.fromhex("0603550403")
ALTERNATIVE_NAME = bytes.fromhex("0603551d11")
VERSION, EXTENSIONS = 0xA0, 0xA3
UTC_TIME = 0x17


class Certificate:
    """The name, the end and the kind of names of a certificate; raises `ValueError` where it is none."""

    def __init__(self, der: bytes) -> None:
        try:
            ((_, whole),) = items(der)
            fields = list(items(next(items(whole))[1]))
            fields = fields[1:] if fields[0][0] == VERSION else fields
            _serial, _algorithm, (_, _issuer), (_, validity), (_, subject) = fields[:5]
            _, (kind, end) = items(validity)
        except (IndexError, StopIteration) as error:
            raise ValueError("it is no certificate") from error
        self.ends = seconds(kind, end.decode("ascii"))
        self.name = common_name(subject)
        self.has_alternative_names = any(tag == EXTENSIONS and ALTERNATIVE_NAME in text for tag, text in fields[6:])


def items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The tags and contents that stand one after another; raises `IndexError` or `ValueError` where one is cut."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise ValueError("it is cut")
        yield tag, data[at : at + length]
        at += length


def common_name(name: bytes) -> str:
    """The CN of a distinguished name, the last where there are several; empty where there is none."""
    found = ""
    for _, group in items(name):
        for _, pair in items(group):
            if pair.startswith(COMMON_NAME):
                found = list(items(pair))[1][1].decode("utf-8", "replace")
    return found


def seconds(kind: int, text: str) -> float:
    """Seconds since 1970 of a UTCTime or GeneralizedTime.

    `ssl.cert_time_to_seconds` would bring in strptime and what that is made of, more than all the rest of a check.
    """
    year, rest = int(text[:2]), text[2:]
    if kind == UTC_TIME:
        year += 1900 if year >= 50 else 2000
    else:
        year, rest = int(text[:4]), text[4:]
    month, day, hour, minute, second = (int(rest[at : at + 2]) for at in range(0, 10, 2))
    year -= month <= 2  # March is the first month of a year that ends with the leap day
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 719469
    return float(((days * 24 + hour) * 60 + minute) * 60 + second)
