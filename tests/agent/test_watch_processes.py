"""A process that ends has the checks run that name it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from hachecks.agent.watch.processes import Process, wanted
from tests.agent.running import Agent, agent, one_check
from tests.agent.test_watch import SELDOM, until_failed
from tests.agent.web import web
from tests.cli import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def watched_processes(running: Agent, name: str = "web") -> float | None:
    return running.series().of("hachecks_watch_processes", check=name)


def program(directory: Path, name: str) -> str:
    """A copy of sleep(1) by another name, so that no other process has it."""
    path = directory / name
    path.symlink_to("/bin/sleep")
    return str(path)


def test_the_end_of_a_process_has_the_check_run(tmp_path: Path) -> None:
    name = f"w{time.monotonic_ns() % 10**12}"
    marker = tmp_path / "marker"
    marker.touch()
    sleeping = subprocess.Popen([program(tmp_path, name), "1000"])
    try:
        toml = one_check("web", "file", path=str(marker), interval=SELDOM, process=name)
        with agent(toml, tmp_path) as running:
            running.until("it is watched", lambda: watched_processes(running) == 1)
            marker.unlink()
            sleeping.kill()
            until_failed(running, "web")
            assert running.series().of("hachecks_watch_triggers_total", check="web", cause="process") == 1
            assert watched_processes(running) == 0
    finally:
        sleeping.kill()
        sleeping.wait()


def test_a_process_that_comes_later_is_found(tmp_path: Path) -> None:
    name = f"w{time.monotonic_ns() % 10**12}"
    path = program(tmp_path, name)
    with agent(one_check("web", "file", path="/dev/null", interval=SELDOM, process=name), tmp_path) as running:
        running.until("it is told", lambda: f"process {name}: no process of this name is seen" in str(running.lines))
        sleeping = subprocess.Popen([path, "1000"])
        running.until("it is watched", lambda: watched_processes(running) == 1)
        sleeping.kill()
        sleeping.wait()
        running.until("it has ended", lambda: watched_processes(running) == 0)
        assert str(running.lines).count(f"process {name}:") == 1


def test_the_master_is_watched_and_not_its_workers(tmp_path: Path) -> None:
    with web(tmp_path / "web", master=True) as server:
        toml = one_check("web", "http", url=server.url, interval=SELDOM, process="nginx")
        with agent(toml, tmp_path) as running:
            running.until("it is watched", lambda: (watched_processes(running) or 0) >= 1)
            server.kill(signal.SIGTERM)
            until_failed(running, "web")


def test_only_who_was_begun_by_another_is_a_process_of_its_own() -> None:
    found = {
        1: Process(1, "systemd", "S", 0),
        10: Process(10, "nginx", "S", 1),
        11: Process(11, "nginx", "S", 10),
        12: Process(12, "nginx", "Z", 1),
        13: Process(13, "nginx", "S", 99),
        14: Process(14, "nginx: x", "S", 1),
    }
    assert wanted(found, {"nginx", "absent"}) == {"nginx": [10, 13], "absent": []}


WITHOUT_THREADS = """
import asyncio, re, resource, sys
from hachecks.agent.watch.openers import Openers
from hachecks.agent.watch.processes import Processes

async def main():
    told = []
    processes = Processes(lambda name: None, told.append)
    processes.want({"web": "no-such-process"})
    size = int(re.search(r"VmSize:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size + 2**22, resource.RLIM_INFINITY))  # a stack has 8 MiB
    try:
        Openers(asyncio.get_running_loop(), print).open(None)
    except OSError as error:
        print(error.strerror)
    looking = asyncio.ensure_future(processes.run())
    while not told:
        await asyncio.sleep(0.01)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    while len(told) < 3:
        await asyncio.sleep(0.01)
    print(*told, looking.done(), sep="\\n")

asyncio.run(main())
"""


def test_where_no_thread_has_room_it_is_said_and_tried_again() -> None:
    words = [sys.executable, "-c", WITHOUT_THREADS]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "there is no room for a thread",
        "watched processes: there is no room for a thread",
        "process no-such-process: no process of this name is seen; is it in another PID namespace (hostPID)?",
        "watched processes: all is well again",
        "False",
    ]
