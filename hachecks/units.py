"""How are values written? Durations, sizes, ports and words, from text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

Duration = float
"""Seconds; written `1.5`, `1.5s`, `200ms`, `5m`, `2h` or `7d`."""

Size = int
"""Bytes; written `65536`, `64KiB`, `16MB`."""

Port = int
"""1 to 65535."""

UNITS_OF_TIME = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
UNITS_OF_SIZE = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip
LONGEST_NUMBER = 15
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


def parse_bool(text: str) -> bool:
    """True or false, in the words of TOML and of people."""
    word = text.lower()
    if word in TRUE_WORDS or word in FALSE_WORDS:
        return word in TRUE_WORDS
    raise ValueError(f"{text!r} is neither true nor false")


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
    """Seconds from `1.5`, `1.5s`, `200ms`, `5m`, `2h` or `7d`; more than zero."""
    number, unit = _number_and_unit(text, UNITS_OF_TIME, "a duration (write 1.5s, 200ms, 5m, 2h or 7d)")
    return number * UNITS_OF_TIME[unit]


def parse_size(text: str) -> int:
    """Bytes from `65536`, `64KiB` or `16MB`."""
    number, unit = _number_and_unit(text.lower(), UNITS_OF_SIZE, "a size (write 65536, 64KiB or 16MB)")
    return int(number * UNITS_OF_SIZE[unit])


def _number_and_unit(text: str, units: Mapping[str, float], wanted: str) -> tuple[float, str]:
    digits = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text.strip()[len(digits) :]
    number = digits.strip()
    plain = number.isascii() and number.replace(".", "", 1).isdigit() and len(number) <= LONGEST_NUMBER
    if unit not in units or not plain or float(number) <= 0:
        raise ValueError(f"{text!r} is not {wanted}")
    return float(number), unit


PARSERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "bool": parse_bool,
    "int": parse_int,
    "Port": parse_port,
    "Duration": parse_duration,
    "Size": parse_size,
}
