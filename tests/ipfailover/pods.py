"""Pods on the nodes of a cluster, as kubelet and a runtime start them: what runs in one, sees, may do and leaves.

A pod has a process tree and a mount table of its own, in which the root cannot be written, and the network of its
node. Its first process is root's with NET_ADMIN, NET_RAW and SETGID alone, as a container with those has them. Its
configuration is a volume, its state an emptyDir, which outlives the container. Keepalived is lifted above
whatever else the machine does, from outside, as nobody inside may.

    pod = Pod(node, "blue", ("keepalived", "-n", "-l", "-f", "/run/config/keepalived.conf"))
    pod.replace({"keepalived.conf": b"..."})
    pod.start()
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.failover.cluster import LOG_STAMP
from tests.failover.configmap import ConfigMap
from tests.failover.namespace import ENVIRONMENT, PATIENCE, covered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.failover.namespace import Process
    from tests.failover.timeline import Event
    from tests.ipfailover.cluster import Node

CONFIG = "/run/config"
"""Where the pod has its volume."""
STATE = "/run/hacheck"
HACHECK = (sys.executable, "-m", "hachecks")
RIGHTS = ("net_admin", "net_raw", "setgid")
READ_ONLY = ("/", "/sys", "/proc/sys")
UNSHARED = ("unshare", "--mount", "--pid", "--uts", "--mount-proc", "--fork", "--kill-child")
SETUP = f"""
set -e
exec >>{{directory}}/log 2>&1
exec 5<{{directory}}/config 6<{{directory}}/state
hostname {{node}}
mount --bind /proc/sys /proc/sys
{covered("/run", "mode=755")}
{covered("/tmp")}
{covered("/dev/shm")}
mount -t tmpfs -o mode=755 tmpfs /etc/keepalived
mkdir {CONFIG} {STATE}
mount --no-canonicalize --bind /proc/self/fd/5 {CONFIG}
mount --no-canonicalize --bind /proc/self/fd/6 {STATE}
mount -o remount,bind,ro {CONFIG}
for place in {" ".join(READ_ONLY)}; do mount -o remount,bind,ro $place; done
exec 5<&- 6<&-
exec "$@"
"""
FOLLOW = ("tail", "--lines=+1", "--follow")
PRIORITY = os.sched_param(20)
CHILD = "VRRP child process"
"""What Keepalived says when the process that elects is there."""


class Pod:
    """A pod of a configuration on a node; `rights` and `environ` are those of its container."""

    def __init__(
        self,
        node: Node,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str] | None = None,
        rights: Sequence[str] = RIGHTS,
    ) -> None:
        self.node = node
        self.name = name
        self.command = tuple(command)
        self.environ = {"NODE_NAME": node.name, **(environ or {})}
        self.rights = tuple(rights)
        self.directory = f"/run/pods/{name}"
        self.since = 0.0
        """When it was started."""
        self._process: Process | None = None
        self._outside = node.path(self.directory)
        for each in ("config", "state"):
            (self._outside / each).mkdir(parents=True)
        (self._outside / "state").chmod(0o755)
        (self._outside / "log").touch()
        self._volume = ConfigMap(self._outside / "config")
        node.start(*FOLLOW, f"{self.directory}/log", heard=self._said)

    def replace(self, files: Mapping[str, str]) -> None:
        """Have these files in the volume, as kubelet does it."""
        self._volume.replace({name: text.encode() for name, text in files.items()}, mode=0o644)

    def start(self) -> None:
        """Start the container."""
        self.since = time.monotonic()
        setup = SETUP.format(directory=self.directory, node=self.node.name)
        self._process = self.node.start(*UNSHARED, "sh", "-c", setup, "sh", *self._within(self.command))

    @property
    def process(self) -> Process:
        """What the runtime started."""
        assert self._process is not None
        return self._process

    @property
    def running(self) -> bool:
        """Whether its first process lives."""
        return self._process is not None and self._process.running

    @property
    def pid(self) -> int:
        """Its first process, on the machine; 0 when there is none."""
        holder = self._process.pid if self._process else 0
        with suppress(FileNotFoundError, ProcessLookupError):
            for child in Path(f"/proc/{holder}/task/{holder}/children").read_text().split():
                return int(child)
        return 0

    def stop(self, within: float = PATIENCE) -> int:
        """SIGTERM for its first process; the exit status, or -9 where that had to be killed after so many seconds."""
        self.tell(signal.SIGTERM)
        return self.wait(within)

    def wait(self, within: float = PATIENCE) -> int:
        """The exit status of its first process, which comes to its end."""
        self.process.end(within)
        code = self.process.code
        assert code is not None
        return code

    def tell(self, number: int) -> None:
        """Signal its first process alone."""
        pid = self.pid
        assert pid, f"the pod {self.name} has no first process"  # 0 would be we ourselves, with all our children
        os.kill(pid, number)

    def kill(self) -> None:
        """SIGKILL for its first process, with which the kernel ends all others; addresses stay.

        Keepalived would be asked to end by the kernel where another thread of that process lives a moment longer.
        """
        for process in self.processes("keepalived -n"):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
        self.tell(signal.SIGKILL)
        self.process.end(PATIENCE)

    def processes(self, word: str) -> list[int]:
        """The processes in it whose command line has the word, on the machine, in the order of their start."""
        tree = os.readlink(f"/proc/{self.pid}/ns/pid")
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if not entry.name.isdigit() or os.readlink(entry / "ns/pid") != tree:
                    continue
                if word in (entry / "cmdline").read_text().replace("\0", " "):
                    found.append(int(entry.name))
        return sorted(found, key=started)

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as `kubectl exec` does."""
        return subprocess.run(
            ["nsenter", "--target", str(self.pid), "--mount", "--net", "--pid", "--uts", "--", *self._within(argv)],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            start_new_session=True,
        )

    def path(self, inside: str) -> Path:
        """How a file of it is called from outside, as long as it runs."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    @property
    def state(self) -> Path:
        """Its directory of state, which is there when it has ended as well."""
        return self._outside / "state"

    @property
    def log(self) -> str:
        """All that its processes wrote."""
        return (self._outside / "log").read_text(errors="replace")

    def wait_for_word(self, word: str, *, since: float | None = None, within: float = PATIENCE) -> Event:
        """Hear it say that, since its start or a later time."""
        return self.node.cluster.timeline.wait(
            f"the pod {self.name} of {self.node.name} says {word}",
            lambda seen: (seen.node, seen.source) == (self.node.name, self.name) and word in seen.text,
            since=self.since if since is None else since,
            within=within,
        )

    def _within(self, argv: Sequence[str]) -> list[str]:
        """A command with the rights and the environment of the container."""
        kept = ",".join(["-all", *(f"+{right}" for right in self.rights)])
        return [
            *("setpriv", "--bounding-set", kept, "--inh-caps", "-all", "--no-new-privs"),
            *("env", *(f"{name}={value}" for name, value in self.environ.items()), *argv),
        ]

    def _said(self, line: str) -> None:
        if CHILD in line:
            self._lift()
        self.node.cluster.timeline.add(self.node.name, self.name, LOG_STAMP.sub("", line))

    def _lift(self) -> None:
        """Have Keepalived run before all others: whoever is late for want of a processor would lose his VIPs."""
        with suppress(OSError):
            for process in self.processes("keepalived"):
                if Path(f"/proc/{process}/exe").resolve().name == "keepalived":
                    os.sched_setscheduler(process, os.SCHED_RR, PRIORITY)


def started(process: int) -> int:
    """When a process was started, in ticks; 0 when it is gone."""
    with suppress(OSError):
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
    return 0
