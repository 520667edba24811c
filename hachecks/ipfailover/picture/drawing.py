"""A drawing: texts, boxes and lines at whole units, written as SVG, and how much room they take."""

from __future__ import annotations

from html import escape
from math import ceil
from typing import TYPE_CHECKING

from hachecks.ipfailover.picture.style import MONO_WIDTH, ROOT, SANS_WIDTH, SMALL, TEXT, sheet
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARGIN = 28
LINE = 19
"""From one line of text to the next."""
WIDTHS = {
    **dict.fromkeys("ijlI.,:;'|!()[]{}/ \\", 0.37),
    **dict.fromkeys('ftr-"', 0.42),
    **dict.fromkeys("mMwWOQ@%+=<>_#", 0.9),
    **dict.fromkeys("ABCDEFGHKLNPRSTUVXYZ", 0.72),
}
"""Of letters in DejaVu Sans, the widest of the fonts, by its height; of others `SANS_WIDTH`."""

BOLDER = 1.12
"""How much wider bold letters are."""


def escaped(text: str) -> str:
    """A text of others for XML: nothing in it is markup, nor a character that XML has not."""
    return escape(visible(text))


def mono_width(text: str, size: int = TEXT) -> int:
    """The room that a text takes at most in letters of one width."""
    return ceil(len(visible(text)) * size * MONO_WIDTH)


def sans_width(text: str, size: int = TEXT, *, bold: bool = False) -> int:
    """The room that a text takes in the widest of the fonts."""
    width = sum(WIDTHS.get(letter, SANS_WIDTH) for letter in visible(text)) * size
    return ceil(width * BOLDER) if bold else ceil(width)


def shortened(text: str, most: int) -> str:
    """The text with its middle left out where it is longer; what tells hosts apart is at the ends of their names."""
    text = visible(text)
    if len(text) <= most:
        return text
    head = (most - 1 + 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def wrapped(text: str, width: int, size: int = TEXT, *, bold: bool = False) -> Iterator[str]:
    """The lines of a text that are no wider; a word that is longer is broken."""
    width = int(width / BOLDER) if bold else width
    line = ""
    for word in visible(text).split(" "):
        if line and sans_width(f"{line} {word}", size) > width:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
        while len(line) > 1 and sans_width(line, size) > width:
            room = next(end for end in range(len(line) - 1, 0, -1) if end == 1 or sans_width(line[:end], size) <= width)
            yield line[:room]
            line = line[room:]
    if line:
        yield line


class Drawing:
    """What is drawn, from the top down; `below` is where there is room next, `right` how far anything reaches."""

    def __init__(self) -> None:
        self.below = MARGIN
        self.right = 0
        self._parts: list[str] = []

    def text(self, x: int, y: int, text: str, kind: str = "", *, up: bool = False) -> None:
        """A text whose baseline is at y; of the classes in `kind`, from below upwards where `up`."""
        turned = f' transform="rotate(-90 {x} {y})"' if up else ""
        self._parts.append(f'<text x="{x}" y="{y}"{_class(kind)}{turned}>{escaped(text)}</text>')
        if not up and "end" not in kind.split():
            size = SMALL if "small" in kind else TEXT
            width = mono_width(text, size) if "mono" in kind else sans_width(text, size, bold="strong" in kind)
            self.reaches(x + (width // 2 if "middle" in kind else width))

    def box(self, x: int, y: int, width: int, height: int, kind: str, rounded: int = 0) -> None:
        """A filled box."""
        corners = f' rx="{rounded}"' if rounded else ""
        self._parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}"{corners}{_class(kind)}/>')
        self.reaches(x + width)

    def path(self, steps: Iterable[str], kind: str) -> None:
        """A path of these steps, or nothing where there are none."""
        whole = "".join(steps)
        if whole:
            self._parts.append(f'<path d="{whole}"{_class(kind)}/>')

    def begin(self, title: str) -> None:
        """Begin a part with what is told to those who point at it."""
        self._parts.append(f"<g><title>{escaped(title)}</title>")

    def end(self) -> None:
        """End the part that was begun last."""
        self._parts.append("</g>")

    def reaches(self, x: int) -> None:
        """Keep so much room to the right."""
        self.right = max(self.right, x)

    def lines(self, lines: Iterable[str], kind: str = "", x: int = MARGIN) -> None:
        """Lines of text one below the other, and room below them."""
        for line in lines:
            self.text(x, self.below + LINE - 6, line, kind)
            self.below += LINE

    def svg(self, title: str, description: str) -> str:
        """The whole picture, with what is told to those who do not see it."""
        width, height = self.right + MARGIN, self.below + MARGIN
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="{ROOT}" role="img" '
            f'aria-labelledby="{ROOT}-title {ROOT}-desc" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}">'
            f'<title id="{ROOT}-title">{escaped(title)}</title><desc id="{ROOT}-desc">{escaped(description)}</desc>'
            f'<style>{sheet()}</style><rect class="ground" width="{width}" height="{height}"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>"
        )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
