"""Real Keepalived in a namespace, looked at from beside it, from a sidecar without rights, and from the machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hachecks.keepalived.process import FIRST_PID_NAMESPACE, GONE_AFTER, Running
from tests.failover.namespace import ENVIRONMENT, Namespace, Process, namespace, wait_until
from tests.failover.requirements import missing_command

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SETUP = """
ip link add eth0 type veth peer name eth1
ip address add 10.79.0.2/24 dev eth0
ip address add fd00:79::2/64 dev eth0 nodad
ip link set eth0 up; ip link set eth1 up
mount -t tmpfs tmpfs /run
"""
GLOBALS = "global_defs {{\n script_user root\n {}\n}}\n"
INSTANCE = """
vrrp_instance one {{
    interface eth0
    state BACKUP
    virtual_router_id 11
    priority 200
    {}
    virtual_ipaddress {{
        {}
    }}
}}
"""
USUAL = GLOBALS.format("") + INSTANCE.format("", "10.79.0.100")

# The looker imports as root and then has no rights, as the exporter; it lives on, since it remembers.
LOOKER = f"""
import json, os, sys
sys.path.insert(0, {str(ROOT)!r})
from hachecks.keepalived.process import KeepalivedProcess
os.setgroups([]); os.setgid(65534); os.setuid(65534)
process = KeepalivedProcess(*map(float, sys.argv[1:]))
touched = []
sys.addaudithook(lambda event, _: touched.append(event) if event in ("open", "os.listdir") else None)
for line in sys.stdin:
    touched.clear()
    running = process.look(line.strip() != "unexpected")
    print(json.dumps([running, touched]), flush=True)
"""


LACKING = missing_command("keepalived", "ip", "unshare", "setpriv")
pytestmark = pytest.mark.skipif(LACKING is not None and not os.environ.get("CI"), reason=LACKING or "")
VIEWS = {
    "beside": ["--pid=/proc/{pid}/ns/pid_for_children", "--mount=/proc/{pid}/ns/mnt", "--"],
    "sidecar": ["--", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
    "machine": ["--"],
}
SEES_PROCESSES = ("beside", "machine")


class Looker:
    """A KeepalivedProcess without rights in the network namespace of a Keepalived."""

    def __init__(self, view: str, pid: int, *words: str) -> None:
        enter = ["nsenter", f"--net=/proc/{pid}/ns/net", *(word.format(pid=pid) for word in VIEWS[view])]
        self._process = subprocess.Popen(
            [*enter, sys.executable, "-c", LOOKER, *words],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.touched: list[str] = []
        """What the last look had to open or list."""

    def look(self, expects_sockets: bool = True) -> Running:
        assert self._process.stdin
        assert self._process.stdout
        print("expected" if expects_sockets else "unexpected", file=self._process.stdin, flush=True)
        running, self.touched = json.loads(self._process.stdout.readline())
        return Running(*running)

    def end(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class Scene:
    """A namespace in which Keepalived may run, and those who look at it."""

    def __init__(self, inside: Namespace, stack: ExitStack) -> None:
        self.inside = inside
        self.log: list[str] = []
        self._stack = stack

    def start(self, configuration: str = USUAL) -> Process:
        self.inside.path("/run/keepalived.conf").write_text(configuration)
        # One that was killed leaves its pid behind, and where nobody reaps its child the next one takes that for alive.
        self.inside.must("sh", "-c", "rm -f /run/*.pid")
        argv = ["keepalived", "-n", "--log-console", "-f", "/run/keepalived.conf"]
        return self.inside.start(*argv, heard=self.log.append)

    def looker(self, view: str) -> Looker:
        return self._looking(view)

    def hasty_looker(self, view: str) -> Looker:
        """One who does not wait for sockets to come back."""
        return self._looking(view, "0")

    def _looking(self, view: str, *words: str) -> Looker:
        looker = Looker(view, self.inside.pid, *words)
        self._stack.callback(looker.end)
        return looker

    def kill(self, process: Process) -> None:
        """End all of it: its first process may have ended when the others are still about to."""
        process.signal(signal.SIGKILL)
        process.end()
        tables = [self.inside.path(f"/proc/1/net/{name}") for name in ("raw", "raw6")]
        wait_until("no process is left", lambda: not self.pids())
        wait_until("no socket is left", lambda: not any(":0070 " in table.read_text() for table in tables))

    def wait_for(self, words: str) -> None:
        wait_until(f"Keepalived says {words}", lambda: any(words in line for line in self.log))

    def pids(self) -> list[int]:
        """Keepalived's processes as the machine knows them, the parent first."""
        entries = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
        return sorted(int(path.name) for path in entries if self._is_ours(path))

    def _is_ours(self, path: Path) -> bool:
        try:
            ours = os.readlink(path / "ns/net") == os.readlink(f"/proc/{self.inside.pid}/ns/net")
            return ours and (path / "comm").read_text().startswith("keepalived")
        except OSError:
            return False


