"""Configurations on all nodes of a cluster as a DaemonSet has them: a pod of `hacheck ipfailover run` for each.

fleet = Fleet(cluster, {"CONFIG_NAME": "blue", "VIRTUAL_IPS": "10.78.1.1-3"})
fleet.start()
cluster.wait_for_owners(fleet.owners())
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hachecks.ipfailover.ledger import read
from tests.cli import hacheck
from tests.failover.namespace import PATIENCE
from tests.ipfailover.given import variables
from tests.ipfailover.pods import CONFIG, HACHECK, STATE, Pod
from tests.ipfailover.served import NAMES, served

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.ipfailover.cluster import Cluster, Node
    from tests.ipfailover.served import Served

VARIABLES = "variables.env"
LOG = f"{STATE}/told.log"
"""What the notifier of each pod writes."""
NOTIFIERS = f'[notifier.told]\nnotifier = "log"\nfile = "{LOG}"\n'
COMMON = {"NETWORK_INTERFACE": "eth0", "MONITOR_PORT": "0", "NODES": NAMES, "PREEMPTION": "preempt"}
FAST = {"VRRP_VERSION": "3", "ADVERT_INT": "0.2"}
LEDGER = "ledger.json"
RUN = (*HACHECK, "ipfailover", "run", "--env-file", f"{CONFIG}/{VARIABLES}", "--ledger", f"{CONFIG}/{LEDGER}")
ENVIRONMENT = {"HACHECK_CONFIG": f"{CONFIG}/hacheck.toml", "HACHECK_STATE_DIR": STATE}
FIRST_PORT = 10112


class Fleet:
    """The pods of each configuration on each node; the administrator's files are in a directory outside."""

    def __init__(
        self,
        cluster: Cluster,
        directory: Path,
        *configurations: Mapping[str, str],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.cluster = cluster
        self.configurations = {one["CONFIG_NAME"]: {**COMMON, **one} for one in configurations}
        self.pods: dict[tuple[str, str], Pod] = {}
        self._directory = directory
        for number, name in enumerate(self.configurations):
            listen = {"HACHECK_AGENT_LISTEN": f"127.0.0.1:{FIRST_PORT + number}"}
            files = self.files(name)
            for node in cluster.nodes.values():
                pod = Pod(node, name, RUN, {**ENVIRONMENT, **listen, **(environ or {})})
                self.pods[node.name, name] = pod
                pod.replace(files)

    def files(self, name: str) -> dict[str, str]:
        """What is in the volume of a configuration: its variables, and the ledger with the plan's ids."""
        lines = (f"{key}={value}\n" for key, value in variables(**self.configurations[name]).items())
        file, ledger = self._directory / f"{name}.env", self._ledger(name)
        file.write_text("".join(lines))
        answer = hacheck("ipfailover", "plan", "--save", "--env-file", file, "--ledger", ledger, timeout=PATIENCE)
        assert answer.code == 0, answer
        return {VARIABLES: file.read_text(), LEDGER: ledger.read_text(), "hacheck.toml": NOTIFIERS}

    def _ledger(self, name: str) -> Path:
        return self._directory / f"{name}.{LEDGER}"

    def change(self, name: str, **short: str) -> dict[str, str]:
        """Have a configuration changed by the administrator; what its volume is to have."""
        self.configurations[name].update(short)
        return self.files(name)

    def replace(self, name: str, files: Mapping[str, str], nodes: Iterable[Node] | None = None) -> None:
        """Have these files in the volumes of a configuration, on all nodes or on these."""
        for node in nodes or self.cluster.nodes.values():
            self.pods[node.name, name].replace(files)

    def start(self) -> None:
        """Start all pods."""
        for pod in self.pods.values():
            pod.start()

    def of(self, node: Node) -> Sequence[Pod]:
        """The pods of a node."""
        return [pod for pod in self.pods.values() if pod.node is node]

    @property
    def served(self) -> Sequence[Served]:
        """What each pod plans, which knows its own configuration alone."""
        return [
            served(one, ledger=read(self._ledger(name).read_text(), name)) for name, one in self.configurations.items()
        ]

    def owners(self, lost: Iterable[Node] = ()) -> dict[str, str | None]:
        """The node of each VIP while these are lost."""
        events = [(node, False) for node in lost]
        return {vip: owner for one in self.served for vip, owner in one.owners(self.cluster, events).items()}

    @property
    def vips(self) -> list[str]:
        """All VIPs."""
        return list(self.owners())
