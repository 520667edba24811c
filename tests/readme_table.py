"""The rows of the README's table of hachecks and the stock image, and what proves each of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tests.cli import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable


class Row(NamedTuple):
    """A row of the table: what it is about, what hachecks does, and what the stock image does."""

    about: str
    ours: str
    stock: str


PROVED: dict[Row, Callable[[], None]] = {}
"""What proves a row, of all modules that are imported."""


def row(about: str, ours: str, stock: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Note what proves a row, which is written as it stands in the table."""

    def note(proof: Callable[[], None]) -> Callable[[], None]:
        PROVED[Row(about, ours, stock)] = proof
        return proof

    return note


def rows() -> list[Row]:
    """The rows of the README's table."""
    text = (ROOT / "README.md").read_text()
    table = re.findall(r"^\| \| hachecks \| the stock image \|\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)[0]
    return [Row(*(cell.strip() for cell in line.strip("|").split(" | "))) for line in table.splitlines()]


def shown_by(*tests: str) -> None:
    """See that these tests are there; they are run as all others."""
    for one in tests:
        file, _, name = one.partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE), one
