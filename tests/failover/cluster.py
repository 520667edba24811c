"""Does the VIP move?  Two nodes with real Keepalived and nginx, and a client, in namespaces of their own.

The nodes and the client are joined by a bridge in a fourth namespace.  Keepalived has the configuration that
OpenShift's ipfailover generates, and finds the check where OpenShift mounts it: in /etc/keepalive, a ConfigMap.

    with two_nodes({"hacheck": executable}) as cluster, cluster.keepalived("sh /etc/keepalive/hacheck ..."):
        cluster.a.web.kill()
        cluster.wait_for_vip(cluster.b, since=...)

A node's `run` and `start` take any other program into its namespaces, and `path` says how a file there is called
from outside.  /run is the node's own, /etc is a private copy on write; everything else is the machine's.
"""

from __future__ import annotations

import re
import shlex
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .bridge import SETUP, plug
from .configmap import ConfigMap
from .namespace import PATIENCE, Namespace, Process, namespace, wait_until
from .timeline import Answer, Event, Service, Timeline
from .web import Web

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

VIP = "10.77.0.100"
CLIENT = Path(__file__).with_name("client.py")

# kubelet writes to the volume from outside, so the container's own view of it can be, and is, read-only.
NODE_SETUP = """
mount -t tmpfs tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir -m 0777 /run/volume
mkdir /run/etc /run/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work /etc
mkdir /etc/keepalive
mount --bind /run/volume /etc/keepalive
mount -o remount,bind,ro /etc/keepalive
mount -t tmpfs tmpfs /var/lib/nginx
"""

# OpenShift's own, line by line (its generator's empty lines apart), with the OPENSHIFT_HA_* defaults.
CONFIGURATION = """\
! Configuration File for keepalived

global_defs {{
   max_auto_priority 99
   notification_email {{
     root@localhost
   }}
   notification_email_from ipfailover@openshift.local
   smtp_server 127.0.0.1
   smtp_connect_timeout 30
   router_id ipfailover
{global_defs}
}}

vrrp_script chk_ipfailover {{
   script "{check}"
   interval 2
}}

vrrp_instance ipfailover_VIP_1 {{
   interface eth0
   {state}
   virtual_router_id 11
   priority {priority}
   preempt_delay 300
   authentication {{
      auth_type PASS
      auth_pass ipfailover
   }}
   track_script {{
      chk_ipfailover
   }}
   {notify}
   virtual_ipaddress {{
    {vip} dev eth0
   }}
}}
"""

STATE = re.compile(r"Entering (MASTER|BACKUP|FAULT) STATE")
LOG_STAMP = re.compile(r"^\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}: ")


def state_of(event: Event) -> str | None:
    """MASTER, BACKUP or FAULT if the event is Keepalived saying that it enters that state."""
    found = STATE.search(event.text) if event.source == "keepalived" else None
    return found[1] if found else None


