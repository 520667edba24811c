"""What holds whenever nodes with the agent have been left alone for a few seconds, whatever was done to them before."""

from __future__ import annotations

import difflib
import json
import os
import re
import select
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .agents import HACHECK, TRACK_FILE
from .namespace import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .agents import AgentCluster
    from .cluster import Node
    from .supervised import Supervised

BEFORE = 5.0
"""Seconds before that are told of when something is wrong."""
STAYS = 0.6
"""Seconds for which everything is right without interruption: an agent that has just started has looked."""
LOOKS = 0.05
IN_FLIGHT = 0.5
"""Seconds before Keepalived is killed in which the notify script of what it said last may not have been started."""
AROUND = 6
"""So many transitions before and after one that is wrong are told."""
TICKS = os.sysconf("SC_CLK_TCK")
OLDEST_CHECK = 8.0
"""Seconds that a process of a check or a hook may live."""
HOOKS = 5.0
"""Seconds in which every hook has recorded what it was told."""
ENDS = 15.0
"""Seconds after which nothing runs any more when all services have been ended."""
MORE_FILES, MORE_THREADS, MORE_MEMORY, MOST_MEMORY = 10, 12, 16.0, 100.0
"""What an agent may have more than at the first look, in files, threads and MiB; and the most MiB at all."""
RESIDENT = ("sleep", "ip", "nginx", "keepalived")
WORD = re.compile(r'INSTANCE "(\S+)" (MASTER|BACKUP|FAULT|STOP) ')
"""What a notify script is told as well."""


class Broken(AssertionError):  # noqa: N818 - it says what it is
    """Something that has to hold does not."""


class Said(NamedTuple):
    """That an instance became something: a line of Keepalived's FIFO, or a record with the process that made it."""

    at: float
    what: tuple[str, str]
    pid: int = 0
    is_late: bool = False


class Size(NamedTuple):
    """What a process has: open files, threads, and MiB of memory."""

    files: int
    threads: int
    memory: float


class Fifos:
    """What Keepalived says on each node, in its own order, by a FIFO that was made beforehand."""

    def __init__(self, cluster: AgentCluster, path: str) -> None:
        self.said: dict[str, list[Said]] = {node.name: [] for node in cluster.nodes}
        self._names = {os.open(node.path(path), os.O_RDWR | os.O_NONBLOCK): node.name for node in cluster.nodes}
        self._parts = dict.fromkeys(self._names, b"")
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Fifos:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        for descriptor in self._names:
            os.close(descriptor)

    def _read(self) -> None:
        while not self._ends.is_set():
            for descriptor in select.select(list(self._names), [], [], 0.1)[0]:
                *lines, self._parts[descriptor] = (self._parts[descriptor] + os.read(descriptor, 65536)).split(b"\n")
                now = time.monotonic()
                for found in filter(None, (WORD.match(line.decode()) for line in lines)):
                    self.said[self._names[descriptor]].append(Said(now, (found[1], found[2])))


