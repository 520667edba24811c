"""The sources of one node: all that is looked at, each for itself, and the snapshot of what they say together."""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING

from hachecks import homes, state
from hachecks.exporter.addresses import Addresses
from hachecks.exporter.checks import CheckSource
from hachecks.exporter.configuration import ConfigurationSource
from hachecks.exporter.fifo import FifoSource
from hachecks.exporter.journal_source import JournalSource
from hachecks.exporter.queues import QueueSource
from hachecks.exporter.snapshot import Snapshot
from hachecks.exporter.source import SourceHealth
from hachecks.keepalived import multicast
from hachecks.keepalived.json_dump import KeepalivedJson, Unavailable
from hachecks.keepalived.process import KeepalivedProcess, Running
from hachecks.state import boot_id
from hachecks.transitions import journal
from hachecks.verdict import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hachecks.keepalived.configuration import VrrpInstance
    from hachecks.keepalived.json_dump import Dump
    from hachecks.node import Node

JSON = "keepalived_json"


class Sources:
    """All sources of one node. `refresh` looks at those that do not call by themselves; it never waits."""

    def __init__(self, node: Node, tell: Callable[[str], None]) -> None:
        self.node = node
        self.tell = tell
        names = ("netlink", "configuration", "journal", "verdicts", "queues", "process")
        self.health = {one: SourceHealth(one, tell) for one in names}
        self.addresses = Addresses(self.health["netlink"])
        self.configuration = ConfigurationSource(node, self.health["configuration"])
        self.journal = JournalSource(node, self.health["journal"])
        self.checks = CheckSource(self._directories_of_checks, node.environ, self.health["verdicts"])
        self.queues = QueueSource(self.journal.directories, self.health["queues"])
        self.process = KeepalivedProcess()
        self.running = Running(None, None, False, "nobody has looked yet")
        self.fifo: FifoSource | None = None
        self.json: KeepalivedJson | None = None
        self.dumps: Mapping[str, Dump] = {}
        self._boot = boot_id()
        self._configured: object = None
        self._looks: dict[str, Callable[[], None]] = {
            "configuration": self._read_configuration,
            "journal": self.journal.refresh,
            "verdicts": self.checks.refresh,
            "queues": self.queues.refresh,
            "process": self._look_for_keepalived,
        }

    def _directories_of_checks(self) -> list[str]:
        """Where the checks leave their verdicts: what they are told, or what of theirs stands in for it."""
        return homes.readable((self.node.places[0], state.SHARED), self.journal.users)

    def follow_fifo(self, path: str) -> None:
        """Also follow Keepalived's notify FIFO."""
        health = self.health["fifo"] = SourceHealth("fifo", self.tell)
        self.fifo = FifoSource(path, self.node, health, self.tell)
        self._looks = {"fifo": self.fifo.refresh, **self._looks}

    def ask_for_json(self, directory: str, pid_file: str) -> None:
        """Also ask Keepalived for its JSON, at each scrape."""
        self.health[JSON] = SourceHealth(JSON, self.tell)
        self.json = KeepalivedJson(directory, pid_file)

    def refresh(self) -> None:
        """Look at everything that may have changed; a source that cannot be read says so, and the rest goes on."""
        for name, look in self._looks.items():
            with self.health[name].looked_at():
                look()
        with self.health["journal"].looked_at():
            self.journal.settle(keepalived_alive=self.running.runs is not False)

    def _read_configuration(self) -> None:
        self.configuration.refresh()
        if self._configured is not self.configuration.configuration:
            self._configured = self.configuration.configuration
            self.checks.configure(self.configuration.configuration)
            self.journal.trust(journal.trusted_users(self.configuration.configuration.script_users))

    def _look_for_keepalived(self) -> None:
        running = self.process.look(self._expects_sockets())
        changed = running != self.running
        if changed:
            self.running = running
        self.health["process"].succeeded(changed)

    def _expects_sockets(self) -> bool:
        """Whether Keepalived, if it runs, listens: it does on every interface that exists, up or down."""
        names = self.addresses.present().names
        return any(instance.interface in names for instance in self.configuration.configuration.instances)

    async def ask_keepalived(self, within: float) -> None:
        """Ask for the JSON if that is wanted; what was said before counts no more, whatever comes of it."""
        if self.json is None:
            return
        began, self.dumps = time.monotonic(), {}
        try:
            self.dumps = await self.json.ask(within)
        except Unavailable as error:
            self.health[JSON].failed(str(error))
        else:
            self.health[JSON].succeeded(True, time.monotonic() - began)

    def snapshot(self) -> Snapshot:
        """What all sources said when they were looked at last."""
        configuration = self.configuration.configuration
        return Snapshot(
            node=visible(self.node.name),
            boot=self._boot,
            configuration=configuration,
            said=self.journal.said,
            dumps=self.dumps,
            running=self.running,
            present=self.addresses.present() if self.health["netlink"].up else None,
            checks=self.checks.checks,
            queues=self.queues.queues,
            multicast=tuple(multicast.joined(_multicast_interfaces(configuration.instances))),
            sources=tuple(health.snapshot() for health in self.health.values()),
            hints=tuple(self.journal.passed_over),
        )

    def fingerprint(self) -> str:
        """A text that is another when the snapshot, or what can be made of it, is."""
        versions = [health.version for health in self.health.values()]
        seen = (versions, self.journal.version, self.running, self.checks.checks.freshness(time.time()))
        return f"{zlib.crc32(repr(seen).encode()):08x}"

    def close(self) -> None:
        """Let go of what is open."""
        if self.fifo:
            self.fifo.close()

    @property
    def is_behind(self) -> bool:
        """Whether there is more to be read at once."""
        return self.journal.is_behind

    @property
    def is_undecided(self) -> bool:
        """Whether a moment later it is known whether Keepalived runs."""
        return self.process.is_undecided

    @property
    def is_ready(self) -> bool:
        """Whether the sources have been asked once, and what was remembered is read."""
        asked = [self.health[name] for name in ("netlink", "configuration", "journal")]
        return all(health.up or health.errors for health in asked)


def _multicast_interfaces(instances: Iterable[VrrpInstance]) -> list[tuple[str, str]]:
    """The interfaces on which an instance listens to a multicast group, each with the instance's family."""
    return [(one.interface, one.family) for one in instances if not one.unicast and one.interface]