class Node:
    """A machine with an address, a ConfigMap at /etc/keepalive, a web service, and Keepalived when started."""

    def __init__(self, name: str, address: str, inside: Namespace, timeline: Timeline) -> None:
        self.name = name
        self.address = address
        self.configmap = ConfigMap(inside.path("/run/volume"))
        self.run = inside.run
        self.must = inside.must
        self.start = inside.start
        self.path = inside.path
        self.web = Web(name, inside)
        self._timeline = timeline
        self.keepalived: Process | None = None
        inside.start("ip", "-oneline", "-4", "monitor", "address", heard=self._address_changed)

    @property
    def has_link(self) -> bool:
        return " state UP " in self.run("ip", "-oneline", "link", "show", "dev", "eth0").stdout

    @property
    def has_vip(self) -> bool:
        return VIP in self.run("ip", "-oneline", "address", "show", "dev", "eth0").stdout

    def check(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run the check as a person on this node would who wants to see what it says."""
        return self.run(*shlex.split(command.format(address=self.address)))

    def must_pass(self, command: str) -> None:
        """Complain in the check's own words if it does not pass here: a busy machine may need more than its timeout."""
        said: list[str] = []

        def passes() -> bool:
            done = self.check(command)
            said[:] = [(done.stdout or done.stderr).strip()]
            return done.returncode == 0

        try:
            wait_until("it passes", passes)
        except TimeoutError:
            raise AssertionError(f"check on {self.name} does not pass: {said[0]}") from None

    def start_keepalived(self, check: str, global_defs: Iterable[str] = (), notify: str = "") -> None:
        """Start it with OpenShift's own configuration."""
        slot = int(self.address.rpartition(".")[2])
        text = CONFIGURATION.format(
            check=check.format(address=self.address),
            global_defs="\n".join(f"   {line}" for line in global_defs),
            # The generator's arithmetic for two replicas; a slave's share of RANDOM is 15 here.
            state="state MASTER" if slot % 2 == 0 else "",
            priority=255 - slot if slot % 2 == 0 else slot + 15,
            notify=f'notify "{notify}"' if notify else "",
            vip=VIP,
        )
        self.run_keepalived(text)

    def run_keepalived(self, configuration: str) -> None:
        """Start it with this keepalived.conf."""
        self.path("/run/keepalived.conf").write_text(configuration)
        # What it is asked to write goes to memory, as it should anywhere.
        argv = ["env", "TMPDIR=/run", "keepalived", "-n", "--log-console", "-f", "/run/keepalived.conf"]
        self.keepalived = self.start(*argv, heard=self._keepalived_said)

    def terminate_keepalived(self) -> None:
        if self.keepalived:
            self.keepalived.terminate()

    def hang_keepalived(self) -> None:
        """SIGSTOP for all of its processes: it says nothing any more, and its addresses stay."""
        if self.keepalived:
            self.keepalived.signal(signal.SIGSTOP)

    def kill_keepalived(self) -> None:
        """SIGKILL for all of its processes: its addresses stay."""
        if self.keepalived:
            self.keepalived.end()

    def end_keepalived(self) -> None:
        if self.keepalived:
            self.keepalived.end(within=PATIENCE)

    def _keepalived_said(self, line: str) -> None:
        self._timeline.add(self.name, "keepalived", LOG_STAMP.sub("", line))

    def _address_changed(self, line: str) -> None:
        if VIP in line:
            self._timeline.add(self.name, "address", "VIP removed" if line.startswith("Deleted") else "VIP added")


class Cluster:
    """Node a, which OpenShift's arithmetic makes the MASTER, node b, and the client that asks the VIP all the time.

    There may be more nodes, for configurations of another kind.
    """

    def __init__(self, nodes: Sequence[Node], service: Service, timeline: Timeline) -> None:
        self.nodes = tuple(nodes)
        self.a, self.b, *_ = self.nodes
        self.service = service
        self.timeline = timeline

    @property
    def master(self) -> Node:
        """The one node that has the VIP."""
        holders = [node for node in self.nodes if node.has_vip]
        if len(holders) != 1:
            raise AssertionError(f"{len(holders)} nodes have the VIP\n{self.timeline.told()}")
        return holders[0]

    def other(self, node: Node) -> Node:
        return self.b if node is self.a else self.a

    @contextmanager
    def keepalived(self, check: str, *, global_defs: Iterable[str] = (), notify: str = "") -> Iterator[None]:
        """Run Keepalived on both nodes with a check, `{address}` in it being the node's; begins with `a` serving."""
        began = time.monotonic()
        try:
            for node in self.nodes:
                node.web.repair()
                node.must_pass(check)
                node.start_keepalived(check, global_defs, notify)
            self.wait_for_state(self.b, "BACKUP", since=began)
            self.wait_for_vip(self.a, since=began)
            self.wait_for_service(self.a, since=began)
            yield
        finally:
            self.end_keepalived()

    def end_keepalived(self) -> None:
        """Ask all to end, and wait for that."""
        for node in self.nodes:
            node.terminate_keepalived()
        for node in self.nodes:
            node.end_keepalived()

    def wait_for_failover(self, broken: Node, *, since: float) -> None:
        """See one node give up the VIP because its check failed, and the other one serve the client."""
        heir = self.other(broken)
        self.wait_for_state(broken, "FAULT", since=since)
        self.wait_for_vip(heir, since=since)
        self.wait_for_service(heir, since=since)
        # Keepalived says FAULT before it takes the VIP off.
        wait_until(f"{heir.name} alone has the VIP", lambda: heir.has_vip and not broken.has_vip)

    def wait_for_state(self, node: Node, state: str, *, since: float, within: float = PATIENCE) -> Event:
        what = f"{node.name} entering {state}"
        return self._wait(what, lambda seen: seen.node == node.name and state_of(seen) == state, since, within)

    def wait_for_vip(self, node: Node, *, since: float, within: float = PATIENCE) -> Event:
        what = f"VIP added on {node.name}"
        return self._wait(what, lambda seen: (seen.node, seen.text) == (node.name, "VIP added"), since, within)

    def wait_for_service(self, node: Node, *, since: float, within: float = PATIENCE) -> Event:
        answers = f"{node.name} answers"
        return self._wait(f"{answers} the client", lambda seen: seen.text.startswith(answers), since, within)

    def wait_for_answers(self, node: Node, *, since: float) -> None:
        """See the client be served by this node, whoever served it before."""
        wait_until(f"{node.name} serves", lambda: self.service.served_by(node.name, since=since))

    def _wait(self, what: str, wanted: Callable[[Event], bool], since: float, within: float) -> Event:
        return self.timeline.wait(what, wanted, since=since, within=within)


@contextmanager
def two_nodes(files: Mapping[str, bytes], *, mode: int = 0o755) -> Iterator[Cluster]:
    """Two nodes with these files in the ConfigMap at /etc/keepalive, web services running, Keepalived not yet."""
    with several_nodes(2, files, mode=mode) as cluster:
        yield cluster


@contextmanager
def several_nodes(
    count: int, files: Mapping[str, bytes], *, mode: int = 0o755, asking: Sequence[float] = ()
) -> Iterator[Cluster]:
    """So many of these nodes; `asking` is how often the client asks and how long it waits, in seconds."""
    timeline = Timeline()
    with ExitStack() as stack:
        switch = stack.enter_context(namespace(SETUP))
        nodes = []
        for name, octet in zip(("node-a", "node-b", "node-c")[:count], range(2, 5)):
            inside = stack.enter_context(namespace(NODE_SETUP))
            address = f"10.77.0.{octet}"
            plug(inside, switch, name, f"{address}/24")
            node = Node(name, address, inside, timeline)
            node.configmap.replace(files, mode=mode)
            nodes.append(node)
        client = stack.enter_context(namespace())
        plug(client, switch, "client", "10.77.0.9/24")
        service = Service(timeline)
        asks = [sys.executable, str(CLIENT), VIP, *map(str, asking)]
        client.start(*asks, heard=lambda line: service.record(_answer(line)))
        wait_until("the nodes' links are up", lambda: all(node.has_link for node in nodes))
        yield Cluster(nodes, service, timeline)


def _answer(line: str) -> Answer:
    began, ended, node = line.split(maxsplit=2)
    return Answer(float(began), float(ended), None if node == "-" else node)
