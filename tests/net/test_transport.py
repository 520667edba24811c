"""The way to the target: interface, mark, source, family, resolver, listen queue, PROXY protocol, and the deadline."""

from __future__ import annotations

import ast
import ctypes
import json
import os
import resource
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from hachecks.deadline import Deadline, TimedOut
from hachecks.net.target import Target
from hachecks.net.transport import NetworkOptions, Stream
from hachecks.verdict import CannotLook, Failure
from tests.cli import ROOT, Answer, hacheck
from tests.failover.namespace import Namespace, namespace
from tests.probes.asking import line_of
from tests.talker import greet_and_echo, listen_only, talking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Literal

    from tests.talker import Talker

LIBC = ctypes.CDLL(None, use_errno=True)
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


# A machine of its own


@pytest.fixture
def near() -> Iterator[Namespace]:
    """A network and a mount table of our own, with lo and nothing else."""
    require_root()
    with namespace() as space:
        yield space


@pytest.fixture
def far(near: Namespace) -> Iterator[Namespace]:
    """Another machine at the end of two wires: 10.9.0.9, by 10.1.0.2 on v1 and by 10.2.0.2 on v2."""
    with namespace() as space:
        for number in (1, 2):
            here, there = f"v{number}", f"w{number}"
            with entered(near):
                peer = ["peer", "name", there, "netns", str(space.pid)]
                subprocess.run(["ip", "link", "add", here, "type", "veth", *peer], check=True)
            for end, link, host in ((near, here, 1), (space, there, 2)):
                end.must("ip", "link", "set", link, "up")
                end.must("ip", "address", "add", f"10.{number}.0.{host}/24", "dev", link)
        space.must("ip", "address", "add", "10.9.0.9", "dev", "lo")
        yield space


def require_root() -> None:
    """CI has no excuse."""
    if os.geteuid() != 0 and os.environ.get("CI"):
        pytest.fail("needs root, to make network namespaces")
    if os.geteuid() != 0:
        pytest.skip("needs root, to make network namespaces")


