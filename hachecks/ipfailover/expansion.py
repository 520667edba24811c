"""Expansion: what the kubelet makes of $(NAME) in a container's environment and commands, and how it is told not to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FOUND = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expanded(text: str, known: Mapping[str, str]) -> str:
    """The text as the container has it; names that are not known stay as they are, as they do there."""
    return FOUND.sub(lambda found: "$" if found[0] == "$$" else known.get(found[1], found[0]), text)


def literal(text: str) -> str:
    """The text of which expansion makes this one."""
    return re.sub(r"\$(?=[$(])", "$$", text)
