"""Values of ipfailover's variables from their texts, each refused with a word on what is expected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hachecks.ipfailover import vips

if TYPE_CHECKING:
    from collections.abc import Callable

    from hachecks.ipfailover.vips import Vips

LONGEST_INTERFACE = 15
"""Characters of an interface's name in Linux."""
MOST_NODES = 254
"""Nodes of one plan, since each has a priority of its own, from 254 down to 1."""
LARGEST_NUMBER = 1_000_000
CONFIG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
NODE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
WORD = re.compile(r"[A-Za-z0-9_.-]{1,253}", re.ASCII)
LABEL = re.compile(
    r"(?:(?=[a-z0-9.-]{1,253}/)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*/)?"
    r"([A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)=(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?",
    re.ASCII,
)
"""A label as Kubernetes takes it: a name, which may have a domain before it, and a value, which may be empty."""


def number(least: int, most: int) -> Callable[[str], int]:
    """A whole number from `least` to `most`, written as both people and shells read it."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or len(text) > len(str(LARGEST_NUMBER)):
            raise ValueError(f"{text!r} is no whole number; expected {least} to {most}")
        if len(text) > 1 and text[0] == "0":
            raise ValueError(f"{text!r} is octal to the stock image; write it without the 0 in front")
        if not least <= int(text) <= most:
            raise ValueError(f"{text} is not {least} to {most}")
        return int(text)

    return parse


def optional(parse: Callable[[str], int]) -> Callable[[str], int]:
    """A number, or 0 where there is no text."""
    return lambda text: parse(text) if text else 0


def one_of(*words: str) -> Callable[[str], str]:
    """One of some words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is not {' or '.join(words)}")
        return text

    return parse


def hundredths(least: float, most: float) -> Callable[[str], float]:
    """A number with at most two decimals, from `least` to `most`."""

    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,4}(?:\.[0-9]{1,2})?", text, re.ASCII) or not least <= float(text) <= most:
            raise ValueError(f"{text!r} is no number from {least:g} to {most:g} with at most two decimals")
        return float(text)

    return parse


def matching(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    """A text of this pattern, or none."""

    def parse(text: str) -> str:
        if text and not pattern.fullmatch(text):
            raise ValueError(f"{text!r} is no {what}")
        return text

    return parse


def excluded_ids(text: str) -> tuple[int, ...]:
    """Ids parted by blanks or commas."""
    parse = number(1, 255)
    return tuple(sorted({parse(word) for word in re.split(r"[\s,]+", text) if word}))


def nodes(text: str) -> tuple[str, ...]:
    """Names or addresses of nodes, parted by blanks or commas."""
    found: list[str] = []
    for word in re.split(r"[\s,]+", text):
        if not word:
            continue
        # `oc get nodes -o name` has the kind before each.
        name = _node(word[len("node/") :] if word.startswith("node/") else word)
        if name in found:
            raise ValueError(f"{name} is named twice")
        found.append(name)
    if len(found) > MOST_NODES:
        raise ValueError(f"these are {len(found)} nodes, limit {MOST_NODES}")
    return tuple(found)


def _node(word: str) -> str:
    if ":" in word or re.fullmatch(r"[0-9.]+", word, re.ASCII):
        return str(vips.parse_address(word))
    if not NODE.fullmatch(word):
        raise ValueError(f"{word!r} is no node; expected a name or an address")
    return word


def peers(text: str) -> tuple[str, ...]:
    """Addresses of nodes."""
    for word in re.split(r"[\s,]+", text):
        if word:
            vips.parse_address(word)
    return nodes(text)


def labels(text: str) -> str:
    """Labels of nodes, all of which they have, or none."""
    found: dict[str, str] = {}
    for word in text.split(",") if text else ():
        if not LABEL.fullmatch(word):
            raise ValueError(f"{word!r} is no label; expected NAME=VALUE")
        name, value = word.split("=", 1)
        if found.setdefault(name, value) != value:
            raise ValueError(f"no node has both {name}={found[name]} and {word}")
    return text


def address(text: str) -> str:
    """An address, or none."""
    return str(vips.parse_address(text)) if text else ""


def line(text: str) -> str:
    """A text that stands between double quotes in keepalived.conf, or as a word in it."""
    if '"' in text or not text.isprintable():
        raise ValueError("it has a double quote or a character that cannot be printed, which breaks keepalived.conf")
    return text


def path(text: str) -> str:
    """A file's absolute path, or none."""
    if text and not re.fullmatch(r"(?:/[A-Za-z0-9._@%+=:,-]+)+", text, re.ASCII):
        raise ValueError(f"{text!r} is no absolute path of letters, digits and . _ - + = : , @ %")
    return text


def lines(text: str) -> str:
    """Lines for keepalived.conf."""
    for number, one in enumerate(text.splitlines(), 1):
        if not one.replace("\t", " ").isprintable():
            raise ValueError(f"line {number} has a character that cannot be printed")
    return text


def interface(text: str) -> str:
    """An interface's name, or none."""
    if len(text) > LONGEST_INTERFACE or (text and not re.fullmatch(r"[A-Za-z0-9_.@:-]+", text, re.ASCII)):
        raise ValueError(f"{text!r} is no interface; expected at most {LONGEST_INTERFACE} letters, digits, _ . @ : -")
    return text


def range_checks(text: str) -> tuple[tuple[int, str], ...]:
    """`N=COMMAND`, or none: the check of the VIPs in item N of the list."""
    if not text:
        return ()
    item, equals, command = text.partition("=")
    if not equals or not command.strip():
        raise ValueError(f"{text!r} is no check of a range; expected N=COMMAND")
    return ((_item(item), line(command.strip())),)


_item = number(1, 9999)


def preference(text: str) -> tuple[tuple[Vips, tuple[str, ...]], ...]:
    """`VIPS=NODE,NODE; VIPS=NODE`: VIPs, and the nodes that should have them, the best first."""
    found = []
    for entry in text.split(";"):
        if not entry.strip():
            continue
        addresses, equals, preferred = entry.partition("=")
        if not equals or not addresses.strip() or not preferred.strip():
            raise ValueError(f"{entry.strip()!r} is no preference; expected VIPS=NODE,NODE")
        found.append((vips.parse(addresses), nodes(preferred)))
        if not all((found[-1][0].addresses, found[-1][1])):
            raise ValueError(f"{entry.strip()!r} names no VIP or no node; expected VIPS=NODE,NODE")
    return tuple(found)


def sets(text: str) -> tuple[Vips, ...]:
    """`VIPS; VIPS`: sets of at least two VIPs each."""
    found = tuple(vips.parse(part) for part in text.split(";") if part.strip())
    for one in found:
        if len(one.addresses) < 2:
            alone = ", ".join(map(str, one.addresses)) or "no VIP"
            raise ValueError(f"{alone} is no set; expected two VIPs or more, sets separated by ;")
    return found
