"""The agent runs its checks: a real one, from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

from tests.agent.running import agent, one_check

if TYPE_CHECKING:
    from pathlib import Path

NULL = one_check("null", "file", path="/dev/null", interval="100ms")


class Talking:
    """A server that takes a while to greet, so that most of the time somebody waits for it, and then answers."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                time.sleep(0.08)
                connection.sendall(b"hello")
                connection.recv(4096)
                connection.sendall(b"bye")


def test_a_check_is_run_and_its_verdict_published(tmp_path: Path) -> None:
    with agent(NULL, tmp_path) as running:
        found = running.fresh("null")
        assert found
        assert found.good


def test_a_check_that_never_returns_is_told_once_and_then_answered_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "body")
    hung = one_check("hung", "http", url="http://127.0.0.1:9/", body_file=tmp_path / "body", timeout="300ms")
    with agent(hung + NULL, tmp_path) as running:
        running.until("it is told", lambda: running.answer("hung"))
        found = running.answer("hung")
        assert found
        assert not found.good
        assert "the check does not end" in found.line
        running.until("it has expired", lambda: not running.fresh("hung"))
        assert running.fresh("null"), "the other goes on"
        series = running.series()
        assert series.of("hachecks_check_runs_total", check="hung") == 1
        assert series.of("hachecks_agent_threads_stuck") == 1
        (tmp_path / "body").write_text("at last")
        running.until("it is run again", lambda: running.fresh("hung"))


def test_a_server_is_not_blamed_while_the_agent_is_stopped(tmp_path: Path) -> None:
    """Most stops are in the middle of a run, which has no time left when it goes on."""
    web = Talking()
    steps = ["expect hello", "send hello", "expect bye"]
    toml = one_check("web", "tcp", target=web.target, dialogue=steps, interval="100ms", timeout="2s")
    with web.socket, agent(toml, tmp_path) as running:
        for _ in range(3):
            before = running.series().of("hachecks_check_runs_total", check="web") or 0
            running.signal(signal.SIGSTOP)
            time.sleep(2.2)
            running.signal(signal.SIGCONT)
            running.until(
                "it has run again",
                lambda before=before: (running.series().of("hachecks_check_runs_total", check="web") or 0) > before + 2,
            )
        assert not running.series().of("hachecks_check_failures_total", check="web", reason="timeout")


def test_what_a_stopped_agent_said_last_expires(tmp_path: Path) -> None:
    with agent(NULL.replace('interval = "100ms"', 'interval = "100ms"\ntimeout = "200ms"'), tmp_path) as running:
        running.signal(signal.SIGSTOP)
        running.until("it has expired", lambda: not running.fresh("null"))
        running.signal(signal.SIGCONT)
        running.until("it is said anew", lambda: running.fresh("null"))


def test_a_reload_changes_what_is_changed_and_nothing_else(tmp_path: Path) -> None:
    kept = one_check("kept", "file", path="/dev/null", interval="100ms")
    with agent(kept + one_check("gone", "file", path="/dev/null", interval="100ms"), tmp_path) as running:

        def runs() -> float:
            return running.series().of("hachecks_check_runs_total", check="kept") or 0

        running.until("it has run often", lambda: runs() > 5)
        running.declare(kept + one_check("new", "file", path="/nonexistent", interval="100ms"))
        running.until("the new one is told", lambda: running.fresh("new"))
        assert runs() > 5, "it does not begin anew"
        running.until("the other is answered no more", lambda: not running.fresh("gone"))


def test_members_of_a_composition_have_rise_and_fall_of_their_own(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    member = one_check("m", "file", path=str(flag), fall=3, interval="60s")
    both = '[check.both]\nall = ["m"]\ninterval = "100ms"\n'
    with agent(member + both, tmp_path) as running:
        flag.unlink()
        running.until("it fails", lambda: (found := running.answer("both")) and not found.good)
        series = running.series()
        assert (series.of("hachecks_check_runs_total", check="both") or 0) >= 3
