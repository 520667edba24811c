"""Nodes with real Keepalived on one segment, and every change of a VIP on any of them, in the kernel's own order.

Each node is a network and a process tree of its own, with an eth0 whose other end is a port of a bridge. One listener
in the bridge's namespace hears of the addresses of all nodes through one socket, so that which change came first is
not a matter of who is scheduled: "never two owners" is read from the whole history.

    with nodes(3) as cluster:
        cluster.start(served.files(cluster))
        cluster.wait_for_owners({"10.78.1.1": "node-1"})
"""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hachecks.keepalived.json_dump import Dump, dumps_of
from tests.failover.bridge import SETUP, plug
from tests.failover.cluster import LOG_STAMP
from tests.failover.namespace import PATIENCE, Namespace, Process, namespace, wait_until
from tests.failover.timeline import NotSeen, Timeline
from tests.ipfailover.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

ECHO = Path(__file__).with_name("echo.py")
# A busy machine is not what is tried: whoever is late with his adverts for want of a processor would lose his VIPs.
# Its log goes to a file: whoever is late in reading from a pipe stops Keepalived, and has its VIPs taken from it.
KEEPALIVED = (
    *("sh", "-c", 'exec "$@" 2>>"$0"', "{directory}/log", "chrt", "--rr", "20", "env", "TMPDIR={directory}"),
    *("keepalived", "-n", "-l", "-f", "{directory}/keepalived.conf", "-p", "{directory}/pid"),
    *("-r", "{directory}/vrrp.pid"),
)
FOLLOW = ("tail", "--lines=+1", "--follow", "{directory}/log")
CHANGE = re.compile(r"([0-9.]+) \[nsid (\w+)\](Deleted )?\d+: \S+ +inet6? (\S+)/\d+ ")
STAMP = "import sys, time\nfor line in sys.stdin: print(time.monotonic(), line, end='', flush=True)"
# When something was is told by who is not late: we have much else to do.
MONITOR = (
    *("chrt", "--rr", "20", "sh", "-c", 'ip -oneline monitor all-nsid address | "$0" -I -S -c "$1"'),
    *(sys.executable, STAMP),
)
NEIGHBOUR = "127.0.0.2"
"""An address of no interest, by which a node shows that it is listened to."""
NODE_SETUP = """
mount -t tmpfs tmpfs /run
mkdir /run/configurations
sysctl --quiet --write net.ipv6.conf.default.addr_gen_mode=1
"""


JSON = signal.SIGRTMIN + 2
"""What `keepalived --signum=JSON` says with the GNU library."""


class Change(NamedTuple):
    """A VIP that came to a node or left it, by the monotonic clock; `owners` are those that have it from then on."""

    at: float
    vip: str
    node: str
    owners: frozenset[str]


class Owners:
    """Which nodes have which VIP, and how that came about."""

    def __init__(self, timeline: Timeline) -> None:
        self.history: list[Change] = []
        self.names: dict[str, str] = {}
        """The nodes, by the number that the bridge's namespace knows theirs by."""
        self.complaint = ""
        self._timeline = timeline
        self._now: dict[str, frozenset[str]] = {}
        self._changed = threading.Condition()

    def heard(self, line: str) -> None:
        """Take a line of `ip monitor`, with its time."""
        found = CHANGE.match(line)
        node = self.names.get(found[2]) if found else None
        if found and node:
            self._take(float(found[1]), str(ip_address(found[4])), node, gone=bool(found[3]))
        elif not found:
            # Such as that the kernel had to leave changes out.
            self.complaint = line

    def _take(self, at: float, vip: str, node: str, *, gone: bool) -> None:
        before = self._now.get(vip, frozenset())
        owners = before - {node} if gone else before | {node}
        # An address of IPv6 is told again when nobody else turns out to have it.
        if owners != before:
            self._timeline.add(node, "address", f"{vip} {'removed' if gone else 'added'}")
            with self._changed:
                self._now[vip] = owners
                self.history.append(Change(at, vip, node, owners))
                self._changed.notify_all()

    def of(self, vip: str) -> frozenset[str]:
        """The nodes that have a VIP."""
        return self._now.get(vip, frozenset())

    def are(self, expected: Mapping[str, str | None]) -> bool:
        """Whether each VIP is on its node and no other, or on none."""
        if self.complaint:
            raise RuntimeError(f"ip monitor: {self.complaint}")
        return all(self.of(vip) == ({node} if node else set()) for vip, node in expected.items())

    def wait(self, true: Callable[[], bool], within: float) -> bool:
        """Whether it comes to be true, of owners."""
        with self._changed:
            return self._changed.wait_for(true, within)


