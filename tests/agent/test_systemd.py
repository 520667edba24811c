"""A service manager hears by sd_notify's datagrams how the agent fares, and gives up on one that makes no progress."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from hachecks.agent.check import AgentCheck
from hachecks.agent.figures import Figures
from hachecks.agent.progress import LOOK_SECONDS, STALL_SECONDS, Progress
from hachecks.agent.report import HANGS
from hachecks.agent.systemd import ServiceManager
from hachecks.node import CONFIG_FILE
from tests.agent.running import agent, one_check
from tests.cli import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.agent.running import Agent

PATIENCE = 60.0


class Manager:
    """What listens where NOTIFY_SOCKET says."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.words: list[str] = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        self.socket.bind(address.replace("@", "\0", 1))

    def until(self, word: str) -> str:
        """The first word that begins so, of those to come; raises `TimeoutError`."""
        while True:
            heard = self.socket.recv(4096).decode().split("\n")
            self.words += heard
            for one in heard:
                if one.startswith(word):
                    return one

    def empty(self) -> None:
        """Pass over what has been said."""
        self.socket.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.socket.recv(4096)


@contextmanager
def manager(address: str) -> Iterator[Manager]:
    one = Manager(address)
    with one.socket:
        yield one


def file_check(state: Path) -> str:
    (state / "there").touch()
    return one_check("there", "file", path=str(state / "there"), interval="100ms")


@pytest.fixture(params=["path", "abstract"])
def managed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@hachecks-test-{os.getpid()}"
    with manager(address) as one:
        yield one


def test_it_says_when_it_has_started_how_it_fares_and_that_it_ends(managed: Manager, tmp_path: Path) -> None:
    with agent(file_check(tmp_path), tmp_path, NOTIFY_SOCKET=managed.address) as running:
        managed.until("READY=1")
        assert managed.until("STATUS=") == "STATUS=1 checks pass"
        (tmp_path / "there").unlink()
        assert managed.until("STATUS=1 of 1 checks fail: there")
        running.signal(signal.SIGTERM)
        managed.until("STOPPING=1")
        assert running.process.wait(PATIENCE) == 0
    assert "WATCHDOG=1" not in managed.words


def test_a_reload_begins_and_ends_with_a_word(tmp_path: Path) -> None:
    with (
        manager(str(tmp_path / "notify")) as one,
        agent("", tmp_path, NOTIFY_SOCKET=one.address, ready=False) as running,
    ):
        one.until("READY=1")
        for toml, then in (
            (file_check(tmp_path), "STATUS=1 checks"),
            (
                "[check.x]\nprobe = 'htp'\n",
                "STATUS=the last reload was refused, and what was declared before goes on; 1",
            ),
            (file_check(tmp_path), "STATUS=1 checks"),
        ):
            running.declare(toml)
            one.until("RELOADING=1")
            assert re.search(r"MONOTONIC_USEC=\d+", "\n".join(one.words[-2:]))
            one.until("READY=1")
            assert one.words[-1].startswith(then)


def test_one_that_can_run_no_check_has_started_and_says_why(tmp_path: Path) -> None:
    with (
        manager(str(tmp_path / "notify")) as one,
        agent("[check.x\n", tmp_path, NOTIFY_SOCKET=one.address, ready=False),
    ):
        one.until("READY=1")
        assert "no check runs here" in one.until("STATUS=")


@pytest.mark.parametrize("microseconds", [1_000_000, 2_000_000, 3_000_000])
def test_the_watchdog_is_fed_twice_while_it_waits_once(tmp_path: Path, microseconds: int) -> None:
    address = str(tmp_path / "notify")
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(microseconds)}
    with manager(address) as one, agent(file_check(tmp_path), tmp_path, **environ):  # type: ignore[arg-type]
        one.until("WATCHDOG=1")
        began = time.monotonic()
        for _ in range(6):
            one.until("WATCHDOG=1")
        assert (time.monotonic() - began) / 6 < 1.4 * microseconds / 2e6


