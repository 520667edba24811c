"""One node with a pod of `hacheck ipfailover run` on it, whose files a test replaces as kubelet does.

with one_pod() as one:
    one.start()
    one.wait_for_vips()
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from hachecks import pod_report
from hachecks.ipfailover.vips import parse
from tests.failover.namespace import PATIENCE, wait_until
from tests.ipfailover.cluster import nodes
from tests.ipfailover.given import variables
from tests.ipfailover.pods import CONFIG, HACHECK, STATE, Pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from hachecks.pod_report import PodReport
    from tests.ipfailover.cluster import Cluster, Node

VARIABLES = "variables.env"
GIVEN = {
    "NETWORK_INTERFACE": "eth0",
    "MONITOR_PORT": "0",
    "NODES": "node-1,node-2",
    "PREEMPTION": "preempt",
    "VRRP_VERSION": "3",
    "ADVERT_INT": "0.1",
    "VIRTUAL_IPS": "10.78.1.1-3",
    "CONFIG_NAME": "one",
}
RUN = (*HACHECK, "ipfailover", "run", "--env-file", f"{CONFIG}/{VARIABLES}")
LOG = f"{STATE}/told.log"
TOML = f'[notifier.told]\nnotifier = "log"\nfile = "{LOG}"\n'
ENVIRONMENT = {
    "HACHECK_CONFIG": f"{CONFIG}/hacheck.toml",
    "HACHECK_STATE_DIR": STATE,
    "HACHECK_AGENT_LISTEN": "127.0.0.1:10112",
}


class OnePod:
    """The pod, its node, and the variables that it has been given."""

    def __init__(self, cluster: Cluster, words: Iterable[str]) -> None:
        self.cluster = cluster
        self.node: Node = cluster.nodes["node-1"]
        self.given = dict(GIVEN)
        self.pod = Pod(self.node, "one", (*RUN, *words), ENVIRONMENT, ("net_admin", "net_raw", "setgid"))
        self.change()

    def change(self, **short: str) -> None:
        """Have other variables in the volume."""
        self.given.update(short)
        self.write("".join(f"{name}={text}\n" for name, text in variables(**self.given).items()))

    def write(self, text: str) -> None:
        """Have this text for variables in the volume."""
        self.pod.replace({VARIABLES: text, "hacheck.toml": TOML})

    def start(self) -> None:
        """Start it, and see the VIPs here."""
        self.pod.start()
        self.wait_for_vips()

    @property
    def vips(self) -> list[str]:
        """Those that the variables name."""
        return [str(one) for one in parse(self.given["VIRTUAL_IPS"]).addresses]

    def wait_for_vips(self, vips: Iterable[str] | None = None) -> None:
        """See these VIPs on the node, or all, and see it again where they are there before."""
        self.cluster.wait_for_owners(dict.fromkeys(self.vips if vips is None else vips, "node-1"))

    def wait_for_none(self, vips: Iterable[str] | None = None) -> None:
        """See none of them on the node."""
        self.cluster.wait_for_owners(dict.fromkeys(self.vips if vips is None else vips))

    @property
    def report(self) -> PodReport:
        """What the pod says of itself."""
        found = pod_report.read(str(self.pod.state))
        assert found is not None
        return found

    def wait_for_report(self, what: str, true: Callable[[PodReport], bool]) -> PodReport:
        """See the pod say something of itself, and that which it said."""
        said: list[PodReport] = []

        def says_it() -> bool:
            found = pod_report.read(str(self.pod.state))
            said.extend([found] if found is not None and true(found) else [])
            return bool(said)

        wait_until(what, says_it)
        return said[0]

    def keepalived(self) -> list[int]:
        """Keepalived's processes, the first one first."""
        return self.pod.processes("keepalived -n")

    def agent(self) -> int:
        """The agent's process; 0 when there is none."""
        return next(iter(self.pod.processes("agent --fifo")), 0)

    def history(self) -> str:
        """What is recorded."""
        with suppress(FileNotFoundError):
            return (self.pod.state / "history").read_text(errors="replace")
        return ""

    def told(self) -> list[str]:
        """What the notifier was told."""
        path: Path = self.pod.state / "told.log"
        return path.read_text().splitlines() if path.exists() else []


@contextmanager
def one_pod(*words: str) -> Iterator[OnePod]:
    """A node, and a pod that does not run yet; `words` are added to its command line.

    It looks at nothing before it starts, unless they say so: that takes seconds.
    """
    with nodes(1) as cluster:
        yield OnePod(cluster, words if "--preflight" in words else ("--preflight", "off", *words))


__all__ = ["PATIENCE", "OnePod", "one_pod"]
