"""What the demo prints: lines of what happened, and a table, in colour where that is wanted."""

from __future__ import annotations

import os
import sys

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
COLOURS = {
    "FAULT": RED,
    "FAIL": RED,
    "UNKNOWN": RED,
    "no good": RED,
    "track file: 1": RED,
    "MASTER": GREEN,
    "PASS": GREEN,
    "BACKUP": YELLOW,
    "node-": GREEN,
}


class Screen:
    """Prints; in colour if that is a terminal and nobody objects (https://no-color.org)."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def say(self, text: str = "", colour: str = "") -> None:
        print(self.paint(text, colour), flush=True)

    def paint(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colour and colour else text

    def event(self, seconds: float, who: str, source: str, text: str) -> None:
        colour = next((colour for start, colour in COLOURS.items() if text.startswith(start)), "")
        when = self.paint(f"{seconds:7.3f} s", DIM)
        self.say(f"{when}  {who:<7} {source:<11} {self.paint(text, colour)}")
