"""The cost of a scrape of the exporter, beside prometheus_client's writer of the same families, for `make bench`.

CPU is what the kernel counted for the exporter's process (schedstat) over many scrapes, gzip and HTTP included.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

sys.path.pop(0)  # tests/, where there is another http
sys.path.insert(0, str(Path(__file__).parents[1]))

import http.client

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from tests.exporter.running import Exporter, configuration, exporter, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

SIZES = (5, 50, 255)
SCRAPES = 200
IDLE = 20.0
MOST_CPU, MOST_MEMORY, MOST_IDLE = 4.0, 64.0, 0.3
"""Of a scrape, unchanged or after news, in milliseconds; of the process, in MiB; of a core while nobody asks, in %."""


class Families(Collector):
    """The families of a text, for prometheus_client to write again."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return self.families


def cpu_seconds(pid: int) -> float:
    """What a process has had of the processor."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def memory_mib(pid: int) -> float:
    """The resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def scrapes(running: Exporter, before: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of CPU for a scrape, and the median of how long it took."""
    goal = urlsplit(running.url)
    connection = http.client.HTTPConnection(str(goal.hostname), goal.port, timeout=5)
    headers = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "gzip"}
    took, used = [], 0.0
    for _ in range(SCRAPES):
        before()
        cpu, began = cpu_seconds(running.process.pid), time.perf_counter()
        connection.request("GET", "/metrics", headers=headers)
        connection.getresponse().read()
        took.append(time.perf_counter() - began)
        used += cpu_seconds(running.process.pid) - cpu
    connection.close()
    return used / SCRAPES * 1000, sorted(took)[SCRAPES // 2] * 1000


def peer(text: str) -> tuple[float, float]:
    """Milliseconds for generate_latest of the same families, and with gzip as Prometheus wants it."""
    registry = CollectorRegistry()
    registry.register(Families(text))
    generated, compressed = [], []
    for _ in range(15):
        began = time.process_time()
        written = generate_latest(registry)
        generated.append(time.process_time() - began)
        gzip.compress(written, 6)
        compressed.append(time.process_time() - began)
    return sorted(generated)[7] * 1000, sorted(compressed)[7] * 1000


def run_check(state: Path) -> None:
    """A check that leaves its verdict, as Keepalived runs one every two seconds."""
    config = state / "hacheck.toml"
    config.write_text('[check.web]\nprobe = "file"\npath = "/dev/null"\n')
    words = ["run", "web", "--config", str(config), "--state-dir", str(state)]
    subprocess.run([sys.executable, "-m", "hachecks", *words], check=False, stdout=subprocess.DEVNULL)


def measure(count: int) -> None:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory)
        (state / "keepalived.conf").write_text(configuration(count))
        up = time.clock_gettime(time.CLOCK_BOOTTIME)
        for number in range(1, count + 1):
            say(state, f"VI_{number}", "BACKUP", seconds_ago=up / 2 + number / 100)
            say(state, f"VI_{number}", "MASTER", seconds_ago=up / 4 + number / 100)
        run_check(state)
        words = ("--keepalived-config", str(state / "keepalived.conf"), "--compat", "keepalived")
        with exporter(state, *words) as running:
            text = running.get().body.decode()
            series = sum(not line.startswith("#") for line in text.splitlines())
            numbers = iter(range(10**6))
            same, took = scrapes(running, lambda: None)
            words_said = ("BACKUP", "MASTER")
            moved, _ = scrapes(running, lambda: say(state, "VI_1", words_said[next(numbers) % 2]))
            written, with_gzip = peer(text)
            judged = "reached" if max(same, moved) <= MOST_CPU else "MISSED"
            print(
                f"{count:>4} VIPs {series:>6} series {same:>8.2f} ms CPU {took:>7.2f} ms {moved:>9.2f} ms"
                f" {written:>11.1f} ms {with_gzip:>9.1f} ms {memory_mib(running.process.pid):>8.1f} MiB"
                f"  ≤ {MOST_CPU:g} ms {judged}",
                flush=True,
            )
            if count == SIZES[-1]:
                idle(running)


def idle(running: Exporter) -> None:
    """What it takes while nobody asks."""
    before, began = cpu_seconds(running.process.pid), time.monotonic()
    time.sleep(IDLE)
    share = (cpu_seconds(running.process.pid) - before) / (time.monotonic() - began) * 100
    memory = memory_mib(running.process.pid)
    print(f"idle with {SIZES[-1]} VIPs: {share:.2f} % of a core  ≤ {MOST_IDLE} %", end=" ")
    print("reached" if share <= MOST_IDLE else "MISSED", end=f"; memory {memory:.1f} MiB  ≤ {MOST_MEMORY:g} MiB ")
    print("reached" if memory <= MOST_MEMORY else "MISSED")


def main() -> None:
    """Print the table."""
    print(f"\n{'a scrape (gzip)':>31} {'unchanged':>11} {'took':>10} {'after news':>12}", end="")
    print(f" {'generate_latest':>14} {'+ gzip':>12} {'memory':>12}  target")
    for count in SIZES:
        measure(count)


if __name__ == "__main__":
    main()
