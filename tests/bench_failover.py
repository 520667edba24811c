"""How long a client is without service when a service fails, for `make bench`; ends with 1 above a bound.

Nodes with real Keepalived and nginx in network namespaces, and a client that asks the VIP every 5 ms: on three nodes
with the agent, as configmaps/agent.env has them, and on two as OpenShift configures them, whose check is a connection
to the port. What it says is true of a machine that does nothing else; the load is told.

    python tests/bench_failover.py [RUNS]
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.pop(0)  # tests/, where there is another http
sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.failover import measure
from tests.failover.requirements import missing

RUNS = 12
STOCK_RUNS = {"kill": 10, "hang": 3, "500": 1}
STOCK_WITHIN = {"kill": 10.0, "hang": 40.0, "500": 10.0}
"""Seconds; as OpenShift configures it, a service that answers 500 is well, for ever."""
HAPPENS = {"kill": "is killed", "hang": "hangs", "500": "answers 500"}


class Bound(NamedTuple):
    """The most milliseconds of a median and of the worst run, and how many times shorter than stock it is at least."""

    median: float
    worst: float
    times: float


BOUNDS = {"kill": Bound(60, 150, 20), "hang": Bound(600, 600, 0), "500": Bound(300, 300, 0)}
Series = dict[str, list[float]]


def series(nodes: measure.AgentNodes | measure.StockNodes, runs: dict[str, int], within: dict[str, float]) -> Series:
    """Milliseconds of each run by what was done; infinity where nobody took over in time."""
    found: Series = {breakage: [] for breakage in runs}
    for breakage, count in runs.items():
        for _ in range(count):
            outage = nodes.outage(breakage, within[breakage])
            found[breakage].append(float("inf") if outage is None else outage * 1000)
    return found


def row(breakage: str, agent: list[float], stock: list[float]) -> bool:
    """Print a line of the table; returns whether it keeps within its bounds."""
    bound = BOUNDS[breakage]
    median, worst = statistics.median(agent), max(agent)
    stock_median = statistics.median(stock)
    times = stock_median / median
    kept = median <= bound.median and worst <= bound.worst and times >= bound.times
    limits = f"≤ {bound.median:g} and {bound.worst:g} ms" + (f", ≥ {bound.times:g} ×" if bound.times else "")
    never = stock_median == float("inf")
    limit = STOCK_WITHIN[breakage] * 1000
    beside = f"{f'> {limit:.0f}' if never else f'{stock_median:.0f}':>8} ms"
    print(
        f"{HAPPENS[breakage]:<13}{len(agent):>4} {min(agent):>6.0f} {median:>7.0f} {worst:>6.0f} ms {len(stock):>5}"
        f" {beside} {'> ' if never else ''}{(limit / median if never else times):>4.0f} ×"
        f"  {limits} {'reached' if kept else 'MISSED'}",
        flush=True,
    )
    return kept


def main(words: list[str]) -> int:
    """Print the table."""
    lack = missing()
    if lack:
        print(f"failover: {lack}")
        return 1
    runs = int(words[0]) if words else RUNS
    print(f"\nwithout service when nginx on the node with the VIP fails; load {os.getloadavg()[0]:.1f}")
    with measure.agents() as agents:
        ours = series(agents, dict.fromkeys(BOUNDS, runs), dict.fromkeys(BOUNDS, measure.PATIENCE))
    with measure.stock() as openshifts:
        stock = series(openshifts, STOCK_RUNS, STOCK_WITHIN)
    print(f"{'nginx':<13}{'runs':>4} {'least':>6} {'median':>7} {'worst':>6}    {'stock':>5} {'median':>8}", flush=True)
    kept = [row(breakage, ours[breakage], stock[breakage]) for breakage in BOUNDS]
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