@pytest.fixture
def scene() -> Iterator[Scene]:
    assert LACKING is None, LACKING
    with ExitStack() as stack:
        yield Scene(stack.enter_context(namespace(SETUP)), stack)


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest) -> str:
    if request.param == "machine" and Path("/proc/self/ns/pid").stat().st_ino != FIRST_PID_NAMESPACE:
        pytest.skip("the tests run in a container, where the machine's processes cannot be seen")
    return str(request.param)


@pytest.mark.parametrize(
    "configuration",
    [
        pytest.param(USUAL, id="multicast"),
        pytest.param(
            GLOBALS.format("") + INSTANCE.format("unicast_src_ip 10.79.0.2\nunicast_peer { 10.79.0.3 }", "10.79.0.100"),
            id="unicast",
        ),
        pytest.param(GLOBALS.format("") + INSTANCE.format("use_vmac", "10.79.0.100"), id="vmac"),
        pytest.param(GLOBALS.format("") + INSTANCE.format("version 3", "fe80::100\nfd00:79::100"), id="ipv6"),
        pytest.param(GLOBALS.format("process_names") + INSTANCE.format("", "10.79.0.100"), id="process-names"),
    ],
)
def test_it_runs_however_it_is_configured(scene: Scene, view: str, configuration: str) -> None:
    looker = scene.looker(view)
    began = time.time()
    scene.start(configuration)
    scene.wait_for("Entering BACKUP STATE")
    running = looker.look()
    assert (running.runs, running.stopped) == (True, False)
    if view in SEES_PROCESSES:
        assert began - 1 < (running.started or 0.0) < time.time() + 1
        assert running.evidence.startswith("process ")
    else:
        assert running == Running(True, None, False, "a socket of IP protocol 112")


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param("ip link set eth1 down", id="no-carrier"),
        pytest.param("ip link set eth0 down", id="down"),
        pytest.param("ip address flush dev eth0", id="no-address"),
        pytest.param("rm /run/healthy", id="script"),
    ],
)
def test_it_runs_in_fault(scene: Scene, trouble: str) -> None:
    script = 'vrrp_script s {\n script "/usr/bin/test -e /run/healthy"\n interval 1\n fall 1\n rise 1\n}\n'
    scene.inside.must("touch", "/run/healthy")
    scene.start(GLOBALS.format("") + script + INSTANCE.format("track_script {\n s\n }", "10.79.0.100"))
    scene.wait_for("Entering MASTER STATE")
    lookers = [scene.looker(view) for view in ("beside", "sidecar")]
    scene.inside.must("sh", "-c", trouble)
    scene.wait_for("Entering FAULT STATE")
    assert [looker.look().runs for looker in lookers] == [True, True]


