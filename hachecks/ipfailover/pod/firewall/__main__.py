"""Does an errand that it is given, in a process of its own, and ends."""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import sys
from typing import TYPE_CHECKING

from hachecks.ipfailover.pod.firewall.errand import CLOSE, OPEN, Answer
from hachecks.ipfailover.pod.firewall.firewall import Firewall

if TYPE_CHECKING:
    from hachecks.ipfailover.pod.firewall.errand import Errand

MOST_BYTES = 256 * 1024 * 1024
"""Of memory, for it and for each program that it starts: 20,000 rules of nft take 150 MB, and the pod has a limit."""
FIRST = "1000"
"""Whom the kernel ends first where memory is short: not Keepalived."""


def done(errand: Errand) -> Answer:
    """Do it; returns what came of it."""
    one = Firewall.of(errand)
    if errand.kind == OPEN:
        return one.open()
    if errand.kind == CLOSE:
        return one.close()
    drops = one.drops()
    return Answer(drops=drops.found, are_all=drops.are_all)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write(FIRST)
    with open(sys.stdin.fileno(), "rb", closefd=False) as given:
        answer = pickle.dumps(done(pickle.load(given)))  # noqa: S301 - of the process that has started us
    with open(sys.stdout.fileno(), "wb", closefd=False) as file:
        file.write(answer)
    os.close(sys.stdout.fileno())
