"""OPENSHIFT_HA_PREEMPTION: whether a node that comes back takes its VIPs back, and when."""

from __future__ import annotations

import re
from typing import NamedTuple

from hachecks.verdict import in_words

LONGEST_DELAY = 1000.0
"""Seconds, as Keepalived's vrrp_parser.c limits preempt_delay."""
NUMBER = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,6})?", re.ASCII)
EXPECTED = "expected nopreempt, preempt_delay SECONDS, or preempt"


class Preemption(NamedTuple):
    """The mode, `nopreempt`, `delay` or `immediate`, the seconds of a delay, and what a reader should know of it."""

    mode: str
    seconds: float = 0.0
    note: str = ""

    def __str__(self) -> str:
        return f"preempt_delay {in_words(self.seconds)}" if self.mode == "delay" else self.mode


def parse(text: str) -> Preemption:
    """What the text means; raises `ValueError`.

    Two spellings of the documentation do not do what it says of them: Keepalived ignores the number of `preempt 300`,
    and the whole line `preempt_nodelay 300`. They are taken for what was meant.
    """
    word, *rest = text.split() or [""]
    if len(rest) > 1 or word not in ("nopreempt", "preempt_delay", "preempt", "preempt_nodelay"):
        raise ValueError(f"{text!r} is no preemption strategy; {EXPECTED}")
    seconds = _seconds(rest[0]) if rest else None
    if word == "nopreempt":
        if rest:
            raise ValueError(f"{text!r}: nopreempt takes no number")
        return Preemption("nopreempt")
    if word == "preempt_delay":
        if seconds is None:
            raise ValueError(f"{text!r}: the seconds are missing; {EXPECTED}")
        return Preemption("delay", seconds) if seconds else Preemption("immediate")
    if word == "preempt" and seconds:
        note = f"{text!r} is planned as preempt_delay {rest[0]}, which it was meant for; Keepalived ignores the number"
        return Preemption("delay", seconds, note)
    note = f"{text!r} is planned as preempt; Keepalived knows no preempt_nodelay" if word == "preempt_nodelay" else ""
    return Preemption("immediate", 0.0, note)


def _seconds(text: str) -> float:
    if not NUMBER.fullmatch(text) or float(text) > LONGEST_DELAY:
        raise ValueError(f"{text!r} is no number of seconds, limit {LONGEST_DELAY:.0f}")
    return float(text)
