"""The agent's metrics of itself: how late it runs checks, what it published, and what others did in its place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hachecks.agent.figures import LATE_BUCKETS
from hachecks.exporter.body import CachedSection
from hachecks.services.exposition import (
    Histogram,
    Table,
    counter,
    described,
    gauge,
    histogram,
    single,
)
from hachecks.services.exposition_text import TablesText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hachecks.agent.main import Agent
    from hachecks.services.exposition import Description


class Reloads:
    """How often hacheck.toml was read, and what came of it; times are seconds of the epoch."""

    def __init__(self) -> None:
        self.count = self.failures = 0
        self.successful: bool | None = None
        self.last_success: float | None = None

    def ended(self, successful: bool) -> None:
        """It was read, and is done from now on or not."""
        self.count += 1
        self.failures += not successful
        self.successful = successful
        if successful:
            self.last_success = time.time()


def _late(agent: Agent) -> Histogram:
    figures, counts = agent.scheduler.figures, [0]
    for number in figures.late:
        counts.append(counts[-1] + number)
    return Histogram(LATE_BUCKETS, counts[1:], round(figures.late_seconds, 6))


RUNS = single(
    lambda agent: agent,
    histogram("hachecks_agent_run_delay_seconds", "How long after it was due a run of a check began.", _late),
    counter(
        "hachecks_agent_runs_triggered_total",
        "Runs that began before their time, since something was seen to change.",
        lambda agent: agent.scheduler.figures.triggered,
    ),
    counter(
        "hachecks_agent_runs_overdue_total",
        "Runs that did not end by their deadline, and were told as failed.",
        lambda agent: agent.scheduler.figures.overdue,
    ),
    counter(
        "hachecks_agent_stalls_total",
        "How often the agent itself stood still: it was stopped, or had no processor.",
        lambda agent: agent.scheduler.figures.stalls,
    ),
)
THREADS = single(
    lambda agent: agent.scheduler.figures,
    gauge("hachecks_agent_threads", "Threads that run checks.", lambda figures: figures.threads),
    gauge("hachecks_agent_threads_stuck", "Threads in checks that do not end.", lambda figures: figures.stuck),
)
CHECKS = single(
    lambda agent: agent.checks,
    gauge("hachecks_agent_checks", "Checks that are declared.", len),
    gauge(
        "hachecks_agent_checks_waiting",
        "Checks that have not run yet.",
        lambda checks: sum(check.verdict is None for check in checks),
    ),
)
PUBLISHED = Table(
    lambda agent: [check for check in agent.checks if check.verdict],
    ("check",),
    lambda check: (check.name,),
    (
        gauge(
            "hachecks_agent_published_age_seconds",
            "Age of the verdict that is published of a check.",
            lambda check, at: round(max(0.0, at[0] - check.results.at), 3),
        ),
        counter(
            "hachecks_agent_fallbacks_total",
            "Runs that `hacheck run` made itself in the agent's place, as the agent has found them.",
            lambda check, at: at[1].get(check.name, 0),
        ),
    ),
    context=lambda agent: (time.time(), agent.publisher.fallbacks),
)
RELOADS = single(
    lambda agent: agent.reloads,
    counter("hachecks_config_reloads_total", "How often hacheck.toml was read.", lambda reloads: reloads.count),
    gauge(
        "hachecks_config_last_reload_successful",
        "Whether hacheck.toml could be used when it was last read.",
        lambda reloads: reloads.successful,
    ),
    gauge(
        "hachecks_config_last_reload_success_timestamp_seconds",
        "When hacheck.toml was last read that could be used.",
        lambda reloads: reloads.last_success,
    ),
)
LIFE = single(
    lambda agent: agent,
    gauge(
        "hachecks_agent_delivers",
        "Whether the agent delivers notifications; it waits while another process of its user does.",
        lambda agent: agent.delivery.delivers,
    ),
    gauge(
        "hachecks_agent_stalled",
        "Whether checks are due and none is begun.",
        lambda agent: bool(agent.progress.trouble),
    ),
)
TABLES = (RUNS, THREADS, CHECKS, PUBLISHED, RELOADS, LIFE)


def section(agent: Agent) -> CachedSection:
    """All of these."""
    text = TablesText(TABLES)
    return CachedSection(None, lambda _, format: text.pieces(agent, format))


def all_metrics() -> Iterator[Description]:
    """Every metric of these, for the documentation."""
    yield from described(TABLES)
