"""The silence that people have asked for: until when nobody is told anything, as the file `silence` keeps it."""

from __future__ import annotations

import json
import os
import time

from hachecks import state
from hachecks.delivery.state_file import read, value_of
from hachecks.kept import is_number
from hachecks.state import boot_id

SILENCE = "silence"
LONGEST_SILENCE_SECONDS = 366 * 86400.0


def keep_silence(directory: str, seconds: float, why: str) -> None:
    """Have nobody told anything for so long; raises `OSError`."""
    kept = {"until": time.time() + seconds, "seconds": seconds, "boot": boot_id(), "since": _since_boot(), "why": why}
    state.replace(os.path.join(directory, SILENCE), json.dumps(kept))


def silence_left(directory: str) -> float:
    """Seconds for which nobody is to be told anything; a clock that is set back makes no more of them."""
    kept = read(os.path.join(directory, SILENCE)) if directory else {}
    seconds: float = value_of(kept, "seconds", is_number, LONGEST_SILENCE_SECONDS)
    since = value_of(kept, "since", is_number, None)
    if since is not None and kept.get("boot") == boot_id():
        left = seconds - (_since_boot() - since)
    else:
        left = value_of(kept, "until", is_number, 0.0) - time.time()
    return max(0.0, left) if left <= min(seconds, LONGEST_SILENCE_SECONDS) else 0.0


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