class Invariants:
    """Looks at all nodes, and raises `Broken` with what happened there before."""

    def __init__(self, cluster: AgentCluster, vips: Sequence[str], fifos: Fifos, survivor: Supervised) -> None:
        self.cluster = cluster
        self.vips = tuple(vips)
        self.fifos = fifos
        self.survivor = survivor
        self.pid = survivor.process.pid
        self.first: Size | None = None
        self.most = Size(0, 0, 0.0)
        self.ends: dict[str, list[tuple[float, str]]] = {node.name: [] for node in cluster.nodes}
        self.compared = self.in_flight = self.reordered = 0

    def will_end_keepalived(self, name: str, way: str) -> None:
        """Remember that what Keepalived says just now may get lost with it."""
        if way != "SIGSTOP":
            self.ends[name].append((time.monotonic(), way))

    def check_quiet(self, healthy: Sequence[str], within: float) -> float:
        """See everything be right within so many seconds, and stay so; returns the seconds that it took."""
        began = right_since = time.monotonic()
        while time.monotonic() < right_since + STAYS:
            wrong = self.wrong(healthy)
            if wrong:
                right_since = time.monotonic()
            if right_since > began + within:
                raise Broken(f"not within {within:g} s: {wrong}\n{self.cluster.timeline.told(began - BEFORE)}")
            time.sleep(LOOKS)
        took = right_since - began
        self.check_processes()
        self.check_survivor()
        return took

    def wrong(self, healthy: Sequence[str]) -> str:
        """What is wrong here and now, if only these nodes' servers are well."""
        carried = {node.name: addresses(node) for node in self.cluster.nodes}
        for vip in self.vips:
            owners = sorted(name for name, has in carried.items() if vip in has)
            if len(owners) != 1 or owners[0] not in healthy:
                return f"{vip} is on {', '.join(owners) or 'no node'}; healthy are {', '.join(sorted(healthy))}"
        for node in self.cluster.nodes:
            number, truth = node.path(TRACK_FILE).read_text().split()[:1], ["0" if node.name in healthy else "1"]
            if number != truth:
                return f"the track file of {node.name} says {number}, and not {truth}"
        return ""

    def check_processes(self) -> None:
        """See no process that should have ended."""
        for node in self.cluster.nodes:
            for pid, name, age in processes(node):
                if name in RESIDENT or age <= OLDEST_CHECK or pid in self._agents_of(node):
                    continue
                try:
                    words = command_line(node, pid)
                except (FileNotFoundError, ProcessLookupError):  # it has just ended
                    continue
                # Who delivers in the place of an agent that was away does so until nothing has come for 5 s.
                if not words.endswith("deliver"):
                    raise Broken(f"{node.name}: {pid} {name} is {age:.0f} s old: {words}")

    def _agents_of(self, node: Node) -> set[int]:
        process = self.cluster.agents[node.name].process
        return {process.pid_inside} if process else set()

    def check_survivor(self) -> None:
        """See the agent that nobody ended be the same, and as small."""
        if self.survivor.process.pid != self.pid:
            raise Broken("the agent that nobody ended has ended")
        size = size_of(self.pid)
        self.first = self.first or size
        self.most = Size(
            max(size.files, self.most.files), max(size.threads, self.most.threads), max(size.memory, self.most.memory)
        )
        files, threads, memory = (now - before for now, before in zip(size, self.first))
        if files > MORE_FILES or threads > MORE_THREADS or memory > MORE_MEMORY:
            raise Broken(f"the agent that nobody ended had {self.first}, and has {size}")
        if size.memory > MOST_MEMORY:
            raise Broken(f"the agent that nobody ended has {size}")

    def check_history(self) -> None:
        """See the history be what Keepalived said of each instance, but for what was killed with it.

        What a hook recorded that had to wait, such as for its SIGCONT, stands behind what came after it. Of the same
        instance it has to be called late then, so that it changes nothing.
        """
        until = time.monotonic() + HOOKS
        while wrong := self._wrong_history():
            # A hook may still wait for a processor.
            if time.monotonic() > until:
                raise Broken("\n".join(wrong))
            time.sleep(STAYS)

    def _wrong_history(self) -> list[str]:
        """What is wrong with it here and now."""
        wrong: list[str] = []
        self.compared = self.in_flight = self.reordered = 0
        for node in self.cluster.nodes:
            said, recorded = self.fifos.said[node.name], self.history(node)
            self.reordered += sum(tag != "equal" for tag, *_ in differences(said, recorded))
            for instance in sorted({one.what[0] for one in (*said, *recorded)}):
                of_one = [[one for one in some if one.what[0] == instance] for some in (said, recorded)]
                wrong += self._compare(node.name, of_one[0], sorted(of_one[1], key=lambda one: (one.at, one.pid)))
                in_time = [(one.at, one.pid) for one in of_one[1] if not one.is_late]
                if in_time != sorted(in_time):
                    wrong.append(f"{node.name} has records of {instance} in another order that are not called late")
        return wrong

    def _compare(self, name: str, said: Sequence[Said], recorded: Sequence[Said]) -> Iterator[str]:
        """What is wrong with the records of an instance."""
        for tag, a, b, c, d in differences(said, recorded):
            if tag == "equal":
                self.compared += b - a
            elif self._was_in_flight(name, (*said[a:b], *recorded[c:d]), said[b : b + 1]):
                self.in_flight += b - a + d - c
            else:
                yield from (f"{name} said", *map(str, said[max(0, a - AROUND) : b + AROUND]))
                yield from ("and recorded is", *map(str, recorded[max(0, c - AROUND) : d + AROUND]))

    def _was_in_flight(self, name: str, lost: Sequence[Said], after: Sequence[Said]) -> bool:
        """Whether Keepalived was ended then, and that before it could say so: a hook that had just been forked as well.

        A Keepalived that is terminated while it starts ends at once, and says no STOP.
        """
        said_stop = bool(after) and after[0].what[1] == "STOP"
        ends = [at for at, way in self.ends[name] if way == "SIGKILL" or not said_stop]
        return all(any(-IN_FLIGHT < end - one.at < IN_FLIGHT for end in ends) for one in lost)

    def history(self, node: Node) -> list[Said]:
        """Which instance became what, as `hacheck history` has it."""
        text = node.must(*HACHECK, "history", "--format", "json", "--keepalived-config", "/run/keepalived.conf")
        asleep = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        return [
            Said(event["order"][1] / TICKS - asleep, (event["name"], event["state"]), event["order"][2], event["late"])
            for event in map(json.loads, text.splitlines())
        ]

    def check_the_end(self) -> None:
        """End all services, and see nothing remain."""
        self.cluster.end_keepalived()
        for node in self.cluster.nodes:
            self.cluster.agents[node.name].terminate()
            node.web.process.signal(signal.SIGKILL)
        for node in self.cluster.nodes:
            wait_until(f"all processes of {node.name} end", lambda node=node: not left(node), ENDS)  # type: ignore[misc]
            kept = addresses(node) & set(self.vips)
            if kept:
                raise Broken(f"{node.name} is left with {sorted(kept)}")

    def told(self) -> str:
        """The figures."""
        return (
            f"{self.compared} transitions recorded as said, {self.in_flight} killed with Keepalived, "
            f"{self.reordered} times in another order\n"
            f"the agent that lived on had {self.first} at first and {self.most} at most"
        )


