"""The agent holds idle connections, and their end has the check run at once."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from hachecks.agent.declared import checks_of
from hachecks.agent.watch.triggers import BURST, CONNECTION, Triggers
from hachecks.settings import Invalid
from tests.agent.running import Agent, agent, one_check
from tests.agent.web import Web, web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hachecks.agent.check import AgentCheck

SELDOM = "10m"
"""An interval that no test waits for: what is published sooner is by a watch."""


def watching(running: Agent, name: str) -> None:
    """Wait until the connection is held."""
    running.until(f"{name} is watched", lambda: running.series().of("hachecks_watch_connections", check=name) == 1)


def until_failed(running: Agent, name: str) -> None:
    """Wait until a failure is published."""
    running.until(f"{name} fails", lambda: (found := running.fresh(name)) is not None and not found.good)


def table(server: Web, kind: str = "http", **keys: object) -> str:
    """A check of the server, by each kind of probe that can ask it; the check is called so."""
    probes: dict[str, dict[str, object]] = {
        "http": {"url": server.url},
        "tcp": {"target": f"127.0.0.1:{server.port}"},
        "unix": {"target": f"unix:{server.socket}"},
        "name": {"url": f"http://localhost:{server.port}/", "ipv4": True},
        "source": {"url": server.url, "source": "127.0.0.9"},
        "connect_to": {"url": "http://example.test/", "connect_to": f"127.0.0.1:{server.port}"},
    }
    probe = "tcp" if kind in ("tcp", "unix") else "http"
    return one_check(kind, probe, watch=True, **{"interval": SELDOM, "timeout": "5s", **probes[kind], **keys})


@contextlib.contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does this with each connection, in a thread, and where it is."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def test_a_server_that_is_killed_fails_at_once_whatever_the_way_to_it(tmp_path: Path) -> None:
    kinds = ("http", "tcp", "unix", "name", "source", "connect_to")
    with web(tmp_path / "web") as server, contextlib.ExitStack() as stack:
        running = stack.enter_context(agent("".join(table(server, kind) for kind in kinds), tmp_path))
        for kind in kinds:
            watching(running, kind)
        server.kill()
        for kind in kinds:
            until_failed(running, kind)
            assert running.series().of("hachecks_watch_triggers_total", check=kind, cause="connection") == 1


@pytest.mark.parametrize(
    ("toml", "why"),
    [
        (
            'probe = "file"\npath = "/dev/null"',
            "file has no connection that could be held; it is for tcp, http and sql",
        ),
        ('probe = "dns"\nname = "x.test"', "dns has no connection that could be held; it is for tcp, http and sql"),
        ('probe = "sql"\nurl = "sqlite:/x.db"', "an SQLite file has no connection that could be held"),
        ('probe = "sql"\nurl = "mysql://x@h/"\nready_only = true', "a database is watched by a session that is logged"),
        ('probe = "http"\nurl = "http://h/"\nproxy = "http://p:3128"', "the connection would end at the proxy"),
        ('all = ["null"]', "none of all of null can be watched; it is for tcp, http and sql"),
    ],
)
def test_what_cannot_be_watched_is_refused_in_one_line(tmp_path: Path, toml: str, why: str) -> None:
    path = tmp_path / "hacheck.toml"
    path.write_text(f'[check.null]\nprobe = "file"\npath = "/dev/null"\n[check.one]\nwatch = true\n{toml}\n')
    with pytest.raises(Invalid) as refused:
        checks_of(str(path), {})
    assert str(refused.value).startswith(f"{path}: [check.one]: watch: {why}")
    assert "\n" not in str(refused.value)


def test_a_composition_watches_what_its_members_ask(tmp_path: Path) -> None:
    with web(tmp_path / "web") as server, web(tmp_path / "other") as other:
        toml = one_check("one", "http", url=server.url, interval=SELDOM, timeout="5s")
        toml += one_check("two", "http", url=other.url, interval=SELDOM, timeout="5s")
        toml += f'[check.both]\nall = ["one", "two"]\nwatch = true\ninterval = "{SELDOM}"\ntimeout = "5s"\n'
        with agent(toml, tmp_path) as running:
            held = "hachecks_watch_connections"
            running.until("both are watched", lambda: running.series().of(held, check="both") == 2)
            other.kill()
            until_failed(running, "both")


def test_a_server_that_ends_idle_connections_is_watched_anew(tmp_path: Path) -> None:
    """Each end is one run, and each connection that has lived a while is soon followed by another."""
    with web(tmp_path / "web", idle="4200ms") as server, agent(table(server), tmp_path) as running:

        def triggers() -> float:
            return running.series().of("hachecks_watch_triggers_total", check="http", cause="connection") or 0

        running.until("one has been ended", lambda: triggers() == 1)
        running.until("that was a run", lambda: server.requests == 2)
        watching(running, "http")
        found = running.fresh("http")
        assert found
        assert found.good


def test_a_server_that_ends_every_connection_at_once_is_not_hammered(tmp_path: Path) -> None:
    accepted: list[float] = []

    def close_at_once(connection: socket.socket) -> None:
        accepted.append(time.monotonic())
        connection.close()

    with serving(close_at_once) as target:
        toml = one_check("web", "tcp", target=target, watch=True, interval=SELDOM)
        with agent(toml, tmp_path) as running:
            ends = accepted[0] + 4
            running.until("time has passed", lambda: time.monotonic() > ends)
            # The first run; at once and after 0.25 s, 0.5 s, 1 s and 2 s a connection, and the run that its end causes.
            assert 3 <= sum(at < ends for at in accepted) <= 11


def test_a_server_that_sends_unasked_is_left_and_told_of_once(tmp_path: Path) -> None:
    def send_for_ever(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while True:
                connection.sendall(b"tick\n" * 1000)

    with serving(send_for_ever) as target:
        toml = one_check("web", "tcp", target=target, watch=True, interval=SELDOM)
        with agent(toml, tmp_path) as running:
            told = f"web: it is not watched: {target} does not wait to be asked, but sends on and on"
            running.until("it is told", lambda: told in "\n".join(running.lines))
            assert running.series().of("hachecks_watch_connections", check="web") == 0


def test_a_mysql_server_that_greets_late_is_left_with_a_login(tmp_path: Path) -> None:
    """It looks the client's name up first, and would count who waits for its greeting and then says nothing."""
    greeting = b"\x0a8.0.0\0" + bytes(4) + b"a" * 8 + b"\0" + b"\xff\xf7" + bytes(40)
    heard: list[bytes] = []

    def greet(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            time.sleep(0.3)  # the name server is slow
            connection.sendall(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
            heard.append(connection.recv(4096))

    with serving(greet) as target:
        toml = one_check("db", "tcp", target=target, watch=True, interval=SELDOM)
        with agent(toml, tmp_path) as running:
            told = f"db: it is not watched: {target} is a MySQL server"
            running.until("it is told", lambda: told in "\n".join(running.lines))
            running.until("it is answered", lambda: any(b"hacheck\0" in one for one in heard))
            assert running.series().of("hachecks_watch_triggers_total", check="db", cause="connection") is None


def test_a_check_that_is_declared_no_more_is_watched_no_more(tmp_path: Path) -> None:
    with web(tmp_path / "web") as server, agent(table(server), tmp_path) as running:
        watching(running, "http")
        running.declare(table(server, "tcp"))
        watching(running, "tcp")
        assert running.series().of("hachecks_watch_connections", check="http") is None


def test_causes_that_come_too_fast_come_to_one_run() -> None:
    check = cast("AgentCheck", SimpleNamespace(name="web"))
    run: list[AgentCheck] = []
    triggers = Triggers(run.append)
    for _ in range(100):
        triggers.fire(check, CONNECTION)
    assert len(run) == BURST
    assert triggers.held_back["web", CONNECTION] == 100 - BURST
    ends = time.monotonic() + 30
    while len(run) == BURST and time.monotonic() < ends:
        triggers.release()
        time.sleep(0.05)
    assert len(run) == BURST + 1
    assert triggers.made["web", CONNECTION] == BURST + 1


@pytest.mark.serial
def test_a_server_that_is_killed_is_known_to_fail_in_milliseconds(tmp_path: Path) -> None:
    took = []
    with web(tmp_path / "web") as server, agent(table(server, interval="1s"), tmp_path) as running:
        for _ in range(5):
            watching(running, "http")
            began = server.kill()
            ends = began + 30
            while (found := running.answer("http")) is None or found.good:
                assert time.monotonic() < ends
                time.sleep(0.0005)
            took.append(time.monotonic() - began)
            server.start()
    assert sorted(took)[2] < 0.1