@contextmanager
def entered(space: Namespace) -> Iterator[None]:
    """This thread, and what it starts, is in the network of the namespace."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    after = os.open(f"/proc/{space.pid}/ns/net", os.O_RDONLY)
    try:
        assert LIBC.setns(after, 0) == 0
        try:
            yield
        finally:
            assert LIBC.setns(before, 0) == 0
    finally:
        os.close(before)
        os.close(after)


@contextmanager
def serving(space: Namespace, host: str = "127.0.0.1") -> Iterator[Talker]:
    """A talker in the namespace."""
    with ExitStack() as stack:
        with entered(space):
            talker = stack.enter_context(talking(greet_and_echo, host=host))
        yield talker


def inside(space: Namespace, *words: object, prefix: tuple[str, ...] = ()) -> Answer:
    """`hacheck` in the namespace."""
    command = [sys.executable, "-m", "hachecks", *map(str, words)]
    done = space.run(*prefix, "env", f"PYTHONPATH={ROOT}", *command)
    return Answer(done.returncode, done.stdout, done.stderr)


def by_deadline(space: Namespace, seconds: float, where: str, *words: object) -> str:
    """What is said in the namespace of who does not answer.

    Asked in this thread, where no watchdog is: 50 ms after the deadline, on a busy machine too, it has its own words.
    """
    with entered(space):
        return line_of("tcp", where, *words, timeout=seconds)


def port_of(talker: Talker) -> int:
    return int(talker.address.rpartition(":")[2])


def mount(space: Namespace, file: Path, text: str, place: str) -> None:
    """Have the namespace see this text at this place."""
    file.write_text(text)
    space.must("mount", "--bind", str(file), place)


# Interface, mark, source


def test_the_interface_decides_the_way(near: Namespace, far: Namespace) -> None:
    near.must("ip", "route", "add", "10.9.0.9", "via", "10.1.0.2", "metric", "1")
    near.must("ip", "route", "add", "10.9.0.9", "via", "10.2.0.2", "metric", "2")
    with serving(far, "10.9.0.9") as talker:
        for words in ((), ("--interface", "v1"), ("--interface", "v2")):
            assert inside(near, "tcp", talker.address, *words).code == 0
    assert [peer[0] for peer in talker.peers if isinstance(peer, tuple)] == ["10.1.0.1", "10.1.0.1", "10.2.0.1"]


def test_an_interface_that_leads_elsewhere_fails(near: Namespace, far: Namespace) -> None:  # noqa: ARG001
    with serving(near) as talker:
        assert inside(near, "tcp", talker.address, "--interface", "lo").code == 0
        assert inside(near, "tcp", talker.address, "--interface", "v1", "--timeout", "200ms").code == 1
        line = by_deadline(near, 0.2, talker.address, "--interface", "v1")
    assert line == f"FAIL - {talker.address} did not accept the connection within 200 ms"


def test_an_interface_that_is_not_there_is_no_fault_of_the_server() -> None:
    answer = hacheck("tcp", "127.0.0.1:9", "--interface", "nosuch0")
    assert answer.line == "UNKNOWN - cannot use interface nosuch0: No such device"
    assert answer.code == 1


@pytest.mark.parametrize("mark", ["7", "4294967295"])
def test_the_mark_decides_the_way(mark: str, near: Namespace, far: Namespace) -> None:
    near.must("ip", "rule", "add", "fwmark", mark, "lookup", "100")
    near.must("ip", "route", "add", "10.9.0.9", "via", "10.1.0.2", "table", "100")
    with serving(far, "10.9.0.9") as talker:
        assert inside(near, "tcp", talker.address, "--mark", mark, "--expect", "220").code == 0
        answer = inside(near, "tcp", talker.address)
    assert answer.line == f"FAIL - {talker.address} cannot be reached: no route to its network"


def test_a_mark_without_the_privilege_is_no_fault_of_the_server(near: Namespace) -> None:
    prefix = ("setpriv", "--bounding-set=-net_admin,-net_raw")
    answer = inside(near, "tcp", "127.0.0.1:9", "--mark", "7", prefix=prefix)
    assert answer.line == "UNKNOWN - cannot set mark 7: Operation not permitted"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param("--mark 4294967296", "--mark is at most 4294967295", id="mark"),
        pytest.param("-6 --source 10.0.0.1", "--source 10.0.0.1 is not an IPv6 address", id="source-6"),
        pytest.param("-4 --source fd00::1", "--source fd00::1 is not an IPv4 address", id="source-4"),
    ],
)
def test_options_that_contradict_each_other_are_refused(words: str, message: str) -> None:
    assert hacheck("tcp", "x:1", *words.split()) == (2, "", f"hacheck: tcp: {message}\n")


def test_the_source_address_decides_the_family(near: Namespace, tmp_path: Path) -> None:
    mount(near, tmp_path / "hosts", "::1 both.test\n127.0.0.1 both.test\n", "/etc/hosts")
    with serving(near) as talker:
        answer = inside(near, "tcp", f"both.test:{port_of(talker)}", "--source", "127.0.0.9", "--expect", "220")
    assert answer.code == 0, answer
    assert [peer[0] for peer in talker.peers if isinstance(peer, tuple)] == ["127.0.0.9"]
    assert hacheck("tcp", "[::1]:9", "--source", "127.0.0.9").line == "UNKNOWN - ::1 is not an IPv4 address"


def test_the_nodes_own_address_is_of_the_sources_family(near: Namespace) -> None:
    near.must("ip", "address", "add", "fd00::5/64", "dev", "lo", "nodad")
    near.must("ip", "-6", "route", "add", "default", "dev", "lo")
    answer = inside(near, "nodeport", "9", "--source", "fd00::5")
    assert answer.line == "FAIL - [fd00::5]:9 refused the connection"
    assert inside(near, "nodeport", "9").line == answer.line  # there is no way to anybody by IPv4


# Names and families


@pytest.mark.parametrize(("flag", "host"), [("-4", "127.0.0.1"), ("-6", "::1")])
def test_a_name_with_both_families_is_reached_by_the_one_asked_for(
    flag: str, host: str, near: Namespace, tmp_path: Path
) -> None:
    mount(near, tmp_path / "hosts", "::1 both.test\n127.0.0.1 both.test\n", "/etc/hosts")
    other = {"-4": "-6", "-6": "-4"}[flag]
    with serving(near, host) as talker:
        where = f"both.test:{port_of(talker)}"
        assert inside(near, "tcp", where, flag, "--expect", "220").code == 0
        assert inside(near, "tcp", where, "--expect", "220").code == 0
        assert inside(near, "tcp", where, other).line == f"FAIL - {where} refused the connection"


def test_a_node_without_ipv6_reaches_a_name_that_has_it(near: Namespace, tmp_path: Path) -> None:
    mount(near, tmp_path / "hosts", "::1 both.test\n127.0.0.1 both.test\n::1 six.test\n", "/etc/hosts")
    near.must("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
    with serving(near) as talker:
        port = port_of(talker)
        assert inside(near, "tcp", f"both.test:{port}", "--expect", "220").code == 0
        answer = inside(near, "tcp", f"six.test:{port}")
    assert answer.line == f"UNKNOWN - six.test:{port} cannot be connected to: Cannot assign requested address"
    # One address could be asked, and has answered.
    assert inside(near, "tcp", f"both.test:{port}").line == (
        f"FAIL - both.test:{port} refused the connection; "
        f"both.test:{port} cannot be connected to: Cannot assign requested address"
    )


WITHOUT_WATCHDOG = """
import json, sys
sys.path.insert(0, sys.argv[1])
from tests.probes.asking import verdict_of
verdict = verdict_of(*sys.argv[3:], timeout=float(sys.argv[2]))
print(json.dumps([repr(verdict), verdict.phases]))
"""


def without_watchdog(space: Namespace, seconds: float, *words: str) -> tuple[str, dict[str, float]]:
    """What a check says in the namespace, in a process of its own, by its deadline, and its phases."""
    line, phases = json.loads(space.must(sys.executable, "-c", WITHOUT_WATCHDOG, str(ROOT), str(seconds), *words))
    return line, phases


@pytest.mark.serial
def test_a_name_whose_first_address_is_dead_is_reached_on_the_second(
    near: Namespace, far: Namespace, tmp_path: Path
) -> None:
    mount(near, tmp_path / "hosts", "10.1.0.3 two.test\n10.1.0.2 two.test\n", "/etc/hosts")
    near.must("ip", "neigh", "add", "10.1.0.3", "lladdr", "02:00:00:00:00:99", "dev", "v1")  # packets go, none comes
    with serving(far, "10.1.0.2") as talker:
        where = f"two.test:{port_of(talker)}"
        answer = inside(near, "tcp", where, "--timeout", "3s", "--expect", "220", "--format", "json")
        assert '"PASS"' in answer.line, answer
        assert len(talker.peers) == 1
        # The dialogue has all the time that is left, not the share of one address.
        line, phases = without_watchdog(near, 3, "tcp", where, "--expect", "221")
    assert line == f"FAIL - {where} said '220 hello\\r\\n', not '221', within 3 s"
    assert 1.4 < phases["connect"] < 2.2
    assert phases["dialogue"] > 0.75


def test_a_name_of_which_no_address_answers_fails_with_each_reason_once(
    near: Namespace, far: Namespace, tmp_path: Path
) -> None:
    assert far.pid
    hosts = "10.1.0.2 three.test\n10.2.0.2 three.test\n198.51.100.1 three.test\n"
    mount(near, tmp_path / "hosts", hosts, "/etc/hosts")
    reasons = "three.test:9 refused the connection; three.test:9 cannot be reached: no route to its network"
    assert inside(near, "tcp", "three.test:9").line == f"FAIL - {reasons}"


def test_a_name_that_does_not_exist_is_no_fault_of_the_server(near: Namespace, tmp_path: Path) -> None:
    mount(near, tmp_path / "hosts", "", "/etc/hosts")
    mount(near, tmp_path / "nsswitch.conf", "hosts: files\n", "/etc/nsswitch.conf")
    for name in ("no.test", "a..b", "x" * 70 + ".test", "bücher.test"):
        answer = inside(near, "tcp", f"{name}:9")
        assert answer.line.startswith(f"UNKNOWN - {name} does not resolve: "), answer
        assert answer.code == 1


def test_an_address_with_a_zone_is_reached(near: Namespace, far: Namespace) -> None:
    far.must("ip", "address", "add", "fe80::9/64", "dev", "w1", "nodad")
    near.must("ip", "address", "add", "fe80::8/64", "dev", "v1", "nodad")
    with serving(far, "::") as talker:
        port = port_of(talker)
        assert inside(near, "tcp", f"[fe80::9%v1]:{port}", "--expect", "220").code == 0
        answer = inside(near, "tcp", f"[fe80::9%v9]:{port}")
    assert answer.line.startswith("UNKNOWN - fe80::9%v9 does not resolve: "), answer


# What a network does to a connection


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        pytest.param("unreachable", "FAIL - 203.0.113.1:9 cannot be reached: no route to host", id="unreachable"),
        pytest.param("blackhole", "FAIL - 203.0.113.1:9 cannot be connected to: Invalid argument", id="blackhole"),
        pytest.param("prohibit", "UNKNOWN - 203.0.113.1:9 cannot be connected to: Permission denied", id="prohibit"),
    ],
)
def test_a_route_that_leads_nowhere_is_told(kind: str, line: str, near: Namespace) -> None:
    near.must("ip", "route", "add", kind, "203.0.113.0/24")
    assert inside(near, "tcp", "203.0.113.1:9").line == line


def test_packets_that_vanish_are_waited_for_until_the_deadline(near: Namespace, far: Namespace) -> None:
    assert far.pid
    near.must("ip", "neigh", "add", "10.1.0.99", "lladdr", "02:00:00:00:00:99", "dev", "v1")
    line = by_deadline(near, 0.3, "10.1.0.99:9")
    assert line == "FAIL - 10.1.0.99:9 did not accept the connection within 300 ms"


def test_a_port_of_ours_that_nobody_listens_on_does_not_answer_itself(near: Namespace) -> None:
    # With one port to connect from, the kernel connects a socket to that port to itself.
    near.must("sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40000")
    with entered(near), socket.create_connection(("127.0.0.1", 40000)) as sock:
        assert sock.getsockname() == sock.getpeername()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    answer = inside(near, "tcp", "127.0.0.1:40000")
    assert answer.line == "FAIL - 127.0.0.1:40000 refused the connection"
    assert answer.code == 1


def test_a_full_listen_queue_is_waited_for_until_the_deadline(near: Namespace) -> None:
    with ExitStack() as stack:
        with entered(near):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            address = listener.getsockname()
            for _ in range(3):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(address)
        where = f"127.0.0.1:{address[1]}"
        line = by_deadline(near, 0.2, where)
    assert line == f"FAIL - {where} did not accept the connection within 200 ms"


@contextmanager
def full_unix_socket(path: Path) -> Iterator[socket.socket]:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen(0)
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(path))
        yield listener


def test_a_full_listen_queue_of_a_unix_socket_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    with full_unix_socket(tmp_path / "s"):
        started = time.monotonic()
        line = line_of("tcp", f"unix:{tmp_path}/s", timeout=0.3)
        took = time.monotonic() - started
    assert line == f"FAIL - unix:{tmp_path}/s did not accept the connection within 300 ms"
    assert took > 0.29


def test_a_listen_queue_of_a_unix_socket_that_gets_room_is_no_failure(tmp_path: Path) -> None:
    with full_unix_socket(tmp_path / "s") as listener:
        accepted: list[socket.socket] = []

        def accept() -> None:
            accepted.append(listener.accept()[0])
            accepted.append(listener.accept()[0])

        thread = threading.Timer(0.1, accept)
        thread.start()
        NetworkOptions().connect(Target.parse(f"unix:{tmp_path}/s"), Deadline.after(5)).close()
        thread.join()
        for sock in accepted:
            sock.close()


def test_a_unix_socket_without_permission_is_no_fault_of_the_server(near: Namespace, tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    tmp_path.chmod(0o700)
    prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    answer = inside(near, "tcp", f"unix:{tmp_path}/s", prefix=prefix)
    assert answer.line == f"UNKNOWN - unix:{tmp_path}/s cannot be connected to: Permission denied"


def test_a_path_that_is_no_socket_refuses(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    assert hacheck("tcp", f"unix:{tmp_path}/s").line == f"FAIL - unix:{tmp_path}/s refused the connection"


def test_a_process_without_free_descriptors_cannot_look() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with pytest.raises(CannotLook, match=r"^cannot open a socket: Too many open files$"):
            NetworkOptions().connect(Target("127.0.0.1", 9), Deadline.after(1))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("version", [None, "v1", "v2"])
def test_a_server_that_resets_at_once_is_connected_to_or_fails(version: Literal["v1", "v2"] | None) -> None:
    def reset(connection: socket.socket, _: Talker) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)

    network = NetworkOptions(proxy_protocol=version)
    with talking(reset) as talker:
        for _ in range(100):
            with suppress(Failure):  # and nothing else
                network.connect(Target.parse(talker.address), Deadline.after(5)).close()


class Complaining(NetworkOptions):
    """A host with an address for each complaint."""

    complaints: list[Failure | CannotLook]

    def _resolve(self, *_: object) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
        return [(socket.AF_INET, ("127.0.0.1", 9))] * len(self.complaints)

    def _connect_one(self, *_: object) -> socket.socket:
        raise self.complaints.pop(0)


def test_an_address_that_fails_is_not_hidden_by_one_that_could_not_be_looked_at() -> None:
    unable, failed = CannotLook("we may not", "config"), Failure("it refused", "refused")
    for complaints in ([unable, failed], [failed, unable]):
        probe = Complaining()
        object.__setattr__(probe, "complaints", list(complaints))
        with pytest.raises(Failure) as caught:
            probe.connect(Target("x", 9), Deadline.after(5))
        assert (caught.value.kind, str(caught.value)) == ("refused", "; ".join(map(str, complaints)))


# PROXY protocol, --connect-to


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_proxy_protocol_header_tells_ipv6_addresses(version: str) -> None:
    with talking(listen_only, host="::1") as talker:
        assert hacheck("tcp", talker.address, "--proxy-protocol", version).code == 0
    (peer,) = talker.peers
    assert isinstance(peer, tuple)
    if version == "v1":
        assert talker.heard == [f"PROXY TCP6 ::1 ::1 {peer[1]} {port_of(talker)}\r\n".encode()]
    else:
        addresses = socket.inet_pton(socket.AF_INET6, "::1") * 2
        ports = peer[1].to_bytes(2, "big") + port_of(talker).to_bytes(2, "big")
        assert talker.heard == [b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" + addresses + ports]


@pytest.mark.parametrize(
    ("version", "header"),
    [
        pytest.param("v1", b"PROXY UNKNOWN\r\n", id="v1"),
        pytest.param("v2", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", id="v2"),
    ],
)
def test_the_proxy_protocol_header_says_that_a_unix_socket_has_no_addresses(
    version: str, header: bytes, tmp_path: Path
) -> None:
    with talking(listen_only, path=str(tmp_path / "s")) as talker:
        assert hacheck("tcp", f"unix:{tmp_path}/s", "--proxy-protocol", version).code == 0
    assert talker.heard == [header]


def test_connect_to_without_a_port_goes_to_the_targets() -> None:
    with talking(greet_and_echo) as talker:
        port = port_of(talker)
        answer = hacheck("tcp", f"db.example:{port}", "--connect-to", "127.0.0.1", "--expect", "220")
    assert answer.line.startswith(f"PASS - db.example:{port} accepted the connection in ")


def test_connect_to_goes_to_a_unix_socket(tmp_path: Path) -> None:
    with talking(greet_and_echo, path=str(tmp_path / "s")):
        answer = hacheck("tcp", "db.example:5432", "--connect-to", f"unix:{tmp_path}/s", "--expect", "220")
        assert answer.line.startswith("PASS - db.example:5432 accepted the connection in ")
    answer = hacheck("tcp", "db.example:5432", "--connect-to", f"unix:{tmp_path}/s")
    assert answer.line == f"FAIL - unix:{tmp_path}/s refused the connection"


# A resolver that does not answer


ASKING_FOR_A_NAME = (
    "tcp {name}:80",
    "http http://{name}/",
    "http https://{name}/ --http2",
    "sql postgresql://u@{name}/",
    "sql postgresql://u@{name}/ --ready-only",
    "sql mysql://u@{name}/",
    "dns x.test --server {name}",
)


@pytest.mark.serial
@pytest.mark.parametrize("servers", [("127.0.0.50",), ("127.0.0.51", "127.0.0.52")], ids=["one", "two"])
def test_dead_name_servers_do_not_outlast_the_deadline(
    servers: tuple[str, ...], near: Namespace, tmp_path: Path
) -> None:
    mount(near, tmp_path / "resolv.conf", "".join(f"nameserver {server}\n" for server in servers), "/etc/resolv.conf")
    with ExitStack() as stack:
        with entered(near):
            for server in servers:
                stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((server, 53))
        # All at once, to save time; what the start takes so is measured first.
        started = together(near, [f"{command.format(name='127.0.0.1')} --timeout 1ms" for command in ASKING_FOR_A_NAME])
        hung = together(near, [f"{command.format(name='name')} --timeout 2" for command in ASKING_FOR_A_NAME])
        with ThreadPoolExecutor(len(ASKING_FOR_A_NAME)) as pool:
            asked = [command.format(name="name").split() for command in ASKING_FOR_A_NAME]
            told = [line for line, _ in pool.map(lambda words: without_watchdog(near, 1, *words), asked)]
    for (start, _), (seconds, answer) in zip(started, hung):
        assert (answer.code, answer.err) == (1, "")
        assert 2.0 < seconds < 2.3 + start + STALL
    assert set(told) == {"UNKNOWN - name was not resolved within 1 s"}


STALL = 3.0
"""Seconds for which a busy machine may stand still; the resolver itself gives up after 10 s."""


def together(space: Namespace, commands: list[str]) -> list[tuple[float, Answer]]:
    """What each command took, in seconds, and how it ended."""

    def run(command: str) -> tuple[float, Answer]:
        started = time.monotonic()
        answer = inside(space, *command.split())
        return time.monotonic() - started, answer

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(run, commands))


# The deadline under a stream


LONG = 20
"""Seconds after which a peer hangs up, so that a stream without a deadline would fail its test and not hang it."""


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    hang_up = threading.Timer(LONG, theirs.shutdown, [socket.SHUT_RDWR])
    hang_up.start()
    with ours, theirs:
        yield ours, theirs
        hang_up.cancel()
        hang_up.join()


@contextmanager
def again_and_again(act: Callable[[], object]) -> Iterator[None]:
    """Do it every 10 ms, beside the block."""
    ended = threading.Event()

    def work() -> None:
        with suppress(OSError):
            while not ended.wait(0.01):
                act()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def ends_in_time(stream: Stream) -> Iterator[None]:
    """The block times out at the deadline, neither early nor so late as if it had none."""
    with pytest.raises(TimedOut):
        yield
    assert stream.deadline.at - 0.01 < time.monotonic() < stream.deadline.at + LONG / 2


def test_a_peer_that_never_reads_is_not_written_to_for_ever(pair: tuple[socket.socket, socket.socket]) -> None:
    stream = Stream(pair[0], Deadline.after(0.1), "it")
    with ends_in_time(stream):
        stream.sendall(bytes(2**26))


def test_a_peer_that_reads_slowly_is_not_written_to_for_ever(pair: tuple[socket.socket, socket.socket]) -> None:
    stream = Stream(pair[0], Deadline.after(0.2), "it")
    with again_and_again(lambda: pair[1].recv(4096)), ends_in_time(stream):
        stream.sendall(bytes(2**26))


def test_a_peer_that_drips_is_not_read_for_ever(pair: tuple[socket.socket, socket.socket]) -> None:
    stream = Stream(pair[0], Deadline.after(0.2), "it")
    with again_and_again(lambda: pair[1].sendall(b"x")), ends_in_time(stream):
        while stream.recv(1000):
            pass


def test_a_stream_whose_deadline_has_passed_does_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].sendall(b"x")
    stream = Stream(pair[0], Deadline.after(-1), "it")
    for operation in (lambda: stream.recv(1), lambda: stream.sendall(b"x")):
        with pytest.raises(TimedOut):
            operation()


def test_so_many_bytes_are_read_and_none_that_follow(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    stream = Stream(ours, Deadline.after(5), "peer")
    theirs.sendall(b"ab")
    writer = threading.Timer(0.05, theirs.sendall, (b"cdef",))
    writer.start()
    assert stream.read_exactly(3) == b"abc"
    writer.join()
    assert stream.read_exactly(0) == b""
    assert stream.recv(100) == b"def"
    theirs.sendall(b"gh")
    theirs.close()
    with pytest.raises(Failure, match="peer closed the connection after 2 of 3 bytes"):
        stream.read_exactly(3)


def test_what_has_arrived_is_read_and_then_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    with Stream(pair[0], Deadline.after(5), "it") as stream:
        pair[1].sendall(b"abcdef")
        assert (stream.recv(4), stream.recv(4)) == (b"abcd", b"ef")
        pair[1].close()
        assert stream.recv(4) == b""
        with pytest.raises(Failure, match=r"^it closed the connection$"):
            stream.sendall(b"x")


@pytest.fixture
def peer_in_tls(pair: tuple[socket.socket, socket.socket]) -> Iterator[tuple[Stream, ssl.SSLSocket]]:
    """A stream in TLS, and the other end of it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("it.test").configure_cert(server)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    stream = Stream(pair[0], Deadline.after(LONG), "it")
    with ThreadPoolExecutor(1) as pool:
        peer = pool.submit(server.wrap_socket, pair[1].dup(), server_side=True)
        stream.start_tls(client, "it.test")
    with stream, peer.result() as theirs:
        yield stream, theirs


