"""A neighbour that costs nothing costs the exporter nothing much: others are answered, in 80 MiB and in few lines."""

from __future__ import annotations

import base64
import contextlib
import resource
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import bcrypt
import pytest
import trustme

from hachecks.exporter.connections import MAX_CONNECTIONS, MAX_TLS_CONNECTIONS
from hachecks.proc import TICKS, stat_of
from tests.exporter.running import Exporter, configuration, exporter, say

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MEMORY = 80.0
"""MiB, of the 128 of the pod."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "keepalived.conf").write_text(configuration(3))
    say(tmp_path, "VI_1", "BACKUP", seconds_ago=15)
    return tmp_path


@pytest.fixture
def running(state: Path) -> Iterator[Exporter]:
    with exporter(state, "--keepalived-config", str(state / "keepalived.conf")) as running:
        yield running


@pytest.fixture
def many_files() -> Iterator[None]:
    """So many open files for this process as a neighbour has."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[1], 8192), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def memory(running: Exporter) -> float:
    """MiB that its process has had at most."""
    text = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1024


def files(running: Exporter) -> int:
    return len(list(Path(f"/proc/{running.process.pid}/fd").iterdir()))


def place(running: Exporter) -> tuple[str, int]:
    url = urlsplit(running.url)
    return str(url.hostname), int(url.port or 0)