class Node:
    """A machine with its addresses, and a Keepalived for each configuration when started."""

    def __init__(self, name: str, addresses: Sequence[str], inside: Namespace, cluster: Cluster) -> None:
        self.name = name
        self.addresses = tuple(addresses)
        self.must = inside.must
        self.run = inside.run
        self.start = inside.start
        self.path = inside.path
        self.inside = inside
        self.cluster = cluster
        self._running: dict[str, Process] = {}

    def serve(self) -> None:
        """Answer the client from now on."""
        answers = threading.Event()
        self.start(sys.executable, str(ECHO), "answer", self.name, heard=lambda _: answers.set())
        if not answers.wait(PATIENCE):
            raise TimeoutError(f"{self.name} does not serve")

    def configure(self, files: Mapping[str, str]) -> None:
        """Have these files from the next start or reload on, by the names of their configurations."""
        for name, text in files.items():
            directory = self.path(f"/run/configurations/{name}")
            if not directory.exists():
                directory.mkdir(parents=True)
                (directory / "log").touch()
                self.start(*in_directory(FOLLOW, name), heard=partial(self._said, name))
            (directory / "keepalived.conf").write_text(text)

    def start_keepalived(self) -> None:
        """Start one for each file, and wait until they take part."""
        since = time.monotonic()
        for directory in sorted(self.path("/run/configurations").iterdir()):
            self._running[directory.name] = self.start(*in_directory(KEEPALIVED, directory.name))
        for name in self._running:
            self.cluster.wait_for_word(self, name, "Startup complete", since=since)

    def stop_keepalived(self) -> None:
        """Ask it to end, as a pod's end does, and wait for that."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.end(within=PATIENCE)
        self._running = {}

    def kill_keepalived(self) -> None:
        """SIGKILL for all of its processes: its addresses stay."""
        for process in self._running.values():
            process.end()
        self._running = {}

    def reload_keepalived(self) -> None:
        """Have it read its files anew, and wait until it has."""
        since = time.monotonic()
        self.tell_keepalived(signal.SIGHUP)
        for name in self._running:
            self.cluster.wait_for_word(self, name, "Reload complete", since=since)

    def tell_keepalived(self, number: int) -> None:
        """Signal its first processes."""
        for process in self._running.values():
            process.tell(number)

    def instances(self) -> dict[str, Dump]:
        """What its Keepalived says of its instances here and now, by their names."""
        found: dict[str, Dump] = {}
        for name, process in self._running.items():
            dump = self.path(f"/run/configurations/{name}/keepalived.json")
            dump.unlink(missing_ok=True)
            process.tell(JSON)
            wait_until(f"{self.name} tells of its instances", lambda dump=dump: is_whole(dump))  # type: ignore[misc]
            found.update(dumps_of(dump.read_text()))
        return found

    def cut(self) -> None:
        """Take the cable out."""
        self.cluster.switch.must("ip", "link", "set", self.port, "down")

    def part(self) -> None:
        """Let no other node that is parted hear it, though its cable is in."""
        self.cluster.switch.must("ip", "link", "set", self.port, "type", "bridge_slave", "isolated", "on")

    def join(self) -> None:
        """Let all hear it again."""
        self.cluster.switch.must("ip", "link", "set", self.port, "type", "bridge_slave", "isolated", "off")

    def mend(self) -> None:
        """Put the cable in again."""
        self.cluster.switch.must("ip", "link", "set", self.port, "up")

    @property
    def port(self) -> str:
        """The other end of its cable."""
        return self.name

    def _said(self, configuration: str, line: str) -> None:
        self.cluster.timeline.add(self.name, configuration, LOG_STAMP.sub("", line))


class Cluster:
    """The nodes by their names, the bridge between them, and the client, which may ask VIPs all the time."""

    def __init__(self, switch: Namespace, client: Namespace) -> None:
        self.switch = switch
        self.client = client
        self.nodes: dict[str, Node] = {}
        self.timeline = Timeline()
        self.owners = Owners(self.timeline)

    def start(self, files: Mapping[str, Mapping[str, str]]) -> None:
        """Start Keepalived on all nodes with these files, and let none be heard before all have started."""
        for node in self.nodes.values():
            node.cut()
            node.configure(files[node.name])
        for node in self.nodes.values():
            node.start_keepalived()
        for node in self.nodes.values():
            node.mend()

    def wait_for_owners(self, expected: Mapping[str, str | None], within: float = PATIENCE) -> None:
        """See each VIP on its node and on no other."""
        since = time.monotonic()
        if not self.owners.wait(lambda: self.owners.are(expected), within):
            wrong = [
                f"{vip}: {', '.join(sorted(self.owners.of(vip))) or 'nobody'}, expected {node or 'nobody'}"
                for vip, node in expected.items()
                if not self.owners.are({vip: node})
            ]
            raise NotSeen("\n".join([f"not within {within:g} s:", *wrong, self.timeline.told(since)]))

    def wait_for_each(
        self, vips: Iterable[str], true: Callable[[frozenset[str]], bool], within: float = PATIENCE
    ) -> None:
        """See it come true of the owners of each VIP."""
        vips = list(vips)
        if not self.owners.wait(lambda: all(true(self.owners.of(vip)) for vip in vips), within):
            raise NotSeen("\n".join([*(f"{vip}: {sorted(self.owners.of(vip))}" for vip in vips), self.timeline.told()]))

    def wait_until_all_are_heard(self) -> None:
        """See each node hear an advert of each instance from its master, so that all know who that is."""
        before = {node.name: node.instances() for node in self.nodes.values()}

        def all_are_heard() -> bool:
            return all(
                one.state != "BACKUP" or one.stats["advert_rcvd"] > before[node.name][name].stats["advert_rcvd"]
                for node in self.nodes.values()
                for name, one in node.instances().items()
            )

        wait_until("all are heard", all_are_heard)

    def wait_until_settled(self, vips: Iterable[str]) -> None:
        """See one owner of each VIP whom all others know: of two at once, an advert makes one give way."""
        vips = list(vips)
        self.wait_for_each(vips, lambda owners: len(owners) == 1)
        self.wait_until_all_are_heard()
        self.wait_for_each(vips, lambda owners: len(owners) == 1)

    def wait_until_elected(self) -> None:
        """See one master of each instance whom no other node outranks, so that nobody is about to take over."""

        def is_elected(nodes: Sequence[Dump]) -> bool:
            priorities = [(one.effective_priority or 0, one.state == "MASTER") for one in nodes]
            return max(priorities)[1] and sum(is_master for _, is_master in priorities) == 1

        def all_are_elected() -> bool:
            found = [node.instances() for node in self.nodes.values()]
            return all(is_elected([each[name] for each in found]) for name in found[0])

        wait_until("all are elected", all_are_elected)

    def wait_for_word(
        self, node: Node, configuration: str, word: str, *, since: float, within: float = PATIENCE
    ) -> None:
        """Hear a node's Keepalived say it."""
        self.timeline.wait(
            f"{node.name} says {word}",
            lambda seen: (seen.node, seen.source) == (node.name, configuration) and word in seen.text,
            since=since,
            within=within,
        )

    @contextmanager
    def asking(self, vips: Iterable[str]) -> Iterator[Asking]:
        """Have the client ask these VIPs every 5 ms, each of which answers already."""
        asking = Asking()
        process = self.client.start(sys.executable, str(ECHO), "ask", *vips, heard=asking.heard)
        try:
            asking.wait_for_more(1)
            yield asking
            process.terminate()
            asking.wait_for_end()
        finally:
            process.end()


