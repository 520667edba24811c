"""The agent's report to the service manager: that it has started, how it fares, and that it makes progress."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from hachecks.agent import systemd
from hachecks.exporter.beat import beat

if TYPE_CHECKING:
    from hachecks.agent.main import Agent

READY_PATIENCE = 10.0
"""Seconds after which the agent has started, though a check has not ended yet."""
INTERVAL, SHORT_INTERVAL = 1.0, 0.02
"""Seconds between two looks, and while it starts."""
LONGEST_STATUS = 200
HANGS = "all threads are in checks that do not end; start the agent anew, `hacheck run` looks by itself meanwhile"
REFUSED = "the last reload was refused, and what was declared before goes on"


async def report(agent: Agent) -> None:
    """Report for ever.

    Who hangs is not said to live: of the loop there is no word then, and of the workers it is known. It has started
    when every check has run once: what is ordered after it, such as Keepalived, finds verdicts.
    """
    patient_until, told, word_due, hangs = time.monotonic() + READY_PATIENCE, "", 0.0, False
    while not agent.refusal and agent.waiting() and time.monotonic() < patient_until:
        await asyncio.sleep(SHORT_INTERVAL)
    agent.service.tell(systemd.READY)
    while True:
        trouble, interval = agent.progress.look(), agent.service.watchdog_interval
        pause = min(INTERVAL, interval or INTERVAL)
        if bool(trouble) is not hangs:
            hangs = bool(trouble)
            agent.tell(f"{trouble}; {HANGS}" if hangs else "checks are begun again")
        if interval and not trouble and time.monotonic() >= word_due:
            agent.service.tell(systemd.WATCHDOG)
            word_due = time.monotonic() + interval - pause / 2  # a beat comes a little early or late
        if agent.service.address and (text := status(agent)) != told:
            agent.service.tell(systemd.status(text))
            told = text
        await beat(pause)


def status(agent: Agent) -> str:
    """How it fares, in one line for people."""
    bad = [check.name for check in agent.checks if check.good is False]
    fails = f"{len(bad)} of {len(agent.checks)} checks fail: {', '.join(bad)}"[:LONGEST_STATUS] if bad else ""
    well = f"{len(agent.checks)} checks pass" if agent.checks else "no checks are declared"
    found = agent.progress.trouble or agent.waiting() or fails or well
    return found if agent.refusal or agent.reloads.successful is not False else f"{REFUSED}; {found}"