def test_without_its_interface_a_sidecar_cannot_tell(scene: Scene) -> None:
    beside, sidecar = scene.looker("beside"), scene.hasty_looker("sidecar")
    scene.start()
    scene.wait_for("Entering BACKUP STATE")
    assert sidecar.look().runs is True
    scene.inside.must("ip", "link", "delete", "eth0")
    scene.wait_for("Entering FAULT STATE")
    assert beside.look(expects_sockets=False).runs is True
    for _ in range(2):
        told = sidecar.look(expects_sockets=False)
        assert told == Running(None, None, False, "its process cannot be seen, and it needs no socket now")
    scene.inside.must(
        "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"
    )  # and neither up nor addressed
    wait_until("the sockets are back", lambda: sidecar.look().runs is True)


def test_without_an_instance_only_the_process_tells(scene: Scene) -> None:
    beside, sidecar = scene.looker("beside"), scene.looker("sidecar")
    process = scene.start(GLOBALS.format(""))
    scene.wait_for("no configuration to run")
    assert beside.look(expects_sockets=False).runs is True
    assert sidecar.look(expects_sockets=False).runs is None
    scene.kill(process)
    assert beside.look(expects_sockets=False).runs is False
    assert sidecar.look(expects_sockets=False).runs is None


@pytest.mark.parametrize("seen_before", [True, False])
def test_it_has_ended_when_it_was_killed(scene: Scene, view: str, seen_before: bool) -> None:
    looker = scene.looker(view)
    process = scene.start()
    scene.wait_for("Entering BACKUP STATE")
    if seen_before:
        assert looker.look().runs is True
    scene.kill(process)
    if said_by_process(view, seen_before):
        assert looker.look() == Running(False, None, False, "no process called keepalived")
    else:
        assert looker.look() == Running(None, None, False, f"{NO_SOCKET} at this instant")
        wait_until("it is final", lambda: looker.look().runs is not None)
        assert looker.look() == Running(False, None, False, NO_SOCKET)


NO_SOCKET = "no socket of IP protocol 112"


def said_by_process(view: str, seen_before: bool) -> bool:
    """Whether a missing process tells: all can be seen, or it was seen before."""
    return view == "machine" or (view == "beside" and seen_before)


def test_it_runs_again_at_once(scene: Scene, view: str) -> None:
    looker = scene.looker(view)
    assert looker.look().runs is not True
    first = scene.start()
    scene.wait_for("Entering BACKUP STATE")
    before = looker.look()
    scene.kill(first)
    assert looker.look().runs is not True
    scene.log.clear()
    scene.start()
    scene.wait_for("Entering BACKUP STATE")
    after = looker.look()
    assert after.runs is True
    if view in SEES_PROCESSES:
        assert before.started
        assert after.started
        assert after.started > before.started


def test_a_dead_process_that_nobody_reaps_does_not_run(scene: Scene) -> None:
    beside, configuration = scene.looker("beside"), scene.inside.path("/run/keepalived.conf")
    configuration.write_text(USUAL)
    negligent = "import subprocess, time; k = subprocess.Popen(['keepalived', '-n', '-f', '/run/keepalived.conf']); "
    scene.inside.start("/usr/bin/python3", "-c", negligent + "time.sleep(60)")
    wait_until("it runs", lambda: len(scene.pids()) == 2)
    assert beside.look().runs is True
    for pid in scene.pids():
        os.kill(pid, signal.SIGKILL)
    wait_until("it has ended", lambda: beside.look().runs is False)


@pytest.mark.parametrize("names", ["", "process_names"])
def test_a_stopped_process_is_told(scene: Scene, names: str) -> None:
    beside, sidecar = scene.looker("beside"), scene.looker("sidecar")
    process = scene.start(GLOBALS.format(names) + INSTANCE.format("", "10.79.0.100"))
    scene.wait_for("Entering BACKUP STATE")
    assert beside.look().stopped is False
    process.signal(signal.SIGSTOP)
    wait_until("it is stopped", lambda: beside.look().stopped)
    assert beside.look().runs is True
    assert sidecar.look() == Running(True, None, False, "a socket of IP protocol 112")
    process.signal(signal.SIGCONT)
    wait_until("it goes on", lambda: not beside.look().stopped)
    os.kill(scene.pids()[1], signal.SIGSTOP)  # the VRRP process alone
    wait_until("it is stopped", lambda: beside.look().stopped)
    assert " is stopped" in beside.look().evidence