def in_directory(words: Iterable[str], name: str) -> list[str]:
    """A command in the directory of a configuration."""
    return [word.format(directory=f"/run/configurations/{name}") for word in words]


def is_whole(dump: Path) -> bool:
    """Whether the file is there and written to its end."""
    try:
        json.loads(dump.read_text())
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def nodes(count: int = 3) -> Iterator[Cluster]:
    """So many nodes with an answering server each, on one segment with a client; Keepalived does not run yet."""
    with ExitStack() as stack:
        switch = stack.enter_context(namespace(SETUP))
        client = stack.enter_context(namespace())
        cluster = Cluster(switch, client)
        plug(client, switch, "client", "10.78.0.99/16", "fd78::99/64")
        for number in range(1, count + 1):
            inside = stack.enter_context(namespace(NODE_SETUP))
            node = Node(f"node-{number}", (f"10.78.0.{number}", f"fd78::{number}"), inside, cluster)
            ipv4, ipv6 = node.addresses
            plug(inside, switch, node.port, f"{ipv4}/16", f"{ipv6}/64", f"fe80::{number}/64")
            cluster.nodes[node.name] = node
        _listen(cluster)
        for node in cluster.nodes.values():
            node.serve()
        yield cluster


def _listen(cluster: Cluster) -> None:
    """Hear of all nodes' addresses from now on."""
    links = json.loads(cluster.switch.must("ip", "-json", "link", "show"))
    ports = {node.port: node.name for node in cluster.nodes.values()}
    cluster.owners.names = {
        str(link["link_netnsid"]): ports[link["ifname"]] for link in links if link["ifname"] in ports
    }
    cluster.switch.start(*MONITOR, heard=cluster.owners.heard)

    def listens() -> bool:
        for node in cluster.nodes.values():
            node.must("ip", "address", "replace", f"{NEIGHBOUR}/32", "dev", "lo")
        return cluster.owners.of(NEIGHBOUR) == set(cluster.nodes)

    wait_until("all nodes are listened to", listens)
