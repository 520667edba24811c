"""Units: durations, sizes, ports and words, from text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

Duration = float
"""Seconds; written `1.5`, `1.5s`, `200ms`, `5m`, `1h30m` or `7d`."""

Size = int
"""Bytes; written `65536`, `64KiB`, `16MB`."""

Port = int
"""1 to 65535."""

UNITS_OF_TIME = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
UNITS_OF_SIZE = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip
LONGEST_NUMBER = 15
INFINITE = float("inf")
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


def parse_bool(text: str) -> bool:
    """True or false, in the words of TOML and of people."""
    word = text.lower()
    if word in TRUE_WORDS or word in FALSE_WORDS:
        return word in TRUE_WORDS
    raise ValueError(f"{text!r} is neither true nor false")


def printable(text: str, what: str) -> str:
    """The text, if all of it can be printed; raises `ValueError` that says `what` it is, not what is in it."""
    if not text.isprintable():
        raise ValueError(f"{what} has a control character")
    return text


def parse_int(text: str) -> int:
    """A whole number, zero or more."""
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def parse_port(text: str) -> int:
    """A port number."""
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER and 1 <= int(text) <= 65535):
        raise ValueError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def parse_duration(text: str) -> float:
    """Seconds from `1.5`, `1.5s`, `200ms`, `5m`, `1h30m` or `7d`; more than zero."""
    return _sum(text, UNITS_OF_TIME, "a duration (write 1.5s, 200ms, 5m, 1h30m or 7d)")


def parse_size(text: str) -> int:
    """Bytes from `65536`, `64KiB` or `16MB`; at least one."""
    wanted = "a size (write 65536, 64KiB or 16MB)"
    size = int(_sum(text.lower(), UNITS_OF_SIZE, wanted))
    if size < 1:
        raise ValueError(f"{text!r} is not {wanted}")
    return size


def _sum(text: str, units: Mapping[str, float], wanted: str) -> float:
    """What all parts come to, each a number with its unit, the greatest unit first; a number alone needs no unit."""
    total, least, rest = 0.0, INFINITE, text.strip()
    while rest:
        number = _leading(rest, "0123456789.")
        following = rest[len(number) :].lstrip()
        unit = _leading(following, "abcdefghijklmnopqrstuvwxyz")
        is_number = number.replace(".", "", 1).isdigit() and len(number) <= LONGEST_NUMBER
        lonely = not unit and (following or least < INFINITE)
        if not is_number or lonely or not 0 < units.get(unit, 0.0) < least:
            break
        least = units[unit]
        total += float(number) * least
        rest = following[len(unit) :].lstrip()
    if rest or total <= 0:
        raise ValueError(f"{text!r} is not {wanted}")
    return total


def _leading(text: str, characters: str) -> str:
    """The beginning of the text that is made of these characters."""
    return text[: len(text) - len(text.lstrip(characters))]


PARSERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "bool": parse_bool,
    "int": parse_int,
    "Port": parse_port,
    "Duration": parse_duration,
    "Size": parse_size,
}