def test_the_watchdog_is_fed_by_one_that_works_and_not_by_one_that_is_stopped(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
    with manager(address) as one, agent(file_check(tmp_path), tmp_path, **environ) as running:  # type: ignore[arg-type]
        for _ in range(3):
            one.until("WATCHDOG=1")
        running.signal(signal.SIGSTOP)
        stopped(running)
        one.empty()
        one.socket.settimeout(1.0)
        with pytest.raises(TimeoutError):
            one.until("WATCHDOG=1")
        one.socket.settimeout(PATIENCE)
        running.signal(signal.SIGCONT)
        one.until("WATCHDOG=1")


def test_when_all_threads_hang_it_is_said_once_and_when_they_do_not_any_more(tmp_path: Path) -> None:
    body = tmp_path / "body"
    os.mkfifo(body)
    keys = {"url": "http://127.0.0.1:9/", "body_file": str(body), "interval": "200ms", "timeout": "100ms"}
    hanging = "".join(one_check(f"h{number}", "http", **keys) for number in range(6))
    with agent(hanging, tmp_path, "--threads", "2", ready=False) as running:
        running.until("it is not healthy", lambda: running.get("-/healthy").status == 503)
        running.until("it says so", lambda: any(HANGS in line for line in running.lines))
        writer = os.open(body, os.O_WRONLY | os.O_NONBLOCK)  # they are let go, and nobody else is kept
        body.unlink()
        body.touch()
        os.close(writer)
        running.until("it is well", lambda: running.get("-/healthy").status == 200)
        running.until("it says so", lambda: any("checks are begun again" in line for line in running.lines))
        assert sum(HANGS in line for line in running.lines) == 1


def stopped(running: Agent) -> None:
    with open(f"/proc/{running.process.pid}/stat") as file:
        running.until("it is stopped", lambda: file.seek(0) == 0 and file.read().split()[2] == "T")


def test_a_watchdog_of_another_process_is_not_fed() -> None:
    environ = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "1000000"}
    assert ServiceManager(environ).watchdog_interval == 0.5
    assert ServiceManager({**environ, "WATCHDOG_PID": str(os.getpid())}).watchdog_interval == 0.5
    assert ServiceManager({**environ, "WATCHDOG_PID": "1"}).watchdog_interval is None
    assert ServiceManager({**environ, "WATCHDOG_USEC": "soon"}).watchdog_interval is None
    assert ServiceManager({"WATCHDOG_USEC": "1000000"}).watchdog_interval is None


@pytest.mark.parametrize("address", ["", "/nonexistent/socket", "vsock:2:1234", "@", "\udcff"])
def test_where_nobody_listens_nothing_is_said(address: str) -> None:
    ServiceManager({"NOTIFY_SOCKET": address}).tell("READY=1")


class Time:
    def __init__(self) -> None:
        self.now = 1000.0


def progress(figures: Figures, time: Time, *due: float | None) -> Progress:
    checks = []
    for at in due:
        check = AgentCheck.__new__(AgentCheck)
        check.due = at
        checks.append(check)
    return Progress(figures, lambda: checks, lambda: time.now)


def after(one: Progress, time: Time, seconds: float) -> str:
    """What it says after so many seconds, being asked each second."""
    trouble = ""
    for _ in range(int(seconds)):
        time.now += 1.0
        trouble = one.look()
    return trouble


def test_workers_that_begin_nothing_that_is_due_hang() -> None:
    time, figures = Time(), Figures()
    one = progress(figures, time, 1000.0, 9000.0)
    assert after(one, time, STALL_SECONDS) == ""
    assert "one is due" in after(one, time, 2)
    figures.runs += 1
    assert after(one, time, 1) == ""


def test_who_has_nothing_to_do_or_was_stopped_does_not_hang() -> None:
    time, figures = Time(), Figures()
    assert after(progress(figures, time, 9000.0, None), time, 100) == ""
    one = progress(figures, time, time.now)
    assert after(one, time, 3) == ""
    time.now += STALL_SECONDS + LOOK_SECONDS
    assert one.look() == ""


def test_the_unit_and_the_guard_read_the_same_configuration() -> None:
    """The guard is `sh /etc/keepalive/hacheck run NAME`, which is given no file and takes the usual one."""
    unit = (ROOT / "configmaps/hacheck-agent.service").read_text()
    named = re.findall(r"HACHECK_CONFIG=(\S+)|--config[ =](\S+)", unit)
    assert {name for pair in named for name in pair if name} <= {CONFIG_FILE}
    assert CONFIG_FILE in (ROOT / "docs/agent.md").read_text()


def test_the_unit_is_one_that_systemd_understands() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    unit = ROOT / "configmaps/hacheck-agent.service"
    done = subprocess.run([program, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "hacheck-agent" in line and "is not executable" not in line]
    assert told == []
