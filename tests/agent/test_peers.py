"""The peers of an agent: they are asked each second, and whatever one of them does delays nobody."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
import trustme

from tests.agent.running import Agent, agent, one_check
from tests.cli import ROOT, hacheck
from tests.exporter.running import exporter
from tests.failover.namespace import wait_until
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONF = """vrrp_instance VI_1 {
  interface lo
  virtual_router_id 51
  priority 100
  virtual_ipaddress {
    127.0.0.1/8 dev lo
    10.251.0.1/32 dev lo
  }
}
"""
CHECKS = one_check("web", "file", path="/dev/null")


def configured(directory: Path, text: str = CONF) -> tuple[str, str]:
    directory.mkdir(exist_ok=True)
    (directory / "keepalived.conf").write_text(text)
    return "--keepalived-config", str(directory / "keepalived.conf")


@contextmanager
def node(directory: Path, name: str, port: int, *peers: str, conf: str = CONF, toml: str = CHECKS) -> Iterator[Agent]:
    words = [*configured(directory, conf), *(word for peer in peers for word in ("--peer", peer))]
    with agent(toml, directory, *words, listen=f"127.0.0.1:{port}", NODE_NAME=name) as running:
        yield running


def group(running: Agent) -> dict[str, Any]:
    return dict(running.status()["group"] or {"nodes": [], "vips": []})


def told(running: Agent) -> dict[str, str]:
    """Why each node is silent, or nothing, by where it is."""
    return {one["peer"] or "": one["trouble"] for one in group(running)["nodes"]}


def served(running: Agent) -> dict[str, str]:
    return {one["vip"]: one["served"] for one in group(running)["vips"]}


def known_to(running: Agent, silent: list[str], served: list[str]) -> dict[str, Any]:
    """The group, when an agent knows who is silent and why, and how each VIP is served."""
    found = [group(running)]

    def is_known() -> bool:
        found.append(group(running))
        return [one["trouble"] for one in found[-1]["nodes"]] == silent and [
            one["served"] for one in found[-1]["vips"]
        ] == served

    running.until("it is known", is_known)
    return found[-1]


def test_nodes_know_of_each_other_and_none_counts_itself(tmp_path: Path) -> None:
    ports = [free_port() for _ in range(3)]
    urls = [f"http://127.0.0.1:{port}/" for port in ports]
    other = CONF.replace("priority", "advert_int 3\n  priority")
    with ExitStack() as stack:
        first = stack.enter_context(node(tmp_path / "a", "node-a", ports[0], *urls))
        assert set(told(first)) <= {"", f"127.0.0.1:{ports[1]}", f"127.0.0.1:{ports[2]}"}
        stack.enter_context(node(tmp_path / "b", "node-b", ports[1], *urls))
        checks = one_check("web", "file", path="/dev/zero")
        third = stack.enter_context(node(tmp_path / "c", "node-c", ports[2], *urls, conf=other, toml=checks))
        found = {}
        for running in (third, first):
            found = known_to(running, ["", "", ""], ["twice", "by nobody"])
        assert [one["node"] for one in found["nodes"]] == ["node-a", "node-b", "node-c"]
        assert found["vips"][0]["present_on"] == ["node-a", "node-b", "node-c"]
        assert found["disagreements"] == [
            "127.0.0.1 is served 3 times: by node-a, node-b and node-c",
            "10.251.0.1 is served by nobody",
        ]
        assert found["headline"] == "1 of 2 VIPs is served twice, and 1 of 2 VIPs is served by nobody"
        assert found["differences"] == [
            "virtual_router_id 51 (ipv4) is configured one way on node-a and node-b, and otherwise on node-c",
            "check web is declared one way on node-a and node-b, and otherwise on node-c",
        ]
        series = first.metrics()
        assert series.of("hachecks_group_vip_owners", vip="127.0.0.1") == 3
        assert series.of("hachecks_group_vip_owners", vip="10.251.0.1") == 0
        assert series.of("hachecks_peer_up", peer=f"127.0.0.1:{ports[1]}") == 1
        assert series.of("hachecks_peer_up", peer=f"127.0.0.1:{ports[0]}") is None
    assert not any("Traceback" in line for line in (*first.lines, *third.lines))


def test_a_node_that_ends_is_silent_and_one_that_begins_is_heard(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    there = f"127.0.0.1:{ports[1]}"
    with node(tmp_path / "a", "node-a", ports[0], f"http://{there}") as first:
        first.until("it is silent", lambda: told(first).get(there) == "connection refused")
        begun = time.time()
        first.until("nothing is invented", lambda: served(first).get("10.251.0.1") == "not known")
        assert first.metrics().of("hachecks_group_vip_owners", vip="10.251.0.1") is None
        with node(tmp_path / "b", "node-b", ports[1]):
            first.until("it is heard", lambda: told(first)[there] == "")
            assert [one["node"] for one in group(first)["nodes"]] == ["node-a", "node-b"]
        first.until("it is silent again", lambda: told(first)[there] == "connection refused")
        gone = group(first)["nodes"][1]
        assert (gone["node"], gone["answers"], gone["silent_since"] > begun) == ("node-b", False, True)
        assert gone["last_answer"] < gone["silent_since"]


def test_all_addresses_of_a_name_are_nodes_and_a_name_that_is_none_is_told(tmp_path: Path) -> None:
    port = free_port()
    names = (f"http://localhost:{port}/", "http://nobody.invalid:10112/")
    with node(tmp_path / "a", "node-a", port, *names) as first:
        first.until("both are told", lambda: "cannot be" in told(first).get("nobody.invalid:10112", ""))
        first.until("it knows itself", lambda: f"127.0.0.1:{port}" not in told(first))
        assert "nobody.invalid cannot be resolved: " in told(first)["nobody.invalid:10112"]
        assert set(told(first)) <= {"", "nobody.invalid:10112", f"[::1]:{port}"}


def test_of_a_name_with_more_addresses_than_are_asked_that_is_told(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("".join(f"127.0.1.{number} many.test\n" for number in range(1, 101)))
    prefix = ("unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh")
    with agent(CHECKS, tmp_path, "--peer", f"http://many.test:{free_port()}/", prefix=prefix) as running:
        told = "--peer: the names come to 100 addresses; the first 64 are asked, no others"
        running.until("it says so", lambda: any(line.endswith(told) for line in running.lines))
        running.until("64 are known", lambda: len(group(running)["nodes"]) == 65)
        assert sum(told in line for line in running.lines) == 1


def test_an_exporter_is_a_peer_too(tmp_path: Path) -> None:
    words = configured(tmp_path / "b")
    with exporter(tmp_path / "b", *words, NODE_NAME="node-b") as other:
        with node(tmp_path / "a", "node-a", free_port(), other.url) as first:
            first.until("it is heard", lambda: [*told(first).values()] == ["", ""])
            assert [one["node"] for one in group(first)["nodes"]] == ["node-a", "node-b"]
        assert other.status()["group"] is None


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Peer:
    """A server that does one thing with each connection, until it is closed."""

    def __init__(self, act: Callable[[socket.socket], None]) -> None:
        self.act = act
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=32)
        self.port = self.listener.getsockname()[1]
        self.closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(4096)
                self.act(connection)
            except OSError:
                return


def endlessly(first: bytes, piece: bytes, seconds: float = 0.0) -> Callable[[socket.socket], None]:
    def act(connection: socket.socket) -> None:
        connection.sendall(first)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            connection.sendall(piece)
            time.sleep(seconds)

    return act


def once(data: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(data)


def body(text: bytes, more: bytes = b"") -> bytes:
    return HEAD + more + b"Content-Length: %d\r\n\r\n" % len(text) + text


LIKE_A_NODE = json.dumps(
    {"node": "x", "version": "1", "identity": "1", "agrees": True, "headline": "", "settings": {}, "checks": {}}
)[:-1].encode()
HOSTILE = {
    "silent": (endlessly(b"", b"", 0.5), "no answer within 800 ms"),
    "drips": (endlessly(HEAD, b"X-A: b\r\n", 0.05), "no answer within 800 ms"),
    "drips-body": (endlessly(HEAD + b"Content-Length: 9999\r\n\r\n", b" ", 0.05), "no answer within 800 ms"),
    "endless": (endlessly(HEAD + b"\r\n", b" " * 65536), "it answers more than 256 KiB"),
    "redirects": (once(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), "it answers 302"),
    "compressed": (once(body(b"x", b"Content-Encoding: gzip\r\n")), "it answers compressed, which was not asked for"),
    "no-http": (once(b"SSH-2.0-OpenSSH\r\n"), ""),
    "hangs-up": (once(b""), ""),
    "nested": (once(body(b"[" * 200_000)), "it gives no answer of an agent or exporter: it is nested too deeply"),
    "list": (once(body(b"[]")), "it gives no answer of an agent or exporter: it is no object"),
    "text": (once(body(b"\xff")), "it gives no answer of an agent or exporter: "),
    "no-vips": (once(body(LIKE_A_NODE + b"}")), "it gives no answer of an agent or exporter: vips is no list"),
    "too-many": (
        once(body(LIKE_A_NODE + b',"vips":[' + b",".join([b'["::1","","",null]'] * 2500) + b"]}")),
        "it gives no answer of an agent or exporter: vips is no list of at most 2048",
    ),
    "not-modified": (once(b"HTTP/1.1 304 Not Modified\r\n\r\n"), "it answers 304"),
    "not-found": (once(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "it answers 404; is it an agent"),
}


@pytest.mark.serial
def test_whatever_a_peer_does_is_told_in_a_line_and_delays_nobody(tmp_path: Path) -> None:
    hostile = {name: Peer(act) for name, (act, _) in HOSTILE.items()}
    many = [Peer(HOSTILE["silent"][0]) for _ in range(20)]  # more than are asked at once
    well = free_port()
    places = {name: f"127.0.0.1:{peer.port}" for name, peer in hostile.items()}
    urls = [f"http://127.0.0.1:{peer.port}/" for peer in (*hostile.values(), *many)]
    tls = {Peer(HOSTILE["silent"][0]): "no answer within 800 ms", Peer(HOSTILE["no-http"][0]): "TLS failed: "}
    urls += [f"https://127.0.0.1:{peer.port}/" for peer in tls]
    with (
        node(tmp_path / "b", "node-b", well),
        node(tmp_path / "a", "node-a", free_port(), *urls, f"http://127.0.0.1:{well}/") as first,
    ):
        asked = "it has not been asked yet"
        first.until("all have been asked", lambda: len(told(first)) > 30 and asked not in told(first).values())
        wanted = {places[name]: why for name, (_, why) in HOSTILE.items()}
        wanted.update({f"127.0.0.1:{peer.port}": why for peer, why in tls.items()})
        for place, why in wanted.items():
            first.until(why, lambda place=place, why=why: (now := told(first)[place]) and now.startswith(why))
        assert "".join(told(first).values()).isprintable()
        assert told(first)[f"127.0.0.1:{well}"] == ""

        def age() -> float:
            return float(
                time.time() - next(one["last_answer"] for one in group(first)["nodes"] if one["node"] == "node-b")
            )

        worst, until = 0.0, time.monotonic() + 4
        while time.monotonic() < until:
            worst = max(worst, age())
            time.sleep(0.1)
        assert worst < 5, "asked once a second, on a machine that is not busy"
        first.process.terminate()
        assert first.process.wait(10) == 0, "it ends though some do not answer"
    for peer in (*hostile.values(), *many, *tls):
        peer.listener.close()
    assert not any("Traceback" in line or "error of ours" in line for line in first.lines)


def test_peers_are_asked_over_tls_with_a_password_from_a_file(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = ca.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    users = bcrypt.hashpw(b"pass word", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        f"tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nbasic_auth_users:\n  peer: {users}\n"
    )
    (tmp_path / "login").write_text("peer:pass word\n")
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    port = free_port()
    words = (*configured(tmp_path / "b"), "--web-config", str(tmp_path / "web.yml"))
    with exporter(
        tmp_path / "b", *words, listen=f"localhost:{port}", trust=trust, credentials="peer:pass word", ready=False
    ):
        peer = ("--peer", f"https://localhost:{port}/", "--peer-ca-file", str(tmp_path / "ca.pem"))
        login = ("--peer-basic-file", str(tmp_path / "login"))
        with agent(CHECKS, tmp_path, *peer, *login, *configured(tmp_path / "a")) as first:
            first.until("it is heard", lambda: "" in [*told(first).values()][1:])
            (tmp_path / "login").rename(tmp_path / "away")
            first.until("it is told", lambda: any("login: No such file" in line for line in first.lines))
            assert first.metrics().of("hachecks_source_up", source="peers") == 0
            (tmp_path / "away").rename(tmp_path / "login")
            first.until("it is heard again", lambda: "" in [*told(first).values()][1:])
        with agent(CHECKS, tmp_path, *peer, *configured(tmp_path / "a")) as first:
            first.until("it is refused", lambda: "it answers 401; give" in str(told(first)))
        with agent(CHECKS, tmp_path, *peer[:2], *configured(tmp_path / "a")) as first:
            first.until("it is not trusted", lambda: "its certificate is not trusted: " in str(told(first)))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--peer", "node-b:10112"], "a URL begins with http:// or https://"),
        (["--peer", "http://node-b/?a=b"], "leave out what begins with ?"),
        (["--peer", "http://[fe80::1%25eth0]/"], "an address with a zone"),
        (["--peer-ca-file", "/etc/x"], "--peer-ca-file needs --peer"),
        (["--peer", "http://b/", "--peer-ca-file", "/etc/x"], "--peer-ca-file needs an https:// URL in --peer"),
        (["--peer", "https://b/", "--peer-key-file", "/etc/x"], "--peer-key-file needs --peer-cert-file"),
        (["--peer", "http://b/", "--peer-basic-file", "a", "--peer-bearer-file", "b"], "exclude each other"),
        (["--peer", "http://b/"] * 65, "--peer may be given 64 times"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], complaint: str) -> None:
    done = hacheck("agent", *words)
    assert done.code == 2
    assert complaint in done.err


@pytest.mark.parametrize(
    "words",
    [["--peer", "https://b/", "--peer-ca-file", "/nonexistent"], ["--peer", "http://b/", "--peer-basic-file", "/x"]],
)
def test_a_file_that_is_not_there_is_told_at_once(words: list[str]) -> None:
    done = hacheck("agent", "--listen", "127.0.0.1:0", *words)
    assert done.code != 0
    assert "--peer: cannot " in done.err
    assert "Traceback" not in done.err


def test_status_of_several_urls_is_that_of_the_group(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    one_vip = CONF.replace("    10.251.0.1/32 dev lo\n", "")
    urls = [word for port in ports for word in ("--url", f"http://127.0.0.1:{port}/")]
    with node(tmp_path / "a", "node-a", ports[0], conf=one_vip):
        # Others in this network may have sockets of VRRP's protocol, and then it is not known whether Keepalived runs.
        answers = [hacheck("status", *urls)]

        def it_knows() -> bool:
            answers.append(hacheck("status", *urls))
            return "Keepalived does not run" in answers[-1].out

        wait_until("it knows", it_knows)
        done = answers[-1]
        assert done.code == 1
        assert done.out.splitlines() == [
            "2 nodes: The VIP is served once (1 of 2 nodes is silent, node-a is in trouble)",
            "",
            "VIP        SERVED  ON      MASTER ON  NOT KNOWN ON",
            f"127.0.0.1  once    node-a  -          127.0.0.1:{ports[1]}",
            "",
            "NODE             ASKED AT         VERSION",
            f"node-a           127.0.0.1:{ports[0]}  0.1.0    "
            "Keepalived does not run, and 1 of 1 VIP is still here (1 finding in the configuration)",
            f"127.0.0.1:{ports[1]}  127.0.0.1:{ports[1]}  -        silent: 127.0.0.1:{ports[1]} refused the connection",
        ]
        with node(tmp_path / "b", "node-b", ports[1], conf=one_vip):
            done = hacheck("status", *urls, "--format", "json")
            document = json.loads(done.out)
            assert (done.code, document["headline"]) == (1, "The VIP is served twice")
            assert document["disagreements"] == ["127.0.0.1 is served twice: by node-a and node-b"]
            watched = subprocess.Popen(
                [sys.executable, "-m", "hachecks", "status", *urls, "--watch", "--every", "100ms"],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert watched.stdout is not None
            seen = [line for line, _ in zip(watched.stdout, range(20)) if "served twice" in line]
            watched.terminate()
            watched.communicate(timeout=20)
            assert len(seen) > 2


@pytest.mark.executable
def test_the_executable_tells_of_the_group_too(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    urls = [word for port in ports for word in ("--url", f"http://127.0.0.1:{port}/")]
    with node(tmp_path / "a", "node-a", ports[0]), node(tmp_path / "b", "node-b", ports[1]):
        command = ["sh", str(ROOT / "dist/hacheck"), "status", *urls]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.startswith("2 nodes: 1 of 2 VIPs is served twice, and 1 of 2 VIPs is served by nobody (")
