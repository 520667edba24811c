"""What the agent's checks cost, beside blackbox_exporter's, and how punctual a thousand are, for `make bench`.

CPU is what the kernel counted for each process (schedstat), all that it does included: the agent schedules, asks and
publishes, blackbox_exporter is asked over one kept connection. Exits 1 when a bound is broken.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.pop(0)  # tests/, where there is another http
sys.path.insert(0, str(Path(__file__).parents[1]))

import http.client

from tests import nginx
from tests.agent.running import Agent, agent, one_check

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 255
SECONDS = 12.0
MOST_OF_BLACKBOX = {"tcp": 0.15, "http": 0.4}
SIZES = (10, 100, 255, 500, 1000)
MOST_LATE = 0.05
"""Seconds by which one in a hundred runs may be late, with 1,000 checks a second on one core."""
MOST_UNEVEN = 1.5
"""How often a check may cost with 1,000 of them what it costs with the least costly number from 100 on."""
MOST_MEMORY = 80.0
MODULES = "modules:\n  tcp: {prober: tcp, timeout: 1.5s}\n  http: {prober: http, timeout: 1.5s}\n"


def cpu_seconds(pid: int) -> float:
    """What a process has had of the processor, threads that have ended included where the kernel says so."""
    used = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            used += int((task / "schedstat").read_text().split()[0])
    return used / 1e9


def memory_mib(pid: int) -> float:
    """The resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextlib.contextmanager
def blackbox(directory: Path) -> Iterator[tuple[int, int]]:
    """A blackbox_exporter: its process and its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (directory / "blackbox.yml").write_text(MODULES)
    words = [f"--config.file={directory}/blackbox.yml", f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(["prometheus-blackbox-exporter", *words], stderr=subprocess.DEVNULL)
    try:
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.02)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(10)


def of_blackbox(pid: int, port: int, kind: str, target: str) -> float:
    """Seconds of CPU for a probe."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    path = f"/probe?module={kind}&target={target}"
    asked, before, began = 0, 0.0, time.monotonic()
    warm = RATE
    while asked < warm + RATE * SECONDS:
        if asked == warm:
            before = cpu_seconds(pid)
        connection.request("GET", path)
        text = connection.getresponse().read()
        assert b"probe_success 1" in text, text
        asked += 1
        time.sleep(max(0.0, began + asked / RATE - time.monotonic()))
    connection.close()
    return (cpu_seconds(pid) - before) / (asked - warm)


def checks(kind: str, target: str, count: int) -> str:
    """A hacheck.toml of so many checks, each run once a second."""
    key = "url" if kind == "http" else "target"
    return "".join(one_check(f"c{number}", kind, interval="1s", **{key: target}) for number in range(count))


class Cost:
    """What an agent takes with so many checks: seconds of CPU for a run, runs a second, MiB, and lateness.

    `late` is the bound in seconds within which 99 of 100 runs begin after they were due.
    """

    def __init__(self, kind: str, target: str, count: int, prefix: tuple[str, ...] = ()) -> None:
        with (
            tempfile.TemporaryDirectory(dir="/dev/shm") as state,
            agent(checks(kind, target, count), Path(state), prefix=prefix) as running,
        ):
            pid = running.process.pid
            delays(running)  # the first answer of many checks takes the longest
            time.sleep(3)
            first, cpu, began = delays(running), cpu_seconds(pid), time.monotonic()
            time.sleep(SECONDS)
            used, took = cpu_seconds(pid) - cpu, time.monotonic() - began
            last = delays(running)
            self.rate = (last.runs - first.runs) / took
            self.each = used / took / self.rate
            self.memory = memory_mib(pid)
            self.share = used / took
            self.late = last.within(first, 0.99)


class Delays:
    """The lateness of runs, as the metrics tell it: how many began within each bound."""

    def __init__(self, text: str) -> None:
        self.buckets: dict[float, float] = {}
        for line in text.splitlines():
            if line.startswith("hachecks_agent_run_delay_seconds_bucket"):
                bound, _, count = line.partition('le="')[2].partition('"} ')
                self.buckets[float(bound)] = float(count)

    @property
    def runs(self) -> float:
        """All there were."""
        return self.buckets[float("inf")]

    def within(self, before: Delays, share: float) -> float:
        """The least bound within which such a share of the runs since then began."""
        runs = self.runs - before.runs
        return min(b for b, count in self.buckets.items() if count - before.buckets[b] >= share * runs)


def delays(running: Agent) -> Delays:
    """What an agent's metrics say."""
    return Delays(gzip.decompress(running.get(Accept_Encoding="gzip").body).decode())


def judged(reached: bool) -> str:
    """The word at the end of a row."""
    return "reached" if reached else "MISSED"


def beside_blackbox(directory: Path, kind: str, target: str) -> bool:
    """A row: the agent beside blackbox_exporter; returns whether the bound is kept."""
    with blackbox(directory) as (pid, port):
        theirs = of_blackbox(pid, port, kind, target)
    ours = Cost(kind, target, RATE)
    share, most = ours.each / theirs, MOST_OF_BLACKBOX[kind]
    print(
        f"{kind:<5} {RATE} a second: blackbox_exporter {theirs * 1e6:>5.0f} us, agent {ours.each * 1e6:>4.0f} us"
        f" a check: {share:.3f} x  <= {most:g} x {judged(share <= most)}",
        flush=True,
    )
    return share <= most


def growing(target: str) -> bool:
    """The table of costs on one core; returns whether the bounds are kept."""
    print("\nchecks at 1 s on one core   CPU a check   of a core   99 % begin within     memory")
    costs = {}
    for count in SIZES:
        costs[count] = cost = Cost("tcp", target, count, ("taskset", "-c", "0"))
        print(
            f"{count:>20} {cost.each * 1e6:>16.0f} us {cost.share * 100:>9.1f} % {cost.late * 1000:>15.0f} ms"
            f" {cost.memory:>12.1f} MiB",
            flush=True,
        )
    last = costs[SIZES[-1]]
    least = min(cost.each for count, cost in costs.items() if count >= 100)
    bounds = {
        f"lateness <= {MOST_LATE * 1000:.0f} ms": last.late <= MOST_LATE,
        f"linear: <= {MOST_UNEVEN:g} x the least": last.each <= MOST_UNEVEN * least,
        f"memory <= {MOST_MEMORY:.0f} MiB": last.memory <= MOST_MEMORY,
    }
    print("; ".join(f"{bound} {judged(kept)}" for bound, kept in bounds.items()))
    return all(bounds.values())


def main() -> int:
    """Print the tables; 1 when a bound is broken."""
    with tempfile.TemporaryDirectory() as directory, nginx.running(Path(directory)) as web:
        targets = {"tcp": f"127.0.0.1:{web.ports['plain']}", "http": web.url("plain", "/")}
        print("\nCPU of a check, all that each process does included")
        kept = [beside_blackbox(Path(directory), kind, targets[kind]) for kind in MOST_OF_BLACKBOX]
        kept.append(growing(targets["tcp"]))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
