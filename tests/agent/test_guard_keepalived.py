"""The agent dies, hangs, never starts, finds no room, or the clock is set: Keepalived is right within five seconds.

One node with real Keepalived and nginx: the agent's track file (weight 0, init_file 1 overwrite) beside the slow guard,
`vrrp_script "sh /etc/keepalive/hacheck run web"` once a second.
"""

from __future__ import annotations

import signal
import sys
import time
from glob import glob
from typing import TYPE_CHECKING

import pytest

from hachecks.checks.answer import Answer
from tests.cli import ROOT
from tests.failover.namespace import namespace, wait_until
from tests.failover.web import Web
from tests.test_executable import fresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.failover.namespace import Namespace, Process

pytestmark = [pytest.mark.failover, pytest.mark.executable, pytest.mark.serial]

VIP = "10.77.0.100"
SETUP = """
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs tmpfs /var/lib/nginx
mkdir /run/track /run/work /run/hacheck
mount -t tmpfs -o mode=755,size=64k tmpfs /run/hacheck
ip link add eth0 type veth peer name far
ip link set far up
ip link set eth0 up
ip address add 10.77.0.2/24 dev eth0
"""
CHECKS = """
[check.web]
probe = "http"
url = "http://127.0.0.1/"
interval = "200ms"
timeout = "400ms"
track_file = "/run/track/web"
"""
KEEPALIVED = """
global_defs {
   router_id one
   script_user root
   vrrp_version 3
}
vrrp_script guard {
   script "sh /run/work/hacheck run web"
   interval 1
}
track_file web {
   file /run/track/web
   weight 0
   init_file 1 overwrite
}
vrrp_instance one {
   interface eth0
   state BACKUP
   virtual_router_id 11
   priority 254
   advert_int 0.1
   track_script {
      guard
   }
   track_file {
      web
   }
   virtual_ipaddress {
      10.77.0.100/32 dev eth0
   }
}
"""
FAKED = [
    *(f"LD_PRELOAD={library}" for library in glob("/usr/lib/*/faketime/libfaketimeMT.so.1")),
    "FAKETIME_TIMESTAMP_FILE=/run/work/faked",
    "FAKETIME_NO_CACHE=1",
    "FAKETIME_DONT_FAKE_MONOTONIC=1",
]
"""The wall clock is what a file says, as an offset; libfaketime leaves the clocks that count since the boot alone."""
SOON = 5.0


