"""The agent answers a real HAProxy, and anybody else who asks, in one line."""

from __future__ import annotations

import re
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from hachecks.agent.declared import checks_of
from hachecks.agent.share import share, together
from hachecks.verdict import Verdict
from tests.agent.haproxy import haproxy
from tests.agent.running import Agent, agent, one_check
from tests.agent.web import web

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"interval": "100ms", "timeout": "1s"}
ANY = "127.0.0.1:0"


def port_of(running: Agent, about: str = "all") -> int:
    """Where it answers for this check, or for all."""

    def found() -> re.Match[str] | None:
        return re.search(rf"answering agent-check on \S+:(\d+) for \S*{about}|:(\d+) for the check", lines())

    def lines() -> str:
        return "\n".join(line for line in running.lines if ("agent-send" in line) == (about == "all"))

    running.until("it answers", found)
    match = found()
    assert match
    return int(match[1] or match[2])


def ask(port: int, say: bytes = b"") -> str:
    """The whole of what is answered to a client that says this."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as asked:
        asked.sendall(say)
        return b"".join(iter(lambda: asked.recv(4096), b"")).decode()


def answers(port: int, say: bytes) -> bool:
    """Whether there is an answer: where too many ask at once there is none."""
    try:
        return bool(ask(port, say))
    except ConnectionError:
        return False


def marker(directory: Path, name: str, **keys: object) -> str:
    """A check that passes while a file is there, which it is."""
    (directory / name).touch()
    return one_check(name, "file", path=str(directory / name), **{**QUICK, **keys})


def test_a_check_has_its_state_and_its_weight_in_one_line(tmp_path: Path) -> None:
    toml = marker(tmp_path, "web") + marker(tmp_path, "spare", weight=-60, track_file=str(tmp_path / "track"))
    with agent(toml, tmp_path, "--agent-check", ANY, "--agent-check", f"spare={ANY}") as running:
        port, spare = port_of(running), port_of(running, "spare")
        assert (
            ask(port) == ask(port, b"web\n") == ask(port, b"web") == ask(spare) == ask(spare, b"web\n") == "up 100%\n"
        )
        (tmp_path / "spare").unlink()
        running.until("its weight is less", lambda: ask(spare).startswith("up 40% #spare: "))
        assert ask(port).startswith("up 40% #spare: ")
        assert ask(port, b"web\n") == "up 100%\n"
        (tmp_path / "web").unlink()
        running.until("it is down", lambda: ask(port, b"web\r\n").startswith("down #web: "))
        assert ask(port).startswith("down #web: ")
        assert ask(spare).startswith("up 40%")
        assert ask(port, b"other\n") == "#there is no check of this name\n"


def test_what_is_not_known_changes_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        hangs = one_check("hangs", "tcp", target=address, dialogue=["expect x"], interval="1m", timeout="1m")
        toml = marker(tmp_path, "web") + hangs
        with agent(toml, tmp_path, "--agent-check", ANY, ready=False) as running:
            port = port_of(running)
            running.until("one has run", lambda: ask(port, b"web\n") == "up 100%\n")
            assert ask(port, b"hangs\n") == ask(port) == "#hangs has not run yet\n"
            (tmp_path / "web").unlink()
            running.until("the other is down", lambda: ask(port).startswith("down #web: "))


def test_a_drained_node_has_no_weight_until_it_is_undrained(tmp_path: Path) -> None:
    drain = tmp_path / "drain"
    drain.write_text("0\n")
    conf = tmp_path / "keepalived.conf"
    conf.write_text(f'track_file drain_node {{\n  file "{drain}"\n  weight 1\n  init_file 0\n}}\n')
    words = ("--agent-check", ANY, "--keepalived-config", str(conf))
    with agent(marker(tmp_path, "web"), tmp_path, *words) as running:
        port = port_of(running)
        running.until("it is up", lambda: ask(port) == "up 100%\n")
        drain.write_text("-253 # drained at 2026-11-29T16:00:00Z by root: new kernel\n")
        answer = ask(port, b"web\n")
        assert answer.startswith("up 0% #drained since 2026-11-29T16:00:00Z by root")
        (tmp_path / "web").unlink()
        running.until("it is down", lambda: ask(port).startswith("down #web: "))
        (tmp_path / "web").touch()
        drain.write_text("0\n")
        running.until("it is up", lambda: ask(port) == "up 100%\n")


def test_what_is_said_depends_on_what_counts_now(tmp_path: Path) -> None:
    path = tmp_path / "hacheck.toml"
    track = tmp_path / "track"
    path.write_text(marker(tmp_path, "web") + marker(tmp_path, "spare", weight=-60, track_file=str(track)))
    web_check, spare = checks_of(str(path), {})
    assert share(web_check, 0.0).line("") == "#web has not run yet\n"
    assert share(web_check, 0.0).line("drained by root") == "0% #drained by root\n"
    for check in (web_check, spare):
        check.verdict = check.standing.after(Verdict.passing("well"), 5.0)
        check.counts_until = 10.0
    assert share(web_check, 9.9).line("") == "up 100%\n"
    assert share(web_check, 9.9).line("drained: a\nb") == "up 0% #drained: a b\n"
    assert share(web_check, 10.0).line("") == "#web: its last verdict counts no more\n"
    web_check.verdict = web_check.standing.after(Verdict.failing("é\r\nup 100%" + "x" * 200), 6.0)
    down = share(web_check, 9.9)
    assert down.line("drained") == down.line("") == f"down #{('web: ? up 100%' + 'x' * 200)[:100]}\n"
    spare.counts_until = 0.0
    assert together([share(web_check, 9.9), share(spare, 9.9)]) == down  # what is known to be down is
    assert together([share(spare, 9.9)]).percent is None
    assert together([]).line("") == "#there is no check\n"


def test_haproxy_follows_in_every_state(tmp_path: Path) -> None:
    drain = tmp_path / "drain"
    drain.write_text("0\n")
    conf = tmp_path / "keepalived.conf"
    conf.write_text(f'track_file drain_node {{\n  file "{drain}"\n  weight 1\n  init_file 0\n}}\n')
    words = ("--agent-check", ANY, "--keepalived-config", str(conf))
    with web(tmp_path / "web") as server:
        (tmp_path / "x").touch()
        toml = one_check("site", "http", url=server.url, watch=True, **QUICK)
        toml += one_check(
            "x", "file", path=str(tmp_path / "x"), weight=-60, track_file=str(tmp_path / "track"), **QUICK
        )
        with agent(toml, tmp_path, *words) as running:
            asking = f"agent-check agent-addr 127.0.0.1 agent-port {port_of(running)} agent-inter 100ms weight 100"
            lines = [
                f'a 127.0.0.1:{server.port} check inter 100ms {asking} agent-send "site\\n"',
                f'b 127.0.0.1:{server.port} {asking} agent-send "\\n"',
                f'c 127.0.0.1:{server.port} check inter 100ms {asking} agent-send "nobody\\n"',
            ]
            with haproxy(tmp_path / "haproxy", *lines) as balancer:
                balancer.until_it_is("a", "UP", 100, "via agent : up")
                balancer.until_it_is("b", "no check", 100, "via agent : up")
                assert balancer.until("c", lambda row: row["agent_status"] == "CHECKED")["status"] == "UP"
                (tmp_path / "x").unlink()
                balancer.until_it_is("b", "no check", 40)
                assert balancer.servers()["a"]["weight"] == "100"
                (tmp_path / "x").touch()
                balancer.until_it_is("b", "no check", 100)
                drain.write_text("1 # drained at 2026-11-29T16:00:00Z by root\n")
                balancer.until_it_is("a", "UP", 0, "via agent : up (drained since")
                drain.write_text("0\n")
                balancer.until_it_is("a", "UP", 100)
                balancer.until_it_is("b", "no check", 100)  # a word of being down leaves the weight as it is
                balancer.ask("set server web/a state maint")
                server.kill()
                balancer.until_it_is("b", "DOWN (agent)", 100, "via agent : down (site: ")
                assert balancer.servers()["a"]["status"].startswith("MAINT")  # it is people's, and stays so
                server.start()
                balancer.until_it_is("b", "no check", 100)
                assert balancer.servers()["a"]["status"].startswith("MAINT")
                balancer.ask("set server web/a state ready")
                balancer.until_it_is("a", "UP", 100)


def test_a_stuck_agent_takes_no_server_in_or_out(tmp_path: Path) -> None:
    with web(tmp_path / "web") as server:
        toml = one_check("site", "http", url=server.url, **QUICK)
        with agent(toml, tmp_path, "--agent-check", f"site={ANY}") as running:
            asking = f"agent-check agent-addr 127.0.0.1 agent-port {port_of(running, 'site')} agent-inter 100ms"
            line = f"a 127.0.0.1:{server.port} check inter 100ms {asking} weight 100"
            with haproxy(tmp_path / "haproxy", line) as balancer:
                balancer.until_it_is("a", "UP", 100, "via agent : up")
                running.signal(signal.SIGSTOP)
                balancer.until("a", lambda row: row["agent_status"] not in ("L7OK", "CHECKED"))
                assert balancer.servers()["a"]["status"] == "UP"
                server.kill()
                balancer.until("a", lambda row: row["status"].startswith("DOWN"))
                server.start()
                balancer.until_it_is("a", "UP", 100)
                running.signal(signal.SIGCONT)
                balancer.until_it_is("a", "UP", 100, "via agent : up")


@pytest.mark.serial
def test_no_answer_waits_for_a_delayed_acknowledgement(tmp_path: Path) -> None:
    with agent(marker(tmp_path, "web"), tmp_path, "--agent-check", ANY, "--agent-check", f"web={ANY}") as running:
        for port, say, most in ((port_of(running), b"web\n", 0.04), (port_of(running, "web"), b"", 0.04)):
            took = []
            for _ in range(20):
                began = time.monotonic()
                assert ask(port, say) == "up 100%\n"
                took.append(time.monotonic() - began)
            assert sorted(took)[10] < most


def test_strangers_can_ask_as_they_like(tmp_path: Path) -> None:
    with agent(marker(tmp_path, "web"), tmp_path, "--agent-check", ANY) as running:
        port = port_of(running)
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(600)]
        for number, one in enumerate(idle):
            try:
                one.sendall(
                    (b"", b"\0" * 100, b"\xff\n", b"x" * 100_000, b"GET / HTTP/1.1\r\n\r\n", b" \n")[number % 6]
                )
            except OSError:
                pass
        running.until("it answers", lambda: answers(port, b"web\n"))
        for one in idle:
            one.close()
        assert running.get("-/healthy").status == 200
        assert ask(port, b"web\n") == "up 100%\n"
        assert ask(port, b"\xff\n") == "#there is no check of this name\n"
        assert ask(port, b" \n") == "up 100%\n"


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        words = ("--agent-check", address, "--agent-check", f"nobody={ANY}")
        with agent(marker(tmp_path, "web"), tmp_path, *words) as running:
            unknown = "--agent-check nobody=: there is no check of this name"
            running.until("it is told", lambda: unknown in "\n".join(running.lines))
            told = f"hacheck: agent: {address} cannot be listened on: Address already in use; choose another with"
            running.until("it is told", lambda: any(line.startswith(told) for line in running.lines))