@contextlib.contextmanager
def connected(running: Exporter, count: int, first: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections, on each of which these bytes are sent, and nothing else ever."""
    with contextlib.ExitStack() as opened:
        found = []
        for _ in range(count):
            one = opened.enter_context(socket.create_connection(place(running), 10))
            with contextlib.suppress(ConnectionError):
                one.sendall(first)
            found.append(one)
        yield found


def has_ended(connection: socket.socket) -> bool:
    """Whether the other side has closed it."""
    connection.settimeout(20)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def serves(running: Exporter) -> None:
    assert running.get("-/healthy").status == 200
    assert running.get().status == 200
    assert running.get("").status == 200
    assert running.process.poll() is None


@pytest.mark.parametrize(
    "first", [b"", b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"G"], ids=["idle", "half", "G"]
)
@pytest.mark.usefixtures("many_files")
def test_idle_connections_end_for_new_ones(running: Exporter, first: bytes) -> None:
    with connected(running, 1200, first) as connections:
        serves(running)
        assert files(running) < MAX_CONNECTIONS + 60
        assert memory(running) < MOST_MEMORY
        assert has_ended(connections[0])
    assert [line for line in running.lines if "serving" not in line and "nothing is recorded" not in line] == []


def test_a_scraper_keeps_its_connection_whatever_others_open(running: Exporter) -> None:
    with socket.create_connection(place(running), 10) as scraper:
        ask = b"GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        scraper.sendall(ask)
        assert scraper.recv(4096).startswith(b"HTTP/1.1 200")
        with connected(running, MAX_CONNECTIONS + 50):
            scraper.sendall(ask)
            assert scraper.recv(4096).startswith(b"HTTP/1.1 200")


def test_few_files_are_enough(state: Path) -> None:
    """An exporter that may open 64 files keeps some for its sources."""
    few = (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    with exporter(state, "--keepalived-config", str(state / "keepalived.conf"), limits=few) as running:
        with connected(running, 200):
            serves(running)
            assert not [line for line in running.lines if "Too many open files" in line]
        running.until("all is well", lambda: running.metrics().of("hachecks_source_up", source="netlink") == 1)


def test_a_passing_lack_of_files_is_survived_and_told_once(running: Exporter) -> None:
    pid, limits = running.process.pid, resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (files(running), limits[1]))
    with connected(running, 30):
        running.until("it is told", lambda: [line for line in running.lines if "Too many open files" in line])
        time.sleep(2.5)  # in which it is tried again some times
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    running.until("somebody is let in", lambda: lets_in(running))
    serves(running)
    lacking = [line for line in running.lines if "Too many open files" in line]
    assert len(lacking) == len(set(lacking)), lacking


def lets_in(running: Exporter) -> bool:
    try:
        return running.get("-/healthy").status == 200
    except OSError:
        return False


def test_a_request_that_does_not_come_is_not_waited_for(running: Exporter) -> None:
    with connected(running, 1) as (idle,), connected(running, 1, b"GET / HTTP/1.1\r\nA: ") as (half,):
        began = time.monotonic()
        assert has_ended(idle)
        assert has_ended(half)
        assert time.monotonic() - began < 20


def test_an_endless_request_is_cut_short_and_told_once(running: Exporter) -> None:
    for first in (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
    ):
        with connected(running, 1, first) as (one,), contextlib.suppress(ConnectionError):
            for number in range(10_000):
                one.sendall(b"A%d: %s\r\n" % (number, b"b" * 1000))
            pytest.fail("10 MB were taken")
    serves(running)
    assert memory(running) < MOST_MEMORY


def test_bad_requests_write_one_line_in_a_minute(running: Exporter) -> None:
    before = len(running.lines)
    for first in (
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nA B: c\r\n\r\n",
        b"\x16\x03\x01\x02",
    ) * 25:
        with connected(running, 1, first) as (one,):
            one.shutdown(socket.SHUT_WR)
            assert has_ended(one)
    serves(running)
    assert len(running.lines) - before <= 1
    assert all(line.isprintable() for line in running.lines)


def test_answers_that_nobody_takes_do_not_fill_the_memory(tmp_path: Path) -> None:
    (tmp_path / "keepalived.conf").write_text(configuration(255))
    for number in range(1, 256):
        say(tmp_path, f"VI_{number}", "BACKUP", seconds_ago=15)
    with exporter(tmp_path, "--keepalived-config", str(tmp_path / "keepalived.conf")) as running:
        ask = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20
        with connected(running, 200, ask):
            serves(running)
            assert memory(running) < MOST_MEMORY


@pytest.fixture
def tls(state: Path) -> Iterator[tuple[Exporter, ssl.SSLContext]]:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(state / "all.pem"))
    (state / "web.yml").write_text("tls_server_config: {cert_file: all.pem, key_file: all.pem}\n")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    words = ("--keepalived-config", str(state / "keepalived.conf"), "--web-config", str(state / "web.yml"))
    with exporter(state, *words, trust=context) as running:
        yield running, context


def test_unfinished_handshakes_end_for_new_ones(tls: tuple[Exporter, ssl.SSLContext]) -> None:
    running, _ = tls
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # and 500 bytes that never come
    with connected(running, 240, hello) as connections:
        serves(running)
        assert memory(running) < MOST_MEMORY
        assert files(running) < MAX_TLS_CONNECTIONS + 60
        began = time.monotonic()
        assert all(map(has_ended, connections))
        assert time.monotonic() - began < 20
    assert not [line for line in running.lines if "Traceback" in line]


def test_idle_connections_with_tls_fit_the_memory(tls: tuple[Exporter, ssl.SSLContext]) -> None:
    running, context = tls
    with contextlib.ExitStack() as opened:
        for _ in range(2 * MAX_TLS_CONNECTIONS):
            plain = opened.enter_context(socket.create_connection(place(running), 10))
            opened.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
        serves(running)
        assert memory(running) < MOST_MEMORY


@pytest.fixture
def users(state: Path) -> Iterator[Exporter]:
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(11)).decode()
    (state / "web.yml").write_text(f"basic_auth_users: {{prometheus: '{hashed}'}}\n")
    words = ("--keepalived-config", str(state / "keepalived.conf"), "--web-config", str(state / "web.yml"))
    with exporter(state, *words, credentials="prometheus:secret") as running:
        yield running


def login(password: str) -> str:
    return "Basic " + base64.b64encode(f"prometheus:{password}".encode()).decode()


def asked(running: Exporter, password: str, source: str = "127.0.0.1") -> int:
    """The status of an answer to one who comes from this address."""
    request = f"GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {login(password)}\r\n\r\n"
    with socket.create_connection(place(running), 20, (source, 0)) as connection:
        connection.sendall(request.encode())
        return int(connection.recv(4096).split()[1])


@pytest.mark.serial
@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"], ids=["from-there", "from-elsewhere"])
def test_wrong_passwords_do_not_keep_the_right_one_waiting(state: Path, source: str) -> None:
    """Also one that was never seen before, and comes from where the wrong ones do."""
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(11)).decode()
    (state / "web.yml").write_text(f"basic_auth_users: {{prometheus: '{hashed}'}}\n")
    with exporter(state, "--web-config", str(state / "web.yml"), ready=False) as running:
        answers: list[int] = []

        def guess(number: int) -> None:
            with contextlib.suppress(OSError, IndexError):
                answers.append(asked(running, f"wrong{number}", source))

        guessing = [threading.Thread(target=guess, args=(number,)) for number in range(200)]
        for one in guessing:
            one.start()
        running.until("some are refused", lambda: answers.count(429) > 100)
        began = time.monotonic()
        assert asked(running, "secret") == 200
        took = time.monotonic() - began
        began = time.monotonic()
        assert asked(running, "secret") == 200
        again = time.monotonic() - began
        for one in guessing:
            one.join()
    assert set(answers) <= {401, 429}
    assert took < 5, "200 of them took 20 s and more"
    assert again < took + 1


def test_who_goes_on_guessing_does_not_take_a_core(users: Exporter) -> None:
    for number in range(8):
        asked(users, f"wrong{number}")
    before, began = cpu(users), time.monotonic()
    ends = began + 5
    while time.monotonic() < ends:
        assert asked(users, f"more{time.monotonic()}") in (401, 429)
    assert (cpu(users) - before) / (time.monotonic() - began) < 0.6
    assert users.get().status == 200


def cpu(running: Exporter) -> float:
    """Seconds that all of its threads have had, those that have ended included."""
    fields = stat_of(str(running.process.pid))
    return (int(fields[11]) + int(fields[12])) / TICKS


# In whose name it is asked


def status_in(running: Exporter, host: str | None, path: str = "/metrics") -> int:
    said = f"GET {path} HTTP/1.0\r\n\r\n" if host is None else f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"
    with connected(running, 1, said.encode()) as (one,):
        return int(one.recv(4096).split()[1])


def test_a_strangers_name_is_not_answered(running: Exporter) -> None:
    port = place(running)[1]
    for host in ("evil.example.com", f"evil.example.com:{port}", "127.0.0.1.evil.com", "localhost.evil.com", "a..b"):
        assert [status_in(running, host, path) for path in ("/metrics", "/", "/api/status")] == [421, 421, 421], host
        assert status_in(running, host, "/-/healthy") == status_in(running, host, "/-/ready") == 200
    own = ("127.0.0.1", f"127.0.0.1:{port}", "[::1]", "localhost:1", "ipfailover:80", "ipfailover.ns.svc",
           "ipfailover.ns.svc.cluster.local:10112", socket.gethostname())  # fmt: skip
    assert {host: status_in(running, host) for host in (None, *own)} == dict.fromkeys((None, *own), 200)
    running.until("it is told", lambda: any("--allowed-host" in line for line in running.lines))
    (told,) = [line for line in running.lines if "--allowed-host" in line]
    assert "evil.example.com is not known as a name of this node" in told


def test_names_are_allowed(state: Path) -> None:
    words = ("--allowed-host", "node1.example.com", "--allowed-host", "*.example.net")
    with exporter(state, *words) as running:
        assert status_in(running, "NODE1.example.com:10112") == status_in(running, "a.b.example.net") == 200
        assert status_in(running, "node2.example.com") == status_in(running, "example.net") == 421


def test_who_has_users_is_asked_in_any_name(users: Exporter) -> None:
    request = f"GET /metrics HTTP/1.1\r\nHost: any.example.com\r\nAuthorization: {login('secret')}\r\n\r\n"
    with connected(users, 1, request.encode()) as (one,):
        assert one.recv(4096).startswith(b"HTTP/1.1 200")


# What is remembered


@pytest.mark.serial
def test_a_million_events_are_read_in_little_memory_and_hold_up_nobody(state: Path) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    now = time.time()
    with (state / "history").open("w") as file:
        for number in range(1_000_000):
            name, word = f"VI_{number % 50}", ("MASTER", "BACKUP")[number // 50 % 2]
            file.write(
                f'{{"number": {number + 1}, "key": "{number:032d}", "at": {now - 1e6 + number}, "kind": "INSTANCE", '
                f'"name": "{name}", "state": "{word}", "priority": 100, "before": null, "since": null, "late": false, '
                f'"options": [], "order": ["{boot}", 1, 2]}}\n'
            )
    words = ("--keepalived-config", str(state / "keepalived.conf"))
    with exporter(state, *words, ready=False) as running:
        slowest = 0.0
        while running.get("-/ready").status != 200:
            began = time.monotonic()
            assert running.get("-/healthy").status == 200
            slowest = max(slowest, time.monotonic() - began)
            assert running.metrics().state("VI_1") == "UNKNOWN", "what is read so far is old news"
        assert slowest < 3
        assert running.metrics().of("hachecks_vrrp_transitions_total", vrrp_instance="VI_1", state="MASTER") == 10_000
        serves(running)
        assert memory(running) < MOST_MEMORY
