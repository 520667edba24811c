"""The group as lines for people, in a terminal; and how any table of theirs is aligned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.group.words import headline, state_of
from hachecks.verdict import one_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hachecks.group.judgement import Group


def lines(group: Group) -> Iterator[str]:
    """The headline, what is wrong, and each VIP and node, worst first."""
    top, nodes = headline(group), len(group.members)
    but = f" ({', '.join(top.but)})" if top.but else ""
    yield cell(f"{nodes} {'node' if nodes == 1 else 'nodes'}: {top.sentence}{but}")
    yield from (f"! {cell(sentence)}" for sentence in group.troubles)
    yield from (f"? {cell(sentence)}" for sentence in group.differences)
    if group.vips:
        yield ""
        rows = [(vip.address, vip.served, _some(vip.on), _some(vip.masters), _some(vip.unsure)) for vip in group.vips]
        yield from aligned(("VIP", "SERVED", "ON", "MASTER ON", "NOT KNOWN ON"), rows)
    yield ""
    nodes_told = [
        (one.name, one.peer, one.answer.version if one.answer else "-", state_of(one)) for one in group.members
    ]
    yield from aligned(("NODE", "ASKED AT", "VERSION", ""), nodes_told)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) or "-"


def cell(text: object) -> str:
    """What stands in a table: one line, in which nothing is hidden."""
    return one_line(visible(str(text)))


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows below their heads."""
    shown = [heads, *([cell(text) for text in row] for row in rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(heads) - 1)]
    for row in shown:
        yield "  ".join([*(text.ljust(width) for text, width in zip(row, widths)), row[-1]]).rstrip()