def test_a_peer_that_never_reads_in_tls_is_not_written_to_for_ever(peer_in_tls: tuple[Stream, ssl.SSLSocket]) -> None:
    stream, _ = peer_in_tls
    stream.deadline = Deadline.after(0.1)
    with ends_in_time(stream):
        stream.sendall(bytes(2**26))


def test_a_peer_that_reads_slowly_in_tls_is_not_written_to_for_ever(peer_in_tls: tuple[Stream, ssl.SSLSocket]) -> None:
    stream, peer = peer_in_tls
    stream.deadline = Deadline.after(0.2)
    with again_and_again(lambda: peer.recv(4096)), ends_in_time(stream):
        stream.sendall(bytes(2**26))


def test_a_record_of_tls_that_drips_is_not_read_for_ever(
    peer_in_tls: tuple[Stream, ssl.SSLSocket], pair: tuple[socket.socket, socket.socket]
) -> None:
    stream, _ = peer_in_tls
    stream.deadline = Deadline.after(0.2)
    pair[1].sendall(b"\x17\x03\x03\x40\x00")
    with again_and_again(lambda: pair[1].sendall(b"x")), ends_in_time(stream):
        stream.recv(100)


def test_a_handshake_that_drips_is_not_waited_for(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03")
    stream = Stream(pair[0], Deadline.after(0.2), "it")
    with again_and_again(lambda: pair[1].sendall(b"\0")), ends_in_time(stream):
        stream.start_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "it.test")


