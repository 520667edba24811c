"""What a node says of itself to the others of its group: /api/node, made small, and read as what a stranger wrote.

A JSON object:

    node, version, identity    the identity is another for each process: by it a node knows itself among its peers
    agrees, headline           whether its VIPs are where its Keepalived says, and that in one sentence
    vips                       [address, vrrp_instance, state, present]; present is null where it cannot be told
    settings                   a fingerprint of what all nodes must have alike, for each virtual router
    checks                     and of each check that hacheck.toml declares
    drain                      why the node gives its VIPs away; empty while it does not
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, NamedTuple

from hachecks.http import json_value
from hachecks.transitions.transition import STATES
from hachecks.verdict import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

PATH = "/api/node"
MOST_BYTES = 256 * 1024
"""Of an answer: one of 255 VIPs has 25 KiB."""
MOST_VIPS = 2048
"""Twice as many as OpenShift's variables can name; 64 peers that tell of so many take 40 MiB."""
MOST_SETTINGS = 2048
LONGEST_NAME = 253
"""Characters of a name; a host's has no more (RFC 1035)."""
LONGEST_SENTENCE = 400
KNOWN_STATES = {state: state for state in STATES}
"""One object for each, of however many VIPs it is told."""


class Held(NamedTuple):
    """A VIP as a node has it: `present` is None where that cannot be told."""

    instance: str
    state: str
    present: bool | None


class Answer(NamedTuple):
    """What a node says of itself; see the module for its parts."""

    node: str
    version: str
    identity: str
    agrees: bool
    headline: str
    vips: Mapping[str, Held]
    settings: Mapping[str, str]
    checks: Mapping[str, str]
    drain: str = ""

    def text(self) -> str:
        """As JSON."""
        rows = [[address, *held] for address, held in self.vips.items()]
        return json.dumps({**self._asdict(), "vips": rows}, ensure_ascii=False, separators=(",", ":"))


def parse(text: bytes) -> Answer:
    """From JSON that anybody may have written; raises `ValueError`, which says what is wrong in a few words.

    What people read of it shows what it hides, and is no longer than it may be.
    """
    document = json_value.parse(text.decode())
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    found = {name: _text(document, name, LONGEST_NAME) for name in ("node", "version", "identity")}
    if not found["node"] or not found["identity"]:
        raise ValueError("it names no node")
    drain = _text(document, "drain", LONGEST_SENTENCE) if "drain" in document else ""
    return Answer(
        **found,
        agrees=document.get("agrees") is True,
        headline=_text(document, "headline", LONGEST_SENTENCE),
        vips=_vips(document.get("vips")),
        settings=_texts(document, "settings"),
        checks=_texts(document, "checks"),
        drain=drain,
    )


def _text(document: Mapping[str, Any], name: str, longest: int) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return _shown(value, longest)


def _shown(text: str, longest: int) -> str:
    return one_line(text[:longest])[:longest]


def _texts(document: Mapping[str, Any], name: str) -> dict[str, str]:
    values = document.get(name)
    if not isinstance(values, dict) or len(values) > MOST_SETTINGS:
        raise ValueError(f"{name} is no object of at most {MOST_SETTINGS}")
    if not all(isinstance(value, str) for value in values.values()):
        raise ValueError(f"{name} has a value that is no text")
    return {_shown(key, LONGEST_NAME): value[:LONGEST_NAME] for key, value in values.items()}


def _vips(rows: object) -> dict[str, Held]:
    """The VIPs; one that two instances name is where one of them has it."""
    if not isinstance(rows, list) or len(rows) > MOST_VIPS:
        raise ValueError(f"vips is no list of at most {MOST_VIPS}")
    found: dict[str, Held] = {}
    for address, held in _rows(rows):
        if address not in found or held.present:
            found[address] = held
    return found


def _rows(rows: list[Any]) -> Iterator[tuple[str, Held]]:
    for row in rows:
        if not (isinstance(row, list) and len(row) == 4 and all(isinstance(word, str) for word in row[:3])):
            raise ValueError("a VIP is no row of address, instance, state and presence")
        address, instance, state, present = row
        if not (present is None or isinstance(present, bool)):
            raise ValueError("the presence of a VIP is none of true, false and null")
        try:
            address = str(ipaddress.ip_address(address))
        except ValueError:
            raise ValueError("a VIP is no address") from None
        yield address, Held(_shown(instance, LONGEST_NAME), KNOWN_STATES.get(state, "UNKNOWN"), present)
