"""What the agent finds wrong on the segment, for other processes of this node that tell of it: a file of its state.

It is written again while there is something to tell, so that its age tells whether that still holds.
"""

from __future__ import annotations

import json
import os
import time

from hachecks import state

NAME = "wire.json"
EVERY = 2.0
"""Seconds between two reports, while there is something to tell."""
STALE = 7.0
"""Seconds after which nobody stands behind it."""
MOST_SENTENCES = 1000


def write(directory: str, sentences: tuple[str, ...]) -> None:
    """Put it into the state directory; raises `OSError`."""
    state.replace(os.path.join(directory, NAME), json.dumps({"at": _now(), "found": sentences}))


def read(directory: str) -> tuple[str, ...]:
    """The sentences that hold now; none where there is no report, or an old one, or what is none. Raises `OSError`."""
    try:
        found = json.loads(state.read(os.path.join(directory, NAME)))
        age = _now() - float(found["at"])
        sentences = tuple(str(one) for one in found["found"][:MOST_SENTENCES])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return ()
    return sentences if 0 <= age < STALE else ()


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