def differences(said: Sequence[Said], recorded: Sequence[Said]) -> list[tuple[str, int, int, int, int]]:
    """How the one becomes the other."""
    before, after = [one.what for one in said], [one.what for one in recorded]
    return [*difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()]


def addresses(node: Node) -> set[str]:
    """The addresses of a node."""
    links = json.loads(node.must("ip", "-json", "-4", "address", "show", "dev", "eth0"))
    return {address["local"] for link in links for address in link["addr_info"]}


def processes(node: Node) -> list[tuple[int, str, float]]:
    """The processes of a node by their numbers there: their names, and for how many seconds they have been there."""
    found = []
    up = time.clock_gettime(time.CLOCK_BOOTTIME)
    for entry in node.path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                _, _, rest = (entry / "stat").read_text().partition("(")
                name, _, fields = rest.rpartition(")")
            except (FileNotFoundError, ProcessLookupError):
                continue
            found.append((int(entry.name), name, up - int(fields.split()[19]) / TICKS))
    return found


def left(node: Node) -> list[str]:
    """What runs there beside what holds and watches the node."""
    return [name for _, name, _ in processes(node) if name not in ("sleep", "ip")]


def command_line(node: Node, pid: int) -> str:
    """What a process was started with."""
    return node.path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()


def size_of(pid: int) -> Size:
    """What a process of the machine has."""
    directory = Path(f"/proc/{pid}")
    memory = int((directory / "status").read_text().partition("VmRSS:")[2].split()[0]) / 1024
    return Size(len(list((directory / "fd").iterdir())), len(list((directory / "task").iterdir())), round(memory, 1))