class Node:
    """The node, and what runs on it."""

    def __init__(self, inside: Namespace, executable: Path) -> None:
        self.inside = inside
        self.path = inside.path
        self.path("/run/work/hacheck").write_bytes(executable.read_bytes())
        self.path("/run/keepalived.conf").write_text(KEEPALIVED)
        self.web = Web("one", inside)
        self.agent: Process | None = None
        self.keepalived: Process | None = None
        self.said: list[str] = []

    def start_agent(self, *environ: str) -> None:
        words = [sys.executable, "-m", "hachecks", "agent", "--listen", "127.0.0.1:0"]
        variables = [f"PYTHONPATH={ROOT}", "HACHECK_CONFIG=/run/work/hacheck.toml", *environ]
        self.agent = self.inside.start("env", *variables, *words, heard=self.said.append)

    def start_keepalived(self, *environ: str) -> None:
        words = ["keepalived", "-n", "--log-console", "-f", "/run/keepalived.conf"]
        variables = ["TMPDIR=/run", "HACHECK_CONFIG=/run/work/hacheck.toml", *environ]
        self.keepalived = self.inside.start("env", *variables, *words, heard=self.said.append)

    def end(self) -> None:
        if self.agent:
            self.agent.end()
        if self.keepalived:
            self.keepalived.terminate()
            self.keepalived.end(5.0)
        self.path("/run/track/web").unlink(missing_ok=True)
        for left in self.path("/run/hacheck").iterdir():
            left.unlink()

    @property
    def has_vip(self) -> bool:
        return VIP in self.inside.must("ip", "-oneline", "address", "show", "dev", "eth0")

    @property
    def number(self) -> str:
        return self.path("/run/track/web").read_text().strip()

    @property
    def answer(self) -> Answer:
        return Answer.parse(self.path("/run/hacheck/answer-web").read_text())

    def gets_vip(self, within: float = SOON) -> None:
        wait_until(f"the VIP is there; {self.said[-9:]}", lambda: self.has_vip, within)

    def loses_vip(self, within: float = SOON) -> None:
        wait_until(f"the VIP is gone; {self.said[-9:]}", lambda: not self.has_vip, within)

    def keeps(self, vip: bool, seconds: float = 1.6) -> None:
        """See it stay so, for longer than the guard needs to say something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.has_vip is vip, self.said[-9:]
            time.sleep(0.02)

    def follows(self) -> None:
        """The service ends and comes back, and the VIP with it."""
        self.web.kill()
        self.loses_vip()
        self.web.repair()
        self.gets_vip()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with namespace(SETUP) as inside:
        yield Node(inside, fresh(tmp_path_factory))


@pytest.fixture
def bare(running: Node) -> Iterator[Node]:
    """The service runs; agent and Keepalived do not yet."""
    running.path("/run/work/hacheck.toml").write_text(CHECKS)
    running.web.repair()
    running.said.clear()
    try:
        yield running
    finally:
        running.end()


@pytest.fixture
def node(bare: Node) -> Node:
    """All of it runs, and the VIP is there."""
    bare.start_agent()
    bare.start_keepalived()
    bare.gets_vip(30.0)
    wait_until("the agent publishes", lambda: bare.path("/run/hacheck/answer-web").exists())
    return bare


def killed(node: Node) -> None:
    assert node.agent is not None
    node.agent.end()


def test_the_agent_is_killed_while_the_service_is_down(node: Node) -> None:
    node.web.kill()
    node.loses_vip()
    wait_until("the agent says so", lambda: node.number == "1")
    killed(node)
    node.keeps(False)
    node.web.repair()
    node.gets_vip()
    assert node.number == "0"


def test_the_agent_is_killed_while_the_service_is_up(node: Node) -> None:
    killed(node)
    node.keeps(True, 3.0)
    node.follows()
    assert node.number == "0"


def test_the_agent_hangs_and_goes_on(node: Node) -> None:
    """A PASS from before is not published, and the agent takes over again."""
    assert node.agent is not None
    node.agent.signal(signal.SIGSTOP)
    node.keeps(True)
    node.web.kill()
    node.loses_vip()
    node.keeps(False, 1.0)
    before = node.answer.until
    node.agent.signal(signal.SIGCONT)
    wait_until("it publishes again", lambda: node.answer.until > before)
    assert not node.answer.good
    node.keeps(False)
    node.web.repair()
    node.gets_vip()
    wait_until("it says so", lambda: node.answer.good)


def test_the_agent_hangs_while_the_service_is_down(node: Node) -> None:
    assert node.agent is not None
    node.web.kill()
    node.loses_vip()
    node.agent.signal(signal.SIGSTOP)
    node.web.repair()
    node.gets_vip()
    node.agent.signal(signal.SIGCONT)
    node.keeps(True)


@pytest.mark.parametrize("why", ["no-agent", "bad-check"])
def test_an_agent_that_never_starts_leaves_the_guard_in_charge(bare: Node, why: str) -> None:
    """Up within two intervals of the guard."""
    if why == "bad-check":
        bare.path("/run/work/hacheck.toml").write_text(f'{CHECKS}\n[check.other]\nprobe = "nonsense"\n')
        bare.start_agent()
        wait_until("it is said", lambda: any("nonsense" in line for line in bare.said))
    began = time.monotonic()
    bare.start_keepalived()
    bare.gets_vip()
    print(f"up after {time.monotonic() - began:.2f} s")
    assert bare.number == "0"
    bare.follows()


def filled(node: Node) -> None:
    with node.path("/run/hacheck/ballast").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        file.writelines([b"x" * 4096] * 64)


def made_read_only(node: Node) -> None:
    """As after an error of the disk: a mount with open files cannot be made so, but another can be put there."""
    node.inside.must("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", "/run/hacheck")


@pytest.mark.parametrize("spoil", [filled, made_read_only])
def test_a_state_directory_that_takes_nothing(node: Node, spoil: Callable[[Node], None]) -> None:
    spoil(node)
    try:
        node.keeps(True)
        node.follows()
        node.keeps(True)
    finally:
        if spoil is filled:
            node.path("/run/hacheck/ballast").unlink()
        else:
            node.inside.must("umount", "/run/hacheck")
    told = [line for line in node.said if "answers: /run/hacheck" in line]
    assert len(told) == 1, node.said
    wait_until("there are answers again", lambda: node.path("/run/hacheck/answer-web").exists() and node.answer.good)


def test_a_state_directory_that_is_read_only_from_the_start(bare: Node) -> None:
    """Then the verdicts are in /dev/shm, where the guard looks as well."""
    made_read_only(bare)
    try:
        bare.start_agent()
        bare.start_keepalived()
        bare.gets_vip(30.0)
        wait_until("there are answers", lambda: bare.path("/dev/shm/hacheck-0/answer-web").exists())
        bare.follows()
    finally:
        bare.inside.must("umount", "/run/hacheck")


def test_a_check_that_never_returns_leaves_no_pass_alive(node: Node) -> None:
    """The server accepts and says nothing, and no answer of before remains."""
    node.web.hang()
    node.loses_vip()
    node.keeps(False)
    node.web.repair()
    node.gets_vip()


def test_a_server_that_crash_loops(node: Node) -> None:
    for _ in range(4):
        node.web.kill()
        time.sleep(0.15)
        node.web.repair()
    node.gets_vip()
    for _ in range(4):
        node.web.repair()
        node.web.kill()
    node.loses_vip()
    node.keeps(False)
    node.web.repair()
    node.gets_vip()


def test_the_clock_is_set_forward_and_back_by_a_day(bare: Node) -> None:
    """Nothing on the way from a verdict to Keepalived reads it: neither the agent nor the guard, shell or Python."""
    faked = bare.path("/run/work/faked")
    faked.write_text("+0\n")
    bare.start_agent(*FAKED)
    bare.start_keepalived(*FAKED)
    bare.gets_vip(30.0)
    today = time.time()
    for days in (1, -1):
        faked.write_text(f"{days:+}d\n")
        told = int(bare.inside.must("env", *FAKED, "date", "+%s"))
        assert abs(told - today - days * 86400) < 3600
        bare.keeps(True)
        bare.follows()
    killed(bare)
    faked.write_text("+0\n")
    bare.follows()
