"""The metrics of watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.exporter.body import CachedSection
from hachecks.services.exposition import Table, counter, gauge
from hachecks.services.exposition_text import rendered

if TYPE_CHECKING:
    from hachecks.agent.watch.watches import Watches

TRIGGERS = Table(
    lambda watches: watches.triggers.made,
    ("check", "cause"),
    lambda key: key,
    (
        counter(
            "hachecks_watch_triggers_total",
            "Runs of a check before its time, since a connection or a process ended, or an address or link changed.",
            lambda key, watches: watches.triggers.made[key],
        ),
    ),
    lambda watches: watches,
)
HELD_BACK = Table(
    lambda watches: watches.triggers.held_back,
    ("check", "cause"),
    lambda key: key,
    (
        counter(
            "hachecks_watch_triggers_held_back_total",
            "Such causes that came too soon after others, and had to wait or came to one run with them.",
            lambda key, watches: watches.triggers.held_back[key],
        ),
    ),
    lambda watches: watches,
)
CONNECTIONS = Table(
    lambda watches: watches.held(),
    ("check",),
    lambda held: (held[0],),
    (
        gauge(
            "hachecks_watch_connections",
            "Idle connections that are held to the targets of a check.",
            lambda held: held[1],
        ),
    ),
)
PROCESSES = Table(
    lambda watches: watches.processes.watched(),
    ("check",),
    lambda watched: (watched[0],),
    (
        gauge(
            "hachecks_watch_processes",
            "Processes whose end has a check run at once.",
            lambda watched: watched[1],
        ),
    ),
)
TABLES = (TRIGGERS, HELD_BACK, CONNECTIONS, PROCESSES)


def section(watches: Watches) -> CachedSection:
    """What watches hold, and have caused."""
    return CachedSection(None, lambda _, format: rendered(TABLES, watches, format))
