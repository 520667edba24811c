"""The mark that a rule of ours has, by which it is found again: the comment that says whose it is."""

from __future__ import annotations

START = "hacheck-ipfailover:"
MADE = ":made"
"""Ends the mark of a rule whose chain was not there before us, and goes with our last rule in it."""


def mark(configuration: str, *, made: bool = False) -> str:
    """The comment on a rule for a configuration."""
    return f"{START}{configuration}{MADE if made else ''}"


def marked(comment: str) -> str:
    """The configuration that a comment is of, or nothing."""
    return comment[len(START) :].partition(":")[0] if comment.startswith(START) else ""