def test_a_reload_and_a_restart_of_the_vrrp_process_go_unnoticed(scene: Scene) -> None:
    lookers = [scene.looker(view) for view in ("beside", "sidecar")]
    scene.start()
    scene.wait_for("Entering BACKUP STATE")
    parent, child = scene.pids()
    sockets, last_seen = scene.inside.path("/proc/1/net/raw"), time.monotonic()

    def look() -> None:
        nonlocal last_seen
        if ":0070 " in sockets.read_text():
            last_seen = time.monotonic()
        beside, sidecar = (looker.look().runs for looker in lookers)
        assert beside is True
        # Between the old sockets and the new ones there may be an instant without any. A busy machine may take longer
        # to make them than the sidecar waits for them: then what it says is true.
        assert sidecar is not False or time.monotonic() - last_seen >= GONE_AFTER

    told = len(scene.log)
    os.kill(parent, signal.SIGHUP)
    after_reload = 20
    while after_reload:
        look()
        after_reload -= any("Reload finished" in line or "Reloading" in line for line in scene.log[told:])
    wait_until("the sidecar sees it again", lambda: lookers[1].look().runs is True)
    last_seen, told = time.monotonic(), len(scene.log)
    os.kill(child, signal.SIGKILL)
    while not any("Entering BACKUP STATE" in line for line in scene.log[told:]):
        look()
    wait_until("the sidecar sees it", lambda: lookers[1].look().runs is True)


def test_a_keepalived_of_another_network_namespace_is_not_ours(scene: Scene, view: str) -> None:
    with namespace(SETUP) as other:
        elsewhere = Scene(other, ExitStack())
        elsewhere.start()
        elsewhere.wait_for("Entering BACKUP STATE")
        assert scene.hasty_looker(view).look().runs is False


def test_another_speaker_of_vrrp_is_not_taken_for_it(scene: Scene, view: str) -> None:
    speaker = "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112); time.sleep(60)"
    scene.inside.start("/usr/bin/python3", "-c", speaker)
    path = scene.inside.path("/proc/1/net/raw")
    wait_until("the socket is there", lambda: ":0070 " in path.read_text())
    running = scene.looker(view).look()
    if view == "machine":
        assert running == Running(None, None, False, "a socket of IP protocol 112, but no process called keepalived")
    else:  # which nobody can tell from Keepalived there
        assert running.runs is True


def test_a_neighbour_who_calls_himself_keepalived_is_none(scene: Scene) -> None:
    shutil.copy("/bin/sleep", scene.inside.path("/run/keepalived"))
    neighbour = ("setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", "/run/keepalived", "60")
    scene.inside.start(*neighbour)
    wait_until("he is there", lambda: len(scene.pids()) == 1)
    looker = scene.looker("beside")
    wait_until("he is no Keepalived", lambda: looker.look().runs is False)
    began = time.time()
    scene.start()
    scene.wait_for("Entering BACKUP STATE")
    wait_until("Keepalived is seen", lambda: looker.look().runs is True)
    assert (looker.look().started or 0.0) > began - 1, "it is not he who is taken for it"


def test_a_process_that_is_called_alike_is_not_keepalived(scene: Scene) -> None:
    shutil.copy("/bin/sleep", scene.inside.path("/run/keepalived-exporter"))
    scene.inside.start("/run/keepalived-exporter", "60")
    assert scene.hasty_looker("beside").look().runs is False


def test_a_look_reads_a_handful_of_files(scene: Scene, view: str) -> None:
    """All processes are looked through once in some seconds, which a busy machine may take between two looks."""
    looker = scene.looker(view)

    def least() -> list[str]:
        looker.look()
        return min((looker.touched for _ in range(5) if looker.look()), key=len)

    assert least() == ["open"] * (3 if view == "machine" else 2)
    scene.start()
    scene.wait_for("Entering BACKUP STATE")
    assert least() == ["open"] * (4 if view in SEES_PROCESSES else 2)
