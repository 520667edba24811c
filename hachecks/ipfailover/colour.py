"""Colours of a terminal: the sixteen that its owner has chosen, so that they can be read on any ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STYLES: Mapping[str, str] = {
    "head": "1",
    "strong": "1",
    "master": "1;36",
    "second": "36",
    "later": "2",
    "muted": "2",
    "note": "33",
    "good": "32",
    "alarm": "1;31",
}
"""What is shown how: the parameters of SGR (ECMA-48, 8.3.117)."""


def painted(text: str, style: str) -> str:
    """The text in a style."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def plain(text: str, style: str) -> str:  # noqa: ARG001 - as `painted` has it
    """The text as it is."""
    return text


def wanted(choice: str, environ: Mapping[str, str], terminal: bool) -> bool:
    """Whether to paint: `always`, `never`, or with `auto` on a terminal that can, for somebody who does not mind.

    NO_COLOR is as https://no-color.org has it: anything but nothing.
    """
    if choice != "auto":
        return choice == "always"
    return terminal and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
