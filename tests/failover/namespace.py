"""How does a test get a machine of its own, and how is it sure that nothing of it remains?

A `Namespace` is a network, a mount and a process namespace held by one process.  That process dies with us (by the
parent-death signal, so even after SIGKILL), everything that runs inside dies with it, and the interfaces and mounts
go with the last process: there is nothing to clean up, and nothing has a name that could clash.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 60.0
"""Seconds in which whatever must come has come, however busy the machine is."""
LONELY_NODE = """
mount -t tmpfs tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir /run/hacheck /run/etc /run/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work /etc
mkdir /etc/keepalive
mkfifo /run/fifo
ip link add eth0 type veth peer name eth1
ip address add 10.88.0.1/16 dev eth0
ip link set eth1 up
ip link set eth0 up
"""
"""A node without others: an interface with a carrier, /run and /etc of its own, and a FIFO for Keepalived."""
# What a container has.  The caller's own may start with pyenv's shims, which need half a second for a Python.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C.UTF-8"}

HOLD = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"]
# Where this tree and its Python are, whatever a namespace has in place of the machine's directories.
KEPT = sorted({str(Path(__file__).parents[2]), sys.prefix, sys.base_prefix})
# Ignoring SIGCHLD has the kernel reap the orphans that end up with process 1; dash does not hand on its `trap '' CHLD`.
HOLDER = "set -e; ip link set lo up; {setup}\necho ready; exec env --ignore-signal=CHLD sleep infinity"


def covered(directory: str, options: str = "mode=1777") -> str:
    """The commands that put an empty directory in a place, in which this tree and its Python stay visible."""
    kept = [path for path in KEPT if path.startswith(f"{directory}/")]
    # A directory that is open can be bound though something else has been mounted over it.
    return "\n".join(
        [
            *(f"exec {number}<'{path}'" for number, path in enumerate(kept, 7)),
            f"mount -t tmpfs -o {options} tmpfs {directory}",
            *(
                f"mkdir -p '{path}'; mount --no-canonicalize --bind /proc/self/fd/{number} '{path}'; exec {number}<&-"
                for number, path in enumerate(kept, 7)
            ),
            "",
        ]
    )


class Process:
    """A program inside a namespace; its output goes line by line to `heard`, from a thread of its own.

    nsenter stays outside as its parent.  The program leads a process group, so that a signal reaches all its children
    and never nsenter, whose death would leave them to the machine's process 1.
    """

    def __init__(self, enter: list[str], argv: tuple[str, ...], heard: Callable[[str], None] | None) -> None:
        self._nsenter = subprocess.Popen(
            [*enter, "setsid", *argv],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if heard else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, args=(heard,), daemon=True) if heard else None
        if self._listener:
            self._listener.start()
        wait_until(f"{argv[0]} runs", lambda: self._leader() is not None or not self.running)

    @property
    def running(self) -> bool:
        return self._nsenter.poll() is None

    @property
    def code(self) -> int | None:
        """The program's exit status, or the signal that ended it as a negative number; None while it runs."""
        return self._nsenter.poll()

    @property
    def pid(self) -> int:
        """The program's process id on the machine; 0 when it has ended."""
        return self._leader() or 0

    @property
    def pid_inside(self) -> int:
        """Its process id in its own namespace; 0 when it has ended."""
        with suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{self.pid}/status").read_text()
            return int(status.partition("NSpid:")[2].splitlines()[0].split()[-1])
        return 0

    def signal(self, number: signal.Signals) -> None:
        """Signal the program with all its children, as one would a container."""
        leader = self._leader()
        if leader:
            with suppress(ProcessLookupError):  # it has just ended
                os.killpg(leader, number)
        if number != signal.SIGSTOP:
            # nsenter stops itself when the program is stopped, and would then never learn of its end.
            self._nsenter.send_signal(signal.SIGCONT)

    def wake(self) -> None:
        """Have nsenter learn of an end that came while it had stopped itself."""
        self._nsenter.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask the program to stop; it does as it likes with its children."""
        self.tell(signal.SIGTERM)

    def tell(self, number: int) -> None:
        """Signal the program alone, as one would a service."""
        leader = self._leader()
        if leader:
            with suppress(ProcessLookupError):
                os.kill(leader, number)

    def end(self, within: float = 0.0) -> None:
        """Wait for the end, and after `within` seconds make it one; whatever was said has been heard."""
        try:
            self._nsenter.wait(within)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._nsenter.wait(PATIENCE)
        if self._listener:
            self._listener.join(1.0)

    def _leader(self) -> int | None:
        pid = self._nsenter.pid
        if not self.running:
            return None
        for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            with suppress(ProcessLookupError):
                return child if os.getpgid(child) == child else None
        return None

    def _listen(self, heard: Callable[[str], None]) -> None:
        assert self._nsenter.stdout is not None
        with self._nsenter.stdout as lines:
            for line in lines:
                heard(line.rstrip("\n"))


class Namespace:
    """A network, a mount table and a process tree that exist as long as the process `pid`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._started: list[Process] = []
        self._enter = ["nsenter", f"--net=/proc/{pid}/ns/net", f"--mount=/proc/{pid}/ns/mnt"]
        self._enter += [f"--pid=/proc/{pid}/ns/pid_for_children", "--"]

    def path(self, inside: str) -> Path:
        """How a file of the namespace is called from outside."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def run(self, *argv: str, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; stdout and stderr are captured, an exit code other than 0 is no exception."""
        return subprocess.run(
            [*self._enter, *argv],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            start_new_session=True,
        )

    def must(self, *argv: str) -> str:
        """Run a command that cannot fail unless the harness is wrong."""
        done = self.run(*argv)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def start(self, *argv: str, heard: Callable[[str], None] | None = None) -> Process:
        """Start a program that lives until it is killed, or until the namespace ends."""
        process = Process(self._enter, argv, heard)
        self._started.append(process)
        return process

    def end_all(self) -> None:
        for process in self._started:
            process.end()


@contextmanager
def namespace(setup: str = "") -> Iterator[Namespace]:
    """A new namespace, prepared by the shell commands of `setup` and ended with everything in it."""
    holder = subprocess.Popen(
        [*HOLD, "--mount-proc", "sh", "-c", HOLDER.format(setup=setup)],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with holder:
        try:
            _wait_until_ready(holder)
            inside = Namespace(holder.pid)
            try:
                yield inside
            finally:
                inside.end_all()
        finally:
            holder.kill()


def _wait_until_ready(holder: subprocess.Popen[bytes], within: float = PATIENCE) -> None:
    assert holder.stdout is not None
    assert holder.stderr is not None
    readable, _, _ = select.select([holder.stdout], [], [], within)
    if not readable or holder.stdout.readline() != b"ready\n":
        holder.kill()
        raise RuntimeError(f"cannot make a namespace: {holder.stderr.read().decode().strip() or 'no answer'}")


def wait_until(what: str, true: Callable[[], bool], within: float = PATIENCE, *, every: float = 0.02) -> None:
    """Look every 20 ms, or so often, until `true()`; `what` names it in the complaint."""
    end = time.monotonic() + within
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {within:g} s: {what}")
        time.sleep(every)