@pytest.mark.parametrize("name", ["", ".test", pytest.param("ü" * 70, id="long")])
def test_a_name_that_tls_cannot_ask_for_is_no_fault_of_the_server(
    name: str, pair: tuple[socket.socket, socket.socket]
) -> None:
    with pytest.raises(CannotLook, match="cannot be a TLS server name"), Stream(pair[0], Deadline.after(5), "it") as it:
        it.start_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), name)


def test_a_handshake_for_which_no_time_is_left_is_not_begun_with(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(TimedOut), Stream(pair[0], Deadline.after(-1), "it") as stream:
        stream.start_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "it.test")


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_instead_of_a_handshake_are_a_failure(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        stream = Stream(ours, Deadline.after(5), "it")
        with pytest.raises(Failure, match=r"^it: TLS failed: "):
            stream.start_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "it.test")


# The one place


OPENING = {"socket", "socketpair", "fromfd", "create_connection", "create_server", "wrap_socket", "bind", "connect_ex"}
NETWORK = {"socket", "_socket", "ssl", "_ssl", "select", "selectors", "asyncio", "http", "urllib", "ftplib", "smtplib"}


def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def calls(tree: ast.Module) -> Iterator[ast.Attribute]:
    """What is called as `something.name(…)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func


@pytest.mark.parametrize("path", sorted((ROOT / "hachecks").glob("probes/*.py")), ids=lambda path: path.stem)
def test_a_probe_does_not_touch_the_network_itself(path: Path) -> None:
    imported = {
        name.partition(".")[0]
        for node in ast.walk(syntax(path))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert imported.isdisjoint(NETWORK)
    for call in calls(syntax(path)):
        assert call.attr not in OPENING
        if call.attr == "connect":
            assert isinstance(call.value, ast.Name)
            assert call.value.id == "self", "a probe connects through NetworkOptions"


ROOMS = ("net", "http", "sql", "probes", "checks", "services", "notifiers")
OPENERS = {"net.transport": OPENING, "net.handshake": {"wrap_socket"}}
"""Whose sockets are a check's or a notifier's, and who opens them."""


@pytest.mark.parametrize(
    "path",
    sorted(path for room in ROOMS for path in (ROOT / "hachecks" / room).glob("*.py")),
    ids=lambda path: path.stem,
)
def test_only_transport_opens_sockets(path: Path) -> None:
    opened = {call.attr for call in calls(syntax(path)) if call.attr in OPENING}
    assert opened <= OPENERS.get(f"{path.parent.name}.{path.stem}", set())


@pytest.mark.parametrize("name", OPENERS)
def test_transport_is_where_sockets_are_opened(name: str) -> None:
    path = (ROOT / "hachecks").joinpath(*name.split(".")).with_suffix(".py")
    assert {call.attr for call in calls(syntax(path))} & OPENING
